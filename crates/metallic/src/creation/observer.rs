//! The events of a store that belong to no creation.

use std::sync::Arc;

use metallic_instrumentation::{
    ArtifactEvicted, ArtifactNotWritten, Event, EventData, EventKind, EventSink, RemoteFailed, SinkGuard,
};
use metallic_store::{StoreAction, StoreEvent, StoreObserver};

use crate::caching::{Clock, SystemClock};

/// Tells a sink what a store evicts, and which of its operations fail, writes in the background included: what happens for no key
/// of a cache. To be given to the store, or to each of its levels, as its observer.
///
/// The registry that asked tells what is found, missed, written or not, and rejected for a key.
#[derive(Clone, Debug)]
pub struct StoreEvents(SinkGuard);

impl StoreEvents {
    /// Sends events to `sink`.
    pub fn new(sink: Arc<dyn EventSink>) -> Self {
        Self(SinkGuard::new(sink))
    }

    fn send(&self, kind: EventKind, data: impl FnOnce() -> EventData) {
        if self.0.enabled(kind) {
            let now = u64::try_from(SystemClock.now().as_nanos()).unwrap_or(u64::MAX);
            self.0.record(Event::at(now, data()));
        }
    }
}

impl StoreObserver for StoreEvents {
    fn observe(&self, event: &StoreEvent<'_>) {
        match event.action {
            StoreAction::Evicted { bytes, .. } => {
                self.send(EventKind::ArtifactEvicted, || ArtifactEvicted { count: 1, bytes }.into())
            }
            StoreAction::Fault { attempt, cause } => self.send(EventKind::RemoteFailed, || {
                let level = event.store.to_owned().into();
                RemoteFailed { level, operation: attempt.into(), error: cause.to_owned() }.into()
            }),
            StoreAction::NotWritten { cause, in_background: true, .. } => {
                self.send(EventKind::ArtifactNotWritten, || {
                    let level = event.store.to_owned().into();
                    let cause = cause.name().into();
                    ArtifactNotWritten { cache: None, cache_key: None, level, cause }.into()
                })
            }
            _ => {}
        }
    }
}
