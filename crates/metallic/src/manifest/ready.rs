//! The end of a warm-up, which can be waited for.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::caching::caught;

/// Says whether warm-up is over: as a value, by waiting, or as a future. A clone says the same.
#[derive(Default)]
pub struct Ready {
    inner: Arc<Inner>,
    /// Its place among the wakers; 0 if it was not polled.
    place: u64,
}

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
    last_place: u64,
    /// The waker of each future's last poll.
    wakers: BTreeMap<u64, Waker>,
}

impl State {
    fn is_ready(&self) -> bool {
        self.running == 0 && self.finished > 0
    }
}

impl Ready {
    /// Returns `true` if a warm-up is over, and none is under way.
    pub fn is_ready(&self) -> bool {
        self.inner.lock().is_ready()
    }

    /// Blocks until it is ready.
    pub fn wait(&self) {
        let state = self.inner.lock();
        let waited = self.inner.changed.wait_while(state, |state| !state.is_ready());
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn begin(&self) {
        self.inner.lock().running += 1;
    }

    pub(super) fn end(&self) {
        let mut state = self.inner.lock();
        state.running -= 1;
        state.finished += 1;
        let wakers = if state.is_ready() { std::mem::take(&mut state.wakers) } else { BTreeMap::new() };
        drop(state);
        self.inner.changed.notify_all();
        for waker in wakers.into_values() {
            // One that panics keeps no other from being woken.
            caught(|| waker.wake());
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for Ready {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let ready = self.get_mut();
        // The code of wakers is another's: it runs under no lock.
        let waker = cx.waker().clone();
        let mut state = ready.inner.lock();
        if state.is_ready() {
            return Poll::Ready(());
        }
        if ready.place == 0 {
            state.last_place += 1;
            ready.place = state.last_place;
        }
        let before = state.wakers.insert(ready.place, waker);
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl Clone for Ready {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), place: 0 }
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        if self.place > 0 {
            let waker = self.inner.lock().wakers.remove(&self.place);
            drop(waker);
        }
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").field("is_ready", &self.is_ready()).finish()
    }
}
