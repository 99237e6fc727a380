//! Every n-th access.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::event::{Event, EventKind};
use crate::sink::EventSink;

/// Passes the first of every n accesses, over all caches together, and every event of another kind.
pub struct Sampling {
    sink: Arc<dyn EventSink>,
    every: NonZeroU64,
    accesses: AtomicU64,
}

impl Sampling {
    /// Passes one access in `every` to `sink`; 1 passes all of them.
    pub fn new(sink: Arc<dyn EventSink>, every: NonZeroU64) -> Self {
        Self { sink, every, accesses: AtomicU64::new(0) }
    }
}

impl EventSink for Sampling {
    fn enabled(&self, kind: EventKind) -> bool {
        self.sink.enabled(kind)
    }

    /// Counts the access here and not in `enabled`, which may be asked without an event that follows.
    fn record(&self, event: &Event) {
        if event.kind() != EventKind::ResourceCacheAccess
            || self.accesses.fetch_add(1, Ordering::Relaxed).is_multiple_of(self.every.get())
        {
            self.sink.record(event);
        }
    }

    fn flush(&self) {
        self.sink.flush();
    }
}
