//! Sinks that call back, and sinks that come and go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metallic::caching::{EvictionPolicy, SharedRegistry};
use metallic::error::Error;
use metallic_instrumentation::{Event, EventData, EventKind, EventSink, Recorder};

use crate::kernels::{Chained, Script, Scripted};

/// Makes two caches when it hears of one, and asks for something in each.
struct Curious {
    registry: SharedRegistry<Script>,
    answered: AtomicBool,
}

impl EventSink for Curious {
    fn record(&self, event: &Event) {
        if matches!(&event.data, EventData::CacheOpened(opened) if *opened.cache == *"scripted") {
            self.registry.get_or_create::<Chained>(&3, None).unwrap();
            self.registry.cache::<u32, u32>("of the sink").unwrap().get_or_make(&1, || 1).unwrap();
            self.registry.set_sink(None);
            self.answered.store(true, Ordering::SeqCst);
        }
    }
}

#[test]
fn a_sink_may_make_caches_when_it_hears_of_one() {
    let registry = SharedRegistry::with_device(Script::default());
    let sink = Arc::new(Curious { registry: registry.clone(), answered: AtomicBool::new(false) });
    registry.set_sink(Some(sink.clone()));
    registry.get_or_create::<Scripted>(&1, None).unwrap();
    assert!(sink.answered.load(Ordering::SeqCst));
    assert_eq!(registry.metrics_by_name().count(), 3);
}

/// Gives a registry a sink when it is dropped, if it has them.
#[derive(Clone)]
struct Heir(Option<(SharedRegistry, Arc<Recorder>)>);

impl Drop for Heir {
    fn drop(&mut self) {
        if let Some((registry, sink)) = self.0.take() {
            registry.set_sink(Some(sink));
        }
    }
}

#[test]
fn a_sink_that_comes_while_an_insertion_ends_hears_of_the_hits_after_it() {
    let (registry, recorder) = (SharedRegistry::new(), Arc::new(Recorder::default()));
    let heirs = registry.cache::<u32, Arc<Heir>>("heirs").unwrap();
    heirs.set_eviction_policy(EvictionPolicy::hybrid(1, Duration::from_secs(3600)));
    let mut local = heirs.local();
    local
        .get_or_create_with(&1, || {
            // Evicted, and dropped, when the outer one is inserted.
            heirs.get_or_make(&2, || Arc::new(Heir(Some((registry.clone(), recorder.clone())))))?;
            Ok::<_, Error>(Arc::new(Heir(None)))
        })
        .unwrap();
    for _ in 0..3 {
        local.get_or_create_with(&1, || Err(Error::NoRegistry)).unwrap();
    }
    let accesses =
        recorder.events().iter().filter(|event| event.kind() == EventKind::ResourceCacheAccess).count();
    assert_eq!(accesses, 3);
    registry.set_sink(None);
}
