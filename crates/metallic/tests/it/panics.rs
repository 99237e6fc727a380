//! User code that panics in the middle of an operation: nothing is lost but what failed.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metallic::caching::{
    CacheEvent, CacheRegistry, CacheableKernel, EvictionPolicy, KernelCache, ManualClock,
};
use metallic::error::MetalError;
use metallic_instrumentation::{
    CreationOutcome, Event, EventData, EventKind, EventSink, KindFilter, Recorder,
};

use crate::doubles::{Cast, Foundry, Mood, SECOND, data, panics};

// Creations that panic.

#[test]
fn a_panicking_creation_inserts_nothing_and_the_registry_goes_on() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    registry.set_eviction_policy::<Cast>(EvictionPolicy::hybrid(2, 60 * SECOND));
    for size in [1, 2] {
        registry.get_or_create::<Cast>(&size, None).unwrap();
    }
    foundry.set_mood(Mood::Panicking);
    for _ in 0..3 {
        assert!(panics(|| drop(registry.get_or_create::<Cast>(&3, None))));
        registry.cache::<Cast>().unwrap().validate();
    }
    let metrics = registry.metrics::<Cast>().unwrap();
    // The first panic had room made for it, and so there was some for the others.
    assert_eq!((metrics.size, metrics.evictions), (1, 1));
    assert_eq!((metrics.misses, metrics.failed_creations), (5, 3));
    let cache_key = "cast:CastKey{size:3}".into();
    assert_eq!(metrics.last_event, Some(CacheEvent::CreationFailed { cache_key }));

    foundry.set_mood(Mood::Well);
    assert_eq!(registry.get_or_create::<Cast>(&3, None).unwrap().size, 3);
    assert_eq!(registry.get_or_create::<Cast>(&2, None).unwrap().serial, 2, "still there");
}

#[test]
fn the_panic_of_a_creation_reaches_the_caller_as_it_is() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    foundry.set_mood(Mood::Panicking);
    let look_up = std::panic::AssertUnwindSafe(|| drop(registry.get_or_create::<Cast>(&3, None)));
    let panic = std::panic::catch_unwind(look_up).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"the foundry burns down"));
}

#[test]
fn the_log_tells_a_panicking_creation_from_a_failing_one() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    foundry.set_mood(Mood::OutOfRegisters);
    registry.get_or_create::<Cast>(&1, None).unwrap_err();
    foundry.set_mood(Mood::Panicking);
    assert!(panics(|| drop(registry.get_or_create::<Cast>(&2, None))));
    let outcomes: Vec<_> = data(&recorder)
        .into_iter()
        .filter_map(|data| match data {
            EventData::ResourceCreated(created) => Some((created.outcome, created.error)),
            _ => None,
        })
        .collect();
    let error = "pipeline compilation failed: out of registers".to_owned();
    assert_eq!(outcomes, [(CreationOutcome::Failed, Some(error)), (CreationOutcome::Panicked, None)]);
}

// Resources that panic when they are dropped.

/// Panics when it is dropped, if its fuse burns; the fuse goes out then.
#[derive(Clone)]
struct Bomb {
    fuse: Rc<Cell<bool>>,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.fuse.replace(false), "the bomb goes off");
    }
}

struct Arm;

impl CacheableKernel<()> for Arm {
    type Key = u32;
    type CachedResource = Bomb;
    type Params = u32;

    const CACHE_NAME: &'static str = "arm";

    fn create_cache_key(n: &u32) -> u32 {
        *n
    }

    fn create_cached_resource(_: &u32, _: Option<&()>) -> Result<Bomb, MetalError> {
        Ok(Bomb { fuse: Rc::default() })
    }

    fn resource_bytes(_: &Bomb) -> u64 {
        1
    }
}

/// Bombs with these numbers; the first one burns.
fn bombs(
    numbers: impl IntoIterator<Item = u32>,
    policy: EvictionPolicy,
) -> (KernelCache<Arm, ()>, Vec<Bomb>) {
    let mut cache = KernelCache::<Arm, ()>::default();
    cache.set_eviction_policy(policy);
    let bombs: Vec<Bomb> =
        numbers.into_iter().map(|n| cache.get_or_create(&n, None).unwrap().clone()).collect();
    bombs[0].fuse.set(true);
    (cache, bombs)
}

#[test]
fn a_resource_that_panics_when_it_is_evicted_leaves_a_whole_cache() {
    for policy in [EvictionPolicy::size_limited_lru(2), EvictionPolicy::fifo().with_max_entries(2)] {
        let (mut cache, bombs) = bombs([1, 2], policy);
        assert!(panics(|| drop(cache.get_or_create(&3, None))));
        cache.validate();
        assert!(!bombs[0].fuse.get(), "it was dropped");
        assert!(cache.peek(&1).is_none() && cache.peek(&2).is_some() && cache.peek(&3).is_none());
        assert_eq!((cache.metrics().evictions, cache.metrics().bytes), (1, 1));
        assert_eq!((cache.metrics().misses, cache.metrics().failed_creations), (3, 1));
        for n in [3, 4, 3] {
            cache.get_or_create(&n, None).unwrap();
            cache.validate();
        }
        assert_eq!((cache.len(), cache.metrics().evictions), (2, 2));
    }
}

