//! Threads that wait for the outcome of a task.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::{Settled, Stage, State, Task};
use crate::caching::shared::deadline::Deadline;
use crate::caching::shared::flight::Landing;
use crate::caching::shared::waits::{Wait, Waiting};
use crate::caching::sync::this_thread;
use crate::error::Error;

impl<R: Send + Sync + 'static> Task<R> {
    /// Waits for the outcome. What no thread has begun is created here.
    pub(in crate::caching::shared) fn wait(self: &Arc<Self>) -> Result<Settled<R>, Error> {
        loop {
            if let Some(settled) = self.outcome() {
                return Ok(settled);
            }
            if let Some(landing) = self.take() {
                drop(self.creators.remove(self.number));
                self.run(&landing, true);
            } else {
                self.wait_for_change(None, 0)?;
            }
        }
    }

    /// Waits for the outcome, for at most `timeout` in all unless there is no other thread to create.
    pub(in crate::caching::shared) fn wait_timeout(
        self: &Arc<Self>,
        timeout: Duration,
    ) -> Result<Settled<R>, Error> {
        self.creators.raise(self.number);
        let (mut deadline, mut is_late) = (Deadline::Within(Some(timeout)), false);
        let (here, mut waiting) = (this_thread(), None);
        loop {
            if let Some(settled) = self.outcome() {
                return Ok(settled);
            }
            // Before it looks whether all others wait: of two that do so at once, one sees the other. An earlier look is told of
            // those that begin to wait later.
            let begins = waiting.is_none();
            waiting.get_or_insert_with(|| Wait::begin_in_queue(here, self.clone()));
            let looks = self.lock().looks;
            match self.take_unserved().or_else(|| self.take_abandoned()) {
                Some(landing) => {
                    drop(waiting.take());
                    // Without waiting for another thread's creation, which may take longer.
                    self.run(&landing, false);
                }
                None if is_late => return Err(Error::TimedOut { cache_key: self.maker.label() }),
                None => {
                    if begins {
                        Wait::tell_others(here);
                    }
                    is_late = self.wait_for_change(deadline.remaining(), looks)?;
                }
            }
        }
    }

    /// Begins what is queued on this thread, if those that should take it wait, as for this one.
    fn take_abandoned(&self) -> Option<Arc<Landing>> {
        if !self.creators.rest_on_this_thread() {
            return None;
        }
        let landing = self.begin_if(|state| matches!(state.stage, Stage::Queued))?;
        drop(self.creators.remove(self.number));
        Some(landing)
    }

    /// Waits for as long as another thread runs it, or with a timeout also until another thread begins it, or this one is to look
    /// again after `looks` times: of each run, the circle is to be looked for anew. Returns `true` if the time is over.
    fn wait_for_change(&self, timeout: Option<Duration>, looks: u64) -> Result<bool, Error> {
        let state = self.lock();
        let awaited = match &state.stage {
            Stage::Running(landing) => Some(landing.clone()),
            Stage::Attached => state.blocked_by.clone(),
            _ => None,
        };
        drop(state);
        let here = this_thread();
        let _wait = match &awaited {
            Some(landing) => Some(
                Wait::begin(here, landing)
                    .ok_or_else(|| Error::RecursiveCreation { cache_key: self.maker.label() })?,
            ),
            None => None,
        };
        let state = self.lock();
        let is_awaited =
            |now: Option<&Arc<Landing>>| now.map(Arc::as_ptr) == awaited.as_ref().map(Arc::as_ptr);
        let is_as_it_was = |state: &mut State<R>| match &state.stage {
            Stage::Running(now) => is_awaited(Some(now)),
            Stage::Queued => timeout.is_some() && is_awaited(None) && state.looks == looks,
            Stage::Attached => timeout.is_some() && is_awaited(state.blocked_by.as_ref()),
            _ => false,
        };
        Ok(match timeout {
            None => {
                drop(self.changed.wait_while(state, is_as_it_was).unwrap_or_else(PoisonError::into_inner));
                false
            }
            Some(timeout) => {
                let waited = self.changed.wait_timeout_while(state, timeout, is_as_it_was);
                waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
            }
        })
    }
}

impl<R: Send + Sync + 'static> Waiting for Task<R> {
    fn look_again(&self) {
        self.lock().looks += 1;
        self.changed.notify_all();
    }
}
