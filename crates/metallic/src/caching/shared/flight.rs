//! One creation of one key, and those who wait for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::task::Waker;
use std::time::Duration;

use super::waits::Wait;
use crate::caching::sync::thread::ThreadId;
use crate::caching::sync::{Condvar, Mutex, MutexGuard, this_thread};
use crate::error::Error;

/// A creation under way.
pub(super) struct Flight<Key> {
    pub(super) key: Arc<Key>,
    pub(super) hash: u64,
    creator: ThreadId,
    /// `None` until someone waits.
    landing: Option<Arc<Landing>>,
}

impl<Key> Flight<Key> {
    /// A creation by this thread.
    pub(super) fn here(key: Arc<Key>, hash: u64) -> Self {
        Self { key, hash, creator: this_thread(), landing: None }
    }

    /// Its end, to be waited for.
    pub(super) fn landing(&mut self) -> Arc<Landing> {
        self.landing.get_or_insert_with(|| Landing::of(self.creator)).clone()
    }

    /// Ends all waits. To be called when it is no longer among the flights.
    pub(super) fn end(self, outcome: Outcome) {
        if let Some(landing) = self.landing {
            landing.end(outcome);
        }
    }
}

/// The end of a creation, which can be waited for.
pub(in crate::caching) struct Landing {
    creator: ThreadId,
    state: Mutex<LandingState>,
    over: Condvar,
}

#[derive(Default)]
struct LandingState {
    outcome: Option<Outcome>,
    /// By the numbers of their tasks.
    wakers: Vec<(u64, Waker)>,
}

/// How a creation ended, for those who waited.
#[derive(Clone)]
pub(super) enum Outcome {
    /// Look again: the resource is there, or it is one's own turn to create.
    LookAgain,
    /// It failed, and its error is shared.
    Failed(Arc<Error>),
}

/// Why a wait ended without an outcome.
pub(super) enum Unwaited {
    /// It would never have ended.
    Circle,
    TimedOut,
}

impl Landing {
    /// The end of a creation by this thread.
    pub(super) fn here() -> Arc<Self> {
        Self::of(this_thread())
    }

    fn of(creator: ThreadId) -> Arc<Self> {
        Arc::new(Self { creator, state: Mutex::default(), over: Condvar::new() })
    }

    pub(super) fn creator(&self) -> ThreadId {
        self.creator
    }

    pub(super) fn is_over(&self) -> bool {
        self.state().outcome.is_some()
    }

    /// Ends all waits, and does not panic: what has ended is still to be told to others.
    pub(super) fn end(&self, outcome: Outcome) {
        let mut state = self.state();
        state.outcome = Some(outcome);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.over.notify_all();
        wake_all(wakers);
    }

    /// The error that those who waited share.
    pub(super) fn failure(&self) -> Option<Arc<Error>> {
        match &self.state().outcome {
            Some(Outcome::Failed(error)) => Some(error.clone()),
            _ => None,
        }
    }

    /// Has the `waker` of a task woken at the end, and gives it back if that is past.
    pub(super) fn wake_at_end(&self, number: u64, waker: Waker) -> Option<Waker> {
        let mut state = self.state();
        if state.outcome.is_some() {
            return Some(waker);
        }
        state.wakers.push((number, waker));
        None
    }

    /// Takes the waker of a task out, for the caller to drop.
    pub(super) fn forget_waker(&self, number: u64) -> Option<Waker> {
        take_waker(&mut self.state().wakers, number)
    }

    /// Waits for the end, at most for `timeout`.
    ///
    /// # Errors
    /// [`Unwaited`]; at once where waiting could never end, as on a target of one thread.
    pub(super) fn wait(self: &Arc<Self>, timeout: Option<Duration>) -> Result<Outcome, Unwaited> {
        let _wait = Wait::begin(this_thread(), self).ok_or(Unwaited::Circle)?;
        let state = self.state();
        let is_open = |state: &mut LandingState| state.outcome.is_none();
        let state = match timeout {
            None => self.over.wait_while(state, is_open).unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                self.over
                    .wait_timeout_while(state, timeout, is_open)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        };
        state.outcome.clone().ok_or(Unwaited::TimedOut)
    }

    fn state(&self) -> MutexGuard<'_, LandingState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the waker with this number out.
pub(super) fn take_waker(wakers: &mut Vec<(u64, Waker)>, number: u64) -> Option<Waker> {
    let found = wakers.iter().position(|(other, _)| *other == number)?;
    Some(wakers.swap_remove(found).1)
}

/// Wakes them all, though some may panic.
pub(super) fn wake_all(wakers: Vec<(u64, Waker)>) {
    for (_, waker) in wakers {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            std::mem::forget(payload);
        }
    }
}
