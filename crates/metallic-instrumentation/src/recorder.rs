//! Events kept in memory.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::event::{Event, EventKind};
use crate::sink::EventSink;

/// Keeps every event in memory, without a bound: the sink for tests.
#[derive(Debug, Default)]
pub struct Recorder {
    events: Mutex<Vec<Event>>,
}

impl Recorder {
    /// Creates a recorder without events.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a copy of the events so far, in the order they were recorded.
    pub fn events(&self) -> Vec<Event> {
        self.lock().clone()
    }

    /// Removes the events so far and returns them.
    pub fn take(&self) -> Vec<Event> {
        mem::take(&mut *self.lock())
    }

    /// Counts the events of this kind so far.
    pub fn count(&self, kind: EventKind) -> usize {
        self.lock().iter().filter(|event| event.kind() == kind).count()
    }

    /// Forgets the events so far.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// A test that panicked while it held the lock left whole events behind, so poison means nothing here.
    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventSink for Recorder {
    fn record(&self, event: &Event) {
        self.lock().push(event.clone());
    }
}
