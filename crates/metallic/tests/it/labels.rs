//! How often a key is formatted, and for which sinks.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use metallic::caching::{CacheRegistry, CacheableKernel, EvictionPolicy, KernelCache};
use metallic::error::MetalError;
use metallic_instrumentation::{Event, EventData, EventKind, EventSink, KindFilter, Recorder};

use crate::doubles::{Cast, Foundry, MpsGemm, SECOND, data, told};
use crate::expectations::{SECOND_NS, access, created, get};

thread_local! {
    static FORMATTED: Cell<u32> = const { Cell::new(0) };
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct CountedKey(u32);

impl fmt::Debug for CountedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        FORMATTED.set(FORMATTED.get() + 1);
        write!(f, "CountedKey({})", self.0)
    }
}

struct Counted;

impl CacheableKernel for Counted {
    type Key = CountedKey;
    type CachedResource = ();
    type Params = u32;

    const CACHE_NAME: &'static str = "counted";

    fn create_cache_key(n: &u32) -> CountedKey {
        CountedKey(*n)
    }

    fn create_cached_resource(key: &CountedKey, _: Option<&metallic::Device>) -> Result<(), MetalError> {
        if key.0 == 666 { Err(MetalError::DeviceNotAvailable) } else { Ok(()) }
    }
}

/// How often a key is formatted meanwhile.
fn formatted(action: impl FnOnce()) -> u32 {
    let before = FORMATTED.get();
    action();
    FORMATTED.get() - before
}

/// Misses, hits, evictions, an expiry, a failure, a removal, a clear and a summary.
fn everything(registry: &mut CacheRegistry) {
    registry.set_eviction_policy::<Counted>(EvictionPolicy::size_limited_lru(3));
    for n in (0..5).chain([3; 100]) {
        registry.get_or_create::<Counted>(&n, None).unwrap();
    }
    registry.get_or_create::<Counted>(&666, None).unwrap_err();
    registry.remove::<Counted>(&CountedKey(3));
    registry.clear();
}

#[test]
fn a_key_is_formatted_once_in_its_entrys_life() {
    let recorder = Arc::new(Recorder::new());
    let mut registry = CacheRegistry::new().with_sink(recorder.clone());
    registry.set_eviction_policy::<Counted>(EvictionPolicy::size_limited_lru(1));
    let first_life = formatted(|| {
        for _ in 0..10 {
            registry.get_or_create::<Counted>(&1, None).unwrap();
        }
    });
    assert_eq!(first_life, 1);
    let another = formatted(|| drop(registry.get_or_create::<Counted>(&2, None)));
    assert_eq!(another, 1, "the one that left was not formatted again");
    let second_life = formatted(|| {
        for _ in 0..10 {
            registry.get_or_create::<Counted>(&1, None).unwrap();
        }
        registry.clear();
    });
    assert_eq!(second_life, 1);
}

#[test]
fn accesses_of_an_entry_share_its_label() {
    let recorder = Arc::new(Recorder::new());
    let mut registry = CacheRegistry::new().with_sink(recorder.clone());
    for _ in 0..3 {
        registry.get_or_create::<Counted>(&1, None).unwrap();
    }
    let labels: Vec<Arc<str>> = data(&recorder)
        .into_iter()
        .filter_map(|data| match data {
            EventData::ResourceCacheAccess(access) => Some(access.cache_key),
            _ => None,
        })
        .collect();
    assert_eq!(labels.len(), 3);
    assert!(labels.iter().all(|label| Arc::ptr_eq(label, &labels[0])));
}

#[test]
fn the_place_of_an_entry_that_left_has_the_label_of_the_next() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    registry.set_eviction_policy::<Cast>(EvictionPolicy::fifo().with_max_entries(1));
    get(&mut registry, [1, 1]);
    recorder.clear();
    get(&mut registry, [2, 2]);
    let expected = [created(2, 0), access(2, false), access(2, true)];
    assert_eq!(data(&recorder)[2..], expected);
}

