//! Which thread waits for which, so that a circle of creations is an error and not a deadlock.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use super::flight::Landing;
use crate::caching::sync::thread::ThreadId;
use crate::caching::sync::{Mutex, MutexGuard};

/// The creations that threads wait for, of all registries of the process: a circle may lead through several.
#[cfg(not(shuttle))]
static WAITS: Mutex<Option<Waits>> = Mutex::new(None);
#[cfg(shuttle)]
shuttle::lazy_static! {
    static ref WAITS: Mutex<Option<Waits>> = Mutex::new(None);
}

/// `None` for a wait for whichever thread takes what is queued.
type Waits = HashMap<ThreadId, Option<Arc<Landing>>>;

/// A wait of this thread, until it is dropped.
pub(super) struct Wait {
    waiter: ThreadId,
}

impl Wait {
    /// Notes that `waiter` is about to wait for a creation; `None` if that creation, directly or through others, waits for
    /// `waiter`.
    pub(super) fn begin(waiter: ThreadId, landing: &Arc<Landing>) -> Option<Self> {
        let mut guard = waits();
        let waits = guard.get_or_insert_default();
        let mut next = Some(landing);
        while let Some(landing) = next {
            if landing.is_over() {
                break;
            }
            if landing.creator() == waiter {
                return None;
            }
            next = waits.get(&landing.creator()).and_then(Option::as_ref);
        }
        waits.insert(waiter, Some(landing.clone()));
        Some(Self { waiter })
    }

    /// Notes that `waiter` is about to wait for what no thread has taken yet.
    pub(super) fn begin_in_queue(waiter: ThreadId) -> Self {
        waits().get_or_insert_default().insert(waiter, None);
        Self { waiter }
    }

    /// Returns `true` if each of these threads waits for something.
    pub(super) fn includes_all<'a>(threads: impl IntoIterator<Item = &'a ThreadId>) -> bool {
        let mut guard = waits();
        let waits = guard.get_or_insert_default();
        threads.into_iter().all(|thread| waits.contains_key(thread))
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(waits) = &mut *waits() {
            waits.remove(&self.waiter);
        }
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
