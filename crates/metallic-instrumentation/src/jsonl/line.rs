//! Events as bytes.

use std::sync::Arc;

use serde::Serialize;

use super::labels::SLOTS;
use crate::event::Event;

/// Renders one event a line.
///
/// Accesses are nearly all of a log and are put together by hand, from labels escaped once; their form is that which
/// serde gives every other event, and a test compares the two.
pub(super) struct Lines {
    timestamps: bool,
    /// JSON string literals, by slot.
    labels: Vec<Vec<u8>>,
}

impl Lines {
    pub(super) fn new(timestamps: bool) -> Self {
        Self { timestamps, labels: vec![Vec::new(); SLOTS] }
    }

    /// From now on this slot stands for `label`.
    pub(super) fn label(&mut self, slot: u32, label: &Arc<str>) {
        let literal = &mut self.labels[slot as usize];
        literal.clear();
        push_json(literal, label);
    }

    pub(super) fn access(
        &self,
        buffer: &mut Vec<u8>,
        slot: u32,
        hit: bool,
        bytes: u64,
        timestamp: Option<u64>,
    ) {
        buffer.extend_from_slice(br#"{"type":"ResourceCacheAccess","data":{"cache_key":"#);
        buffer.extend_from_slice(&self.labels[slot as usize]);
        buffer.extend_from_slice(if hit { br#","hit":true,"bytes":"# } else { br#","hit":false,"bytes":"# });
        push_json(buffer, &bytes);
        if let Some(timestamp) = timestamp.filter(|_| self.timestamps) {
            buffer.extend_from_slice(br#"},"timestamp":"#);
            push_json(buffer, &timestamp);
            buffer.extend_from_slice(b"}\n");
        } else {
            buffer.extend_from_slice(b"}}\n");
        }
    }

    pub(super) fn event(&self, buffer: &mut Vec<u8>, event: &Event) {
        if self.timestamps {
            push_json(buffer, event);
        } else {
            push_json(buffer, &event.data);
        }
        buffer.push(b'\n');
    }
}

fn push_json<T: Serialize + ?Sized>(buffer: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(buffer, value)
        .expect("a Vec takes every write, and events hold nothing JSON cannot say");
}
