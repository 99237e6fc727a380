//! Which thread waits for which, so that a circle of creations is an error and not a deadlock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use super::flight::Landing;

/// The creations that threads wait for, of all registries of the process: a circle may lead through several.
static WAITS: Mutex<Option<HashMap<ThreadId, Arc<Landing>>>> = Mutex::new(None);

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

fn waits() -> MutexGuard<'static, Option<HashMap<ThreadId, Arc<Landing>>>> {
    WAITS.lock().unwrap_or_else(PoisonError::into_inner)
}
