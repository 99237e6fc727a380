//! Several sinks behind one.

use std::sync::Arc;

use crate::event::{Event, EventKind};
use crate::sink::{EventSink, SinkGuard};

/// Passes every event to each of several sinks.
///
/// Each sink has its own guard: one that panics loses the event, its siblings do not.
#[derive(Clone, Debug)]
pub struct FanOut {
    children: Vec<SinkGuard>,
}

impl FanOut {
    /// Fans out to `sinks`, in this order.
    pub fn new(sinks: impl IntoIterator<Item = Arc<dyn EventSink>>) -> Self {
        Self { children: sinks.into_iter().map(SinkGuard::new).collect() }
    }

    /// Returns how many calls of the sinks panicked.
    pub fn panics(&self) -> u64 {
        self.children.iter().map(SinkGuard::panics).sum()
    }
}

impl EventSink for FanOut {
    /// Returns `true` if any of the sinks wants events of this kind.
    fn enabled(&self, kind: EventKind) -> bool {
        self.children.iter().any(|child| child.enabled(kind))
    }

    /// Passes the event to those sinks that want its kind.
    fn record(&self, event: &Event) {
        let kind = event.kind();
        for child in self.children.iter().filter(|child| child.enabled(kind)) {
            child.pass(event);
        }
    }

    fn flush(&self) {
        self.children.iter().for_each(SinkGuard::flush);
    }
}