#[test]
fn without_a_sink_no_key_is_formatted() {
    let mut registry = CacheRegistry::new();
    assert_eq!(formatted(|| everything(&mut registry)), 1, "for the error of the creation that failed");
}

#[test]
fn for_a_sink_that_declines_no_key_is_formatted_and_no_event_recorded() {
    let recorder = Arc::new(Recorder::new());
    let mut registry = CacheRegistry::new().with_sink(Arc::new(KindFilter::new(recorder.clone(), [])));
    assert_eq!(formatted(|| everything(&mut registry)), 1, "for the error of the creation that failed");
    assert_eq!(recorder.events(), []);
}

#[test]
fn a_sink_gets_the_kinds_it_wants_and_no_key_is_formatted_for_those_without_one() {
    let keyless = [
        EventKind::CacheEviction,
        EventKind::CacheCleared,
        EventKind::CachePolicyChanged,
        EventKind::ResourceCacheSummary,
    ];
    let recorder = Arc::new(Recorder::new());
    let mut registry = CacheRegistry::new().with_sink(Arc::new(KindFilter::new(recorder.clone(), keyless)));
    assert_eq!(formatted(|| everything(&mut registry)), 1, "for the error of the creation that failed");
    let kinds: Vec<_> = recorder.events().iter().map(Event::kind).collect();
    let [evicted, cleared, changed, summary] = keyless;
    assert_eq!(kinds, [changed, evicted, evicted, summary, evicted, cleared, cleared]);
}

/// A sink that only just wakes up.
struct LateRiser(Recorder, std::sync::atomic::AtomicBool);

impl EventSink for LateRiser {
    fn enabled(&self, _: EventKind) -> bool {
        self.1.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn record(&self, event: &Event) {
        self.0.record(event);
    }
}

#[test]
fn a_sink_that_begins_to_want_events_is_asked_again_at_the_next_miss() {
    let foundry = Foundry::default();
    let sink = Arc::new(LateRiser(Recorder::new(), false.into()));
    let mut registry = foundry.registry().with_sink(sink.clone());
    get(&mut registry, [1, 1]);
    sink.1.store(true, std::sync::atomic::Ordering::Relaxed);
    get(&mut registry, [1, 2, 1]);
    assert_eq!(data(&sink.0), [created(2, 0), access(2, false), access(1, true)]);
}

#[test]
fn a_registry_in_use_can_be_given_a_sink_and_then_another() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    get(&mut registry, [1, 2]);
    let (first, second) = (Arc::new(Recorder::new()), Arc::new(Recorder::new()));
    let mut registry = registry.with_sink(first.clone());
    get(&mut registry, [1]);
    registry.get_or_create::<MpsGemm>(&(1, 2, 3), None).unwrap(); // a cache that comes later
    assert_eq!(first.count(EventKind::ResourceCacheAccess), 2);
    assert_eq!(data(&first)[0], access(1, true));
    let mut registry = registry.with_sink(second.clone());
    get(&mut registry, [2]);
    assert_eq!((first.events(), data(&second)), (vec![], vec![access(2, true)]));
}

#[test]
fn a_cache_alone_takes_its_clock_and_sink_in_either_order() {
    for clock_first in [true, false] {
        let foundry = Foundry::default();
        foundry.wait(5 * SECOND);
        let recorder = Arc::new(Recorder::new());
        let cache = KernelCache::<Cast, Foundry>::default().with_device(foundry.clone());
        let mut cache = if clock_first {
            cache.with_clock(foundry.clock().clone()).with_sink(recorder.clone())
        } else {
            cache.with_sink(recorder.clone()).with_clock(foundry.clock().clone())
        };
        cache.get_or_create(&1, None).unwrap();
        assert_eq!(told(&recorder)[1], Event::at(5 * SECOND_NS, access(1, false)));
    }
}
