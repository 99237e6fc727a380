use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bounds what a server costs the process. Once it is open it stays so: to try again would cost another deadline.
#[derive(Debug)]
pub(super) struct Breaker {
    allowance: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Time spent on look-ups beyond what their hits have saved.
    lost: Duration,
    open: Option<String>,
    writes_refused: Option<String>,
}

impl Breaker {
    pub(super) fn new(allowance: Duration) -> Self {
        Self { allowance, state: Mutex::default() }
    }

    /// Why nothing is asked any more.
    pub(super) fn reason(&self) -> Option<String> {
        self.state().open.clone()
    }

    /// Why nothing is written any more.
    pub(super) fn reason_not_to_write(&self) -> Option<String> {
        let state = self.state();
        state.open.clone().or_else(|| state.writes_refused.clone())
    }

    pub(super) fn open(&self, reason: &str) {
        self.state().open.get_or_insert_with(|| format!("given up after: {reason}"));
    }

    /// The server does not let this process write. It may be read all the same.
    pub(super) fn refuse_writes(&self, reason: &str) {
        self.state().writes_refused.get_or_insert_with(|| format!("writes are refused: {reason}"));
    }

    /// Accounts for a look-up that took `time` and saved a creation of `saved`.
    pub(super) fn spend(&self, time: Duration, saved: Duration) {
        let mut state = self.state();
        state.lost = (state.lost + time).saturating_sub(saved);
        if state.lost >= self.allowance {
            let lost = state.lost;
            state.open.get_or_insert_with(|| {
                format!("given up after look-ups cost {lost:.1?} more than they saved")
            });
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
