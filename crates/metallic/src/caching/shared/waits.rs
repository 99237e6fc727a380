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

type Waits = HashMap<ThreadId, Arc<Landing>>;

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
            next = waits.get(&landing.creator());
        }
        waits.insert(waiter, landing.clone());
        Some(Self { waiter })
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
