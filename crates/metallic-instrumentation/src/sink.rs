//! Where events go: the trait every exporter implements, and the guard behind which a cache calls it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::event::{Event, EventKind};

/// Takes events. Called on the thread that uses the cache, in the middle of its operation.
pub trait EventSink: Send + Sync {
    /// Whether events of this kind are wanted. Asked before an event is built: for a kind that is declined nothing is
    /// formatted or allocated. It is asked at every operation, so it must be cheap.
    fn enabled(&self, _kind: EventKind) -> bool {
        true
    }

    /// Takes one event. It is called only for kinds that were wanted a moment ago. It should return in well under a
    /// microsecond: an exporter that formats, writes or sends does so elsewhere. It reports its troubles in statistics
    /// of its own; a panic is caught and counted by the caller.
    fn record(&self, event: &Event);

    /// Returns when every event recorded before has reached where it goes, as far as that can be had.
    fn flush(&self) {}
}

/// A sink that cannot hurt its caller: panics stop here, and are counted.
#[derive(Clone)]
pub struct SinkGuard {
    sink: Arc<dyn EventSink>,
    panics: Arc<AtomicU64>,
}

impl SinkGuard {
    /// Guards `sink`. Clones share one count of panics.
    pub fn new(sink: Arc<dyn EventSink>) -> Self {
        Self { sink, panics: Arc::default() }
    }

    /// [`EventSink::enabled`]; a sink that panics here wants nothing.
    pub fn enabled(&self, kind: EventKind) -> bool {
        self.caught(|sink| sink.enabled(kind)).unwrap_or(false)
    }

    /// [`EventSink::record`].
    pub fn record(&self, event: &Event) {
        self.caught(|sink| sink.record(event));
    }

    /// [`EventSink::flush`].
    pub fn flush(&self) {
        self.caught(|sink| sink.flush());
    }

    /// Calls of the sink that panicked. The event of such a call is lost.
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    fn caught<T>(&self, call: impl FnOnce(&dyn EventSink) -> T) -> Option<T> {
        // A sink is shared between threads, so it must already cope with being seen in any state.
        let result = catch_unwind(AssertUnwindSafe(|| call(&*self.sink)));
        if result.is_err() {
            self.panics.fetch_add(1, Ordering::Relaxed);
        }
        result.ok()
    }
}

impl fmt::Debug for SinkGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkGuard").field("panics", &self.panics()).finish_non_exhaustive()
    }
}
