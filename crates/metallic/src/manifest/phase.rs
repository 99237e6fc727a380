//! The phases of a program, which creations are recorded with.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use rustc_hash::FxBuildHasher;

/// The phase of the program, and those of threads that are in one of their own.
#[derive(Default)]
pub(super) struct Phases(Mutex<State>);

#[derive(Default)]
struct State {
    program: Option<Cow<'static, str>>,
    /// The innermost last, each with its guard's number.
    threads: HashMap<ThreadId, Vec<(u64, Cow<'static, str>)>, FxBuildHasher>,
    next: u64,
}

impl Phases {
    pub(super) fn set(&self, phase: Cow<'static, str>) {
        self.state().program = Some(phase);
    }

    /// The phase of this thread, or else of the program.
    pub(super) fn now(&self) -> Option<Cow<'static, str>> {
        let state = self.state();
        let own = state.threads.get(&thread::current().id()).and_then(|phases| phases.last());
        own.map(|(_, phase)| phase.clone()).or_else(|| state.program.clone())
    }

    pub(super) fn enter(self: &Arc<Self>, phase: Cow<'static, str>) -> InPhase {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.threads.entry(thread::current().id()).or_default().push((number, phase));
        InPhase { phases: self.clone(), number, thread: PhantomData }
    }

    fn leave(&self, number: u64) {
        let (mut state, thread) = (self.state(), thread::current().id());
        if let Some(phases) = state.threads.get_mut(&thread) {
            phases.retain(|(other, _)| *other != number);
            if phases.is_empty() {
                state.threads.remove(&thread);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread's phase, until it is dropped: see [`Supervisor::enter_phase`](crate::creation::Supervisor::enter_phase).
#[must_use = "the phase ends when this is dropped"]
pub struct InPhase {
    phases: Arc<Phases>,
    number: u64,
    /// It ends on the thread on which it began.
    thread: PhantomData<*const ()>,
}

impl Drop for InPhase {
    fn drop(&mut self) {
        self.phases.leave(self.number);
    }
}

impl fmt::Debug for InPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InPhase").finish_non_exhaustive()
    }
}
