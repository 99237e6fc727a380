//! Where events go: the trait every exporter implements, and the guard behind which a cache calls it.

use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::panicking;

use crate::event::{Event, EventKind};

/// Takes events. Called on the thread that uses the cache, in the middle of its operation.
pub trait EventSink: Send + Sync {
    /// Returns `true` if events of this kind are wanted. For a kind that is declined nothing is formatted or allocated.
    ///
    /// A cache asks when it is given the sink, and again at each miss, removal and change of its policy. Between these it
    /// goes by the last answer: a hit asks nothing, so a sink that changes its mind is obeyed from the next of them on.
    fn enabled(&self, _kind: EventKind) -> bool {
        true
    }

    /// Takes one event, of a kind that was wanted when the caller last asked.
    ///
    /// It should return in well under a microsecond: an exporter formats, writes and sends on another thread. It reports
    /// its troubles in its statistics; a panic is caught and counted by the caller.
    fn record(&self, event: &Event);

    /// Blocks until all events recorded so far are delivered. Best effort.
    fn flush(&self) {}
}

impl fmt::Debug for dyn EventSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventSink")
    }
}

/// A sink that cannot hurt its caller: panics stop here, and are counted.
///
/// A registry hands its caches clones of one guard that has the registry's number, so that every event says which
/// registry it comes from.
#[derive(Clone)]
pub struct SinkGuard {
    sink: Arc<dyn EventSink>,
    panics: Arc<AtomicU64>,
    registry: Option<u32>,
}

impl SinkGuard {
    /// Guards `sink`. Clones share one count of panics, whatever their registries.
    pub fn new(sink: Arc<dyn EventSink>) -> Self {
        Self { sink, panics: Arc::default(), registry: None }
    }

    /// Returns the same guard for the registry with this number.
    #[must_use]
    pub fn with_registry(mut self, registry: u32) -> Self {
        self.registry = Some(registry);
        self
    }

    /// Returns the number of the guard's registry, if it has one.
    pub fn registry(&self) -> Option<u32> {
        self.registry
    }

    /// Returns the sink behind this guard.
    pub fn sink(&self) -> &Arc<dyn EventSink> {
        &self.sink
    }

    /// Asks [`EventSink::enabled`]; a sink that panics there wants nothing.
    pub fn enabled(&self, kind: EventKind) -> bool {
        self.caught(|sink| sink.enabled(kind)).unwrap_or(false)
    }

    /// Passes the event to [`EventSink::record`], as one of this guard's registry unless it names another.
    pub fn record(&self, mut event: Event) {
        event.registry = event.registry.or(self.registry);
        self.pass(&event);
    }

    /// Passes the event on as it is.
    pub(crate) fn pass(&self, event: &Event) {
        self.caught(|sink| sink.record(event));
    }

    /// Calls [`EventSink::flush`].
    pub fn flush(&self) {
        self.caught(|sink| sink.flush());
    }

    /// Returns how many calls of the sink panicked. The event of such a call is lost.
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    fn caught<T>(&self, call: impl FnOnce(&dyn EventSink) -> T) -> Option<T> {
        // A sink is shared between threads, so it must already cope with being seen in any state.
        match catch_unwind(AssertUnwindSafe(|| call(&*self.sink))) {
            Ok(value) => Some(value),
            Err(payload) => {
                self.panics.fetch_add(1, Ordering::Relaxed);
                // What it panicked with is the sink's too, and may panic when dropped. What that panics with is leaked.
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                    mem::forget(payload);
                }
                None
            }
        }
    }
}

impl Drop for SinkGuard {
    fn drop(&mut self) {
        if panicking() {
            // A second panic, from the sink's `Drop`, would end the process.
            let sink = mem::replace(&mut self.sink, Arc::new(Nowhere));
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(sink))) {
                mem::forget(payload);
            }
        }
    }
}

/// In the place of a sink that is gone.
struct Nowhere;

impl EventSink for Nowhere {
    fn record(&self, _event: &Event) {}
}

impl fmt::Debug for SinkGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkGuard")
            .field("registry", &self.registry)
            .field("panics", &self.panics())
            .finish_non_exhaustive()
    }
}