#[test]
fn all_leave_that_are_to_leave_even_if_several_panic_when_they_are_dropped() {
    let recorder = Arc::new(Recorder::new());
    let (cache, bombs) = bombs(1..=5, EvictionPolicy::none());
    let mut cache = cache.with_sink(recorder.clone());
    bombs[2].fuse.set(true);
    cache.set_eviction_policy(EvictionPolicy::size_limited_lru(2));
    assert!(panics(|| drop(cache.get_or_create(&6, None))));
    cache.validate();
    assert!(bombs[..4].iter().all(|bomb| Rc::strong_count(&bomb.fuse) == 1), "the others were dropped too");
    let metrics = cache.metrics();
    assert_eq!((metrics.size, metrics.evictions, metrics.bytes), (1, 4, 1));
    assert_eq!((metrics.misses, metrics.failed_creations), (6, 1));
    let events = data(&recorder);
    let evicted = events.iter().find_map(|event| match event {
        EventData::CacheEviction(eviction) => Some((eviction.count, eviction.size_after)),
        _ => None,
    });
    let outcome = events.iter().find_map(|event| match event {
        EventData::ResourceCreated(created) => Some(created.outcome),
        _ => None,
    });
    assert_eq!((evicted, outcome), (Some((4, 1)), Some(CreationOutcome::Panicked)));
    let removed = |event: &&EventData| matches!(event, EventData::EntryRemoved(_));
    assert_eq!(events.iter().filter(removed).count(), 4);
    cache.get_or_create(&6, None).unwrap();
    cache.validate();
    assert_eq!((cache.len(), cache.metrics().evictions), (2, 4));
}

#[test]
fn a_resource_that_panics_when_it_expires_leaves_a_whole_cache() {
    let clock = ManualClock::new();
    let mut cache = KernelCache::<Arm, ()>::default().with_clock(clock.clone());
    cache.set_eviction_policy(EvictionPolicy::idle_timeout(SECOND));
    cache.get_or_create(&1, None).unwrap().fuse.set(true);
    cache.get_or_create(&2, None).unwrap();
    clock.advance(2 * SECOND);
    assert!(panics(|| cache.expire_idle()));
    cache.validate();
    assert_eq!((cache.len(), cache.metrics().evictions), (0, 2));
    let event = cache.metrics().last_event.map(|event| event.to_string());
    assert_eq!(event.as_deref(), Some("evicted 2 idle_timeout_exceeded_1000ms"));
}

#[test]
fn a_look_up_that_begins_with_an_expiry_that_panics_is_none() {
    let clock = ManualClock::new();
    let mut cache = KernelCache::<Arm, ()>::default().with_clock(clock.clone());
    cache.set_eviction_policy(EvictionPolicy::idle_timeout(SECOND));
    cache.get_or_create(&1, None).unwrap().fuse.set(true);
    clock.advance(2 * SECOND);
    assert!(panics(|| drop(cache.get_or_create(&2, None))));
    cache.validate();
    let metrics = cache.metrics();
    assert_eq!((metrics.size, metrics.evictions, metrics.misses, metrics.failed_creations), (0, 1, 1, 0));
}

#[test]
fn all_caches_are_cleared_even_if_a_resource_of_each_panics() {
    let mut registry = CacheRegistry::<()>::default();
    let bombs: Vec<Bomb> = ["first", "second"]
        .into_iter()
        .map(|name| {
            let cache = registry.keyed_cache::<u32, Bomb>(name).unwrap();
            cache.get_or_make(&1, || Bomb { fuse: Rc::default() }).clone()
        })
        .collect();
    bombs.iter().for_each(|bomb| bomb.fuse.set(true));
    assert!(panics(|| registry.clear()));
    let sizes: Vec<_> = registry.metrics_by_name().map(|(_, metrics)| metrics.size).collect();
    assert_eq!(sizes, [0, 0]);
    assert!(bombs.iter().all(|bomb| !bomb.fuse.get()), "both were dropped");
}

#[test]
fn a_resource_that_panics_when_the_cache_is_cleared_leaves_an_empty_cache() {
    let (mut cache, bombs) = bombs(1..=5, EvictionPolicy::size_limited_lru(5));
    assert!(panics(|| cache.clear()));
    cache.validate();
    assert!(bombs.iter().all(|bomb| Rc::strong_count(&bomb.fuse) == 1), "the others were dropped too");
    let metrics = cache.metrics();
    assert_eq!((metrics.size, metrics.removals, metrics.bytes), (0, 5, 0));
    assert_eq!(metrics.last_event, Some(CacheEvent::Cleared { count: 5 }));
    cache.get_or_create(&1, None).unwrap();
    cache.validate();
}

// Sinks that panic.

#[derive(Default)]
struct Hostile {
    in_enabled: bool,
    calls: AtomicU64,
}

