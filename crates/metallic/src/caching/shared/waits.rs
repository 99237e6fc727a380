//! Which thread waits for which, so that a circle of creations is an error and not a deadlock.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use super::flight::Landing;
use crate::caching::drops::caught;
use crate::caching::sync::thread::ThreadId;
use crate::caching::sync::{Mutex, MutexGuard};

/// The creations that threads wait for, of all registries of the process: a circle may lead through several.
#[cfg(not(shuttle))]
static WAITS: Mutex<Option<Waits>> = Mutex::new(None);
#[cfg(shuttle)]
shuttle::lazy_static! {
    static ref WAITS: Mutex<Option<Waits>> = Mutex::new(None);
}

type Waits = HashMap<ThreadId, For>;

/// The end that a thread waits for.
enum For {
    Landing(Arc<Landing>),
    /// Whichever thread takes what is queued. Is told when another thread begins to wait or ends: it may be the last one left.
    Queue(Arc<dyn Waiting>),
}

/// One that waits for what is queued.
pub(super) trait Waiting: Send + Sync {
    /// Has it look again whether all others wait. It calls nothing that is not ours.
    fn look_again(&self);
}

/// A wait of this thread, until it is dropped.
pub(super) struct Wait {
    waiter: ThreadId,
    /// The wait of the same thread that this one is a part of.
    outer: Option<For>,
}

impl Wait {
    /// Notes that `waiter` is about to wait for a creation; `None` if that creation, directly or through others, waits for
    /// `waiter`.
    pub(super) fn begin(waiter: ThreadId, landing: &Arc<Landing>) -> Option<Self> {
        let mut guard = waits();
        let waits = guard.get_or_insert_default();
        if leads_to(waits, waiter, landing) {
            return None;
        }
        let outer = waits.insert(waiter, For::Landing(landing.clone()));
        drop(guard);
        let is_part = outer.is_some();
        let wait = Self { waiter, outer };
        if !is_part {
            Self::tell_others(waiter);
        }
        Some(wait)
    }

    /// Notes that `waiter` is about to wait for what no thread has taken yet. If it does,
    /// [`tell_others`](Self::tell_others) is to be called before.
    pub(super) fn begin_in_queue(waiter: ThreadId, waiting: Arc<dyn Waiting>) -> Self {
        let outer = waits().get_or_insert_default().insert(waiter, For::Queue(waiting));
        Self { waiter, outer }
    }

    /// Has those who wait for what is queued look again: this thread has begun to wait, or takes nothing any more.
    pub(super) fn tell_others(here: ThreadId) {
        let mut others = Vec::new();
        for (waiter, what) in waits().iter().flatten() {
            if let (true, For::Queue(waiting)) = (*waiter != here, what) {
                others.push(waiting.clone());
            }
        }
        for waiting in others {
            waiting.look_again();
            // By now it may be the last that knows of a task, whose maker is not ours.
            caught(|| drop(waiting));
        }
    }

    /// Returns `true` if each of these threads waits for something.
    pub(super) fn includes_all<'a>(threads: impl IntoIterator<Item = &'a ThreadId>) -> bool {
        let mut guard = waits();
        let waits = guard.get_or_insert_default();
        threads.into_iter().all(|thread| waits.contains_key(thread))
    }

    /// Returns `true` if each of these threads waits for a creation by `here`, directly or through others.
    pub(super) fn all_lead_to<'a>(here: ThreadId, threads: impl IntoIterator<Item = &'a ThreadId>) -> bool {
        let mut guard = waits();
        let waits = guard.get_or_insert_default();
        let lead = |thread| matches!(waits.get(thread), Some(For::Landing(landing)) if leads_to(waits, here, landing));
        threads.into_iter().all(lead)
    }
}

/// Returns `true` if who waits for `landing` waits for a creation by `thread`, directly or through others.
fn leads_to(waits: &Waits, thread: ThreadId, landing: &Arc<Landing>) -> bool {
    let mut next = Some(landing);
    while let Some(landing) = next {
        if landing.is_over() {
            return false;
        }
        if landing.creator() == thread {
            return true;
        }
        next = match waits.get(&landing.creator()) {
            Some(For::Landing(next)) => Some(next),
            Some(For::Queue(_)) | None => None,
        };
    }
    false
}

impl Drop for Wait {
    fn drop(&mut self) {
        // What it was is dropped after the lock.
        let _was = match (&mut *waits(), self.outer.take()) {
            (Some(waits), Some(outer)) => waits.insert(self.waiter, outer),
            (Some(waits), None) => waits.remove(&self.waiter),
            (None, _) => None,
        };
    }
}

/// Makes the waits before any thread unwinds. Shuttle runs all threads on one of the system's, so that while one unwinds, others
/// that make it would poison what guards its making.
#[cfg(shuttle)]
pub(super) fn prepare() {
    drop(waits());
}

fn waits() -> MutexGuard<'static, Option<Waits>> {
    WAITS.lock().unwrap_or_else(PoisonError::into_inner)
}
