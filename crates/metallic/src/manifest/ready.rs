//! The end of a warm-up, which can be waited for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Says whether warm-up is over: as a value, by waiting, or as a future. A clone says the same.
#[derive(Clone, Default)]
pub struct Ready(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Warm-ups that are under way.
    running: usize,
    /// Warm-ups that are over.
    finished: usize,
    wakers: Vec<Waker>,
}

impl State {
    fn is_ready(&self) -> bool {
        self.running == 0 && self.finished > 0
    }
}

impl Ready {
    /// Returns `true` if a warm-up is over, and none is under way.
    pub fn is_ready(&self) -> bool {
        self.state().is_ready()
    }

    /// Blocks until it is ready.
    pub fn wait(&self) {
        let state = self.state();
        let waited = self.0.changed.wait_while(state, |state| !state.is_ready());
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn begin(&self) {
        self.state().running += 1;
    }

    pub(super) fn end(&self) {
        let mut state = self.state();
        state.running -= 1;
        state.finished += 1;
        let wakers = if state.is_ready() { std::mem::take(&mut state.wakers) } else { Vec::new() };
        drop(state);
        self.0.changed.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for Ready {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.is_ready() {
            return Poll::Ready(());
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").field("is_ready", &self.is_ready()).finish()
    }
}