impl EventSink for Hostile {
    fn enabled(&self, _: EventKind) -> bool {
        if self.in_enabled {
            self.calls.fetch_add(1, Ordering::Relaxed);
            panic!("no answer");
        }
        true
    }

    fn record(&self, _: &Event) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        panic!("no room");
    }
}

#[test]
fn a_sink_that_panics_is_counted_and_harms_nothing() {
    for in_enabled in [false, true] {
        let foundry = Foundry::default();
        let hostile = Arc::new(Hostile { in_enabled, ..Hostile::default() });
        let mut quiet = foundry.registry();
        let mut loud = foundry.registry().with_sink(hostile.clone());
        assert_eq!((quiet.sink_panics(), loud.sink_panics()), (0, 1), "it was told of the registry");
        for registry in [&mut quiet, &mut loud] {
            registry.set_eviction_policy::<Cast>(EvictionPolicy::size_limited_lru(3));
            foundry.set_mood(Mood::Well);
            for n in 0..250 {
                assert_eq!(registry.get_or_create::<Cast>(&(n % 5), None).unwrap().size, n % 5);
                registry.get_or_create::<Cast>(&(n % 5), None).unwrap();
            }
            foundry.set_mood(Mood::OutOfRegisters);
            registry.get_or_create::<Cast>(&9, None).unwrap_err();
            registry.clear();
            registry.cache::<Cast>().unwrap().validate();
        }
        assert_eq!(loud.metrics::<Cast>(), quiet.metrics::<Cast>());
        assert_eq!(quiet.sink_panics(), 0);
        assert_eq!(loud.sink_panics(), hostile.calls.load(Ordering::Relaxed));
        assert!(loud.sink_panics() > 500, "each look-up at least: {}", loud.sink_panics());
    }
}

// Keys that panic when they are formatted.

thread_local! {
    static SPEAKABLE: Cell<bool> = const { Cell::new(true) };
}

/// Cannot be formatted while it is not `SPEAKABLE`, if it is odd.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Name(u32);

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        assert!(self.0.is_multiple_of(2) || SPEAKABLE.get(), "the name cannot be spoken");
        write!(f, "{}", self.0)
    }
}

struct Speak;

impl CacheableKernel for Speak {
    type Key = Name;
    type CachedResource = u32;
    type Params = u32;

    const CACHE_NAME: &'static str = "speak";

    fn create_cache_key(n: &u32) -> Name {
        Name(*n)
    }

    fn create_cached_resource(name: &Name, _: Option<&metallic::Device>) -> Result<u32, MetalError> {
        Ok(name.0)
    }

    fn resource_bytes(_: &u32) -> u64 {
        1
    }
}

/// Does this while odd names cannot be formatted. The panic stays where they are formatted.
fn speechless<T>(action: impl FnOnce() -> T) -> T {
    SPEAKABLE.set(false);
    let mut result = None;
    assert!(!panics(|| result = Some(action())));
    SPEAKABLE.set(true);
    result.unwrap()
}

#[test]
fn an_entry_whose_key_panics_when_it_is_formatted_leaves_and_is_told_of() {
    // Nothing is formatted before an entry leaves.
    type Operation = fn(&mut CacheRegistry);
    let operations: [(Operation, usize, usize); 3] = [
        (|registry| drop(registry.get_or_create::<Speak>(&100, None)), 4, 1),
        (|registry| registry.clear(), 4, 0),
        (|registry| assert_eq!(registry.remove::<Speak>(&Name(1)), Some(1)), 1, 3),
    ];
    for (operation, told, left) in operations {
        let recorder = Arc::new(Recorder::new());
        let sink = Arc::new(KindFilter::new(recorder.clone(), [EventKind::EntryRemoved]));
        let mut registry = CacheRegistry::new().with_sink(sink);
        for n in [0, 2, 1, 4] {
            registry.get_or_create::<Speak>(&n, None).unwrap();
        }
        registry.set_eviction_policy::<Speak>(EvictionPolicy::size_limited_lru(1));
        speechless(|| operation(&mut registry));
        let cache = registry.cache_mut::<Speak>();
        cache.validate();
        assert_eq!((cache.len(), cache.metrics().bytes), (left, left as u64));
        assert_eq!(recorder.count(EventKind::EntryRemoved), told);
    }
}

#[test]
fn a_look_up_whose_key_panics_when_it_is_formatted_is_told_of() {
    let recorder = Arc::new(Recorder::new());
    let mut registry = CacheRegistry::new().with_sink(recorder.clone());
    for _ in 0..2 {
        assert_eq!(speechless(|| *registry.get_or_create::<Speak>(&1, None).unwrap()), 1);
        registry.cache::<Speak>().unwrap().validate();
    }
    assert_eq!(registry.metrics::<Speak>().unwrap().size, 1);
    let accesses: Vec<_> = recorder
        .events()
        .into_iter()
        .filter_map(|event| match event.data {
            EventData::ResourceCacheAccess(access) => Some((access.cache_key.to_string(), access.hit)),
            _ => None,
        })
        .collect();
    assert_eq!(accesses, [false, true].map(|hit| ("speak:<Debug panicked>".to_owned(), hit)));
}
