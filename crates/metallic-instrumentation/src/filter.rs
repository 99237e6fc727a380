//! A selection of kinds.

use std::sync::Arc;

use crate::event::{Event, EventKind};
use crate::sink::EventSink;

/// Passes only events of the kinds on a list, and declines the others before they are built.
pub struct KindFilter {
    sink: Arc<dyn EventSink>,
    /// Bit n is set when the kind with discriminant n passes.
    kinds: u32,
}

impl KindFilter {
    /// Passes events of `kinds` to `sink`, as far as it wants them.
    pub fn new(sink: Arc<dyn EventSink>, kinds: impl IntoIterator<Item = EventKind>) -> Self {
        const { assert!(EventKind::ALL.len() <= u32::BITS as usize) };
        Self { sink, kinds: kinds.into_iter().fold(0, |set, kind| set | bit(kind)) }
    }

    fn passes(&self, kind: EventKind) -> bool {
        self.kinds & bit(kind) != 0
    }
}

fn bit(kind: EventKind) -> u32 {
    1 << kind as u32
}

impl EventSink for KindFilter {
    fn enabled(&self, kind: EventKind) -> bool {
        self.passes(kind) && self.sink.enabled(kind)
    }

    fn record(&self, event: &Event) {
        if self.passes(event.kind()) {
            self.sink.record(event);
        }
    }

    fn flush(&self) {
        self.sink.flush();
    }
}
