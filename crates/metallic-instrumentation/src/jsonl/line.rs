//! Events as bytes.

use std::sync::Arc;

use serde::Serialize;

use super::labels::SLOTS;
use crate::event::Event;

/// The longest line that is written and read, in bytes, its end not counted.
pub(super) const MAX_LINE: usize = 1 << 20;

/// Renders one event a line.
///
/// Accesses are nearly all of a log and are put together by hand, from labels escaped once; their form is that which
/// serde gives every other event, and a test compares the two.
pub(super) struct Lines {
    timestamps: bool,
    /// By slot.
    labels: Vec<Label>,
}

/// A label and the registry it is of.
#[derive(Clone, Default)]
struct Label {
    /// The label as a JSON string literal.
    literal: Vec<u8>,
    registry: Option<u32>,
}

impl Lines {
    pub(super) fn new(timestamps: bool) -> Self {
        Self { timestamps, labels: vec![Label::default(); SLOTS] }
    }

    /// From now on this slot is `label` in `registry`.
    pub(super) fn label(&mut self, slot: u32, label: &Arc<str>, registry: Option<u32>) {
        let mut literal = Vec::new();
        push_json(&mut literal, label);
        self.labels[slot as usize] = Label { literal, registry };
    }

    pub(super) fn access(
        &self,
        buffer: &mut Vec<u8>,
        slot: u32,
        hit: bool,
        bytes: u64,
        timestamp: Option<u64>,
    ) {
        let label = &self.labels[slot as usize];
        buffer.extend_from_slice(br#"{"type":"ResourceCacheAccess","data":{"cache_key":"#);
        buffer.extend_from_slice(&label.literal);
        buffer.extend_from_slice(if hit { br#","hit":true,"bytes":"# } else { br#","hit":false,"bytes":"# });
        push_json(buffer, &bytes);
        buffer.push(b'}');
        if let Some(timestamp) = timestamp.filter(|_| self.timestamps) {
            buffer.extend_from_slice(br#","timestamp":"#);
            push_json(buffer, &timestamp);
        }
        if let Some(registry) = label.registry {
            buffer.extend_from_slice(br#","registry":"#);
            push_json(buffer, &registry);
        }
        buffer.extend_from_slice(b"}\n");
    }

    pub(super) fn event(&self, buffer: &mut Vec<u8>, mut event: Event) {
        event.timestamp = event.timestamp.filter(|_| self.timestamps);
        push_json(buffer, &event);
        buffer.push(b'\n');
    }
}

pub(super) fn push_json<T: Serialize + ?Sized>(buffer: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(buffer, value)
        .expect("a Vec takes every write, and events hold nothing JSON cannot say");
}
