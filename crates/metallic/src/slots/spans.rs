//! Steps of the program in the log of the caches.

use std::borrow::Cow;
use std::thread;

use metallic_instrumentation::{EventKind, SpanEnded};

use crate::caching::{CacheRegistrySlot, Moment, SlotContext};

/// Reports the steps of a program, such as tokens, frames or requests, so that a log says which of them waited for which creation.
///
/// ```
/// use metallic::caching::CacheRegistry;
/// use metallic::slots::Spans;
///
/// let mut registry = CacheRegistry::new();
/// // A clone reports through the sink that the registry has by then.
/// let spans = registry.slot_mut(Spans::default).clone();
/// let frame = spans.begin();
/// // ... look-ups, creations, work ...
/// frame.end("frame", || "17".to_owned());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Spans {
    context: SlotContext,
}

/// A step that has begun. One that is dropped is not reported.
#[derive(Debug)]
#[must_use = "a step is reported when it ends"]
pub struct Span {
    context: SlotContext,
    began: Moment,
}

impl Spans {
    /// Begins a step.
    pub fn begin(&self) -> Span {
        Span { context: self.context.clone(), began: self.context.now() }
    }
}

impl Span {
    /// Ends the step, and reports it if the registry's sink wants it: else `label`, which tells it from others of its kind, is not
    /// called.
    pub fn end(self, name: impl Into<Cow<'static, str>>, label: impl FnOnce() -> String) {
        let duration_ns = self.context.ns_since(self.began);
        self.context.report(EventKind::SpanEnded, self.began, || SpanEnded {
            name: name.into(),
            label: Some(label()),
            thread: thread::current().name().map(str::to_owned),
            duration_ns,
        });
    }
}

impl CacheRegistrySlot for Spans {
    /// Does nothing: it holds nothing.
    fn clear_slot(&mut self) {}

    fn connect(&mut self, context: &SlotContext) {
        self.context = context.clone();
    }
}
