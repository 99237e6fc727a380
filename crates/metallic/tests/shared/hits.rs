//! Look-ups of many threads.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use metallic::caching::{EvictionPolicy, LocalRegistry, ManualClock, SharedRegistry};
use metallic_instrumentation::{EventKind, Recorder};

use crate::kernels::{Chained, Script, Scripted};

fn registry() -> (SharedRegistry<Script>, Script) {
    let script = Script::default();
    (SharedRegistry::with_device(script.clone()), script)
}

#[test]
fn a_registry_and_its_locals_cross_threads() {
    fn crosses<T: Send + Sync>() {}
    fn moves<T: Send>() {}
    crosses::<SharedRegistry<Script>>();
    moves::<LocalRegistry<Script>>();
}

#[test]
fn each_key_is_created_once_for_all_threads() {
    const KEYS: u32 = if cfg!(miri) { 8 } else { 64 };
    const ROUNDS: u32 = if cfg!(miri) { 16 } else { 200 };
    const WORKERS: u32 = if cfg!(miri) { 3 } else { 8 };
    let (registry, script) = registry();
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let registry = &registry;
            scope.spawn(move || {
                let mut local = registry.local();
                for round in 0..ROUNDS {
                    let key = (worker * 31 + round) % KEYS;
                    assert_eq!(**local.get_or_create::<Scripted>(&key, None).unwrap(), key);
                    assert_eq!(*registry.get_or_create::<Scripted>(&key, None).unwrap(), key);
                }
            });
        }
    });
    let (keys, look_ups) = (u64::from(KEYS), u64::from(2 * WORKERS * ROUNDS));
    assert_eq!(script.creations(), keys);
    let metrics = registry.metrics::<Scripted>().unwrap();
    assert_eq!((metrics.misses, metrics.hits, metrics.size), (keys, look_ups - keys, KEYS as usize));
    assert_eq!(metrics.bytes, 10 * keys);
}

#[test]
fn a_local_lets_go_of_what_was_removed_at_its_next_operation() {
    let (registry, script) = registry();
    let mut local = registry.local();
    let kept = Arc::downgrade(local.get_or_create::<Scripted>(&1, None).unwrap());
    local.get_or_create::<Scripted>(&2, None).unwrap();
    registry.remove::<Scripted>(&1).unwrap();
    assert!(kept.upgrade().is_some(), "until then the local has it");
    local.get_or_create::<Scripted>(&2, None).unwrap();
    assert!(kept.upgrade().is_none());
    local.get_or_create::<Scripted>(&1, None).unwrap();
    assert_eq!(script.creations(), 3);
}

#[test]
fn a_local_that_is_far_behind_lets_go_of_everything_that_was_removed() {
    let (registry, _) = registry();
    let mut local = registry.local();
    // More than the ring of departures has room for.
    let keys = if cfg!(miri) { 10 } else { 1000 };
    let kept: Vec<_> =
        (0..keys).map(|key| Arc::downgrade(local.get_or_create::<Scripted>(&key, None).unwrap())).collect();
    registry.clear();
    local.get_or_create::<Scripted>(&5000, None).unwrap();
    assert!(kept.iter().all(|resource| resource.upgrade().is_none()));
    assert_eq!(registry.metrics::<Scripted>().unwrap().size, 1);
}

#[test]
fn a_parked_local_keeps_nothing_alive_and_its_hits_are_counted() {
    let (registry, script) = registry();
    let mut local = registry.local();
    for _ in 0..5 {
        local.get_or_create::<Scripted>(&1, None).unwrap();
    }
    let kept = Arc::downgrade(local.get_or_create::<Scripted>(&1, None).unwrap());
    local.park();
    registry.remove::<Scripted>(&1);
    assert!(kept.upgrade().is_none());
    local.get_or_create::<Scripted>(&1, None).unwrap();
    local.get_or_create::<Scripted>(&1, None).unwrap();
    drop(local);
    let metrics = registry.metrics::<Scripted>().unwrap();
    assert_eq!((metrics.hits, metrics.misses, script.creations()), (6, 2, 2));
}

#[test]
fn hits_of_locals_count_for_the_order_of_eviction() {
    let clock = ManualClock::new();
    let registry = SharedRegistry::with_clock(Some(Script::default()), clock);
    registry.set_eviction_policy::<Scripted>(EvictionPolicy::size_limited_lru(3));
    let mut local = registry.local();
    for key in [1, 2, 3, 1, 4, 1, 5] {
        local.get_or_create::<Scripted>(&key, None).unwrap();
    }
    let there: Vec<_> = (1..6).filter(|key| registry.peek::<Scripted>(key).is_some()).collect();
    assert_eq!(there, [1, 4, 5]);
    let metrics = registry.metrics::<Scripted>().unwrap();
    assert_eq!((metrics.evictions, metrics.max_entry_reuse_count), (2, Some(2)));
}

#[test]
fn a_local_outlives_its_registry() {
    let (registry, script) = registry();
    let mut local = registry.local();
    drop(registry);
    for _ in 0..2 {
        assert_eq!(**local.get_or_create::<Scripted>(&7, None).unwrap(), 7);
    }
    assert_eq!(script.creations(), 1);
}

#[test]
fn a_creation_may_ask_for_others_of_its_own_cache() {
    let (registry, _) = registry();
    assert_eq!(*registry.get_or_create::<Chained>(&20, None).unwrap(), 20);
    assert_eq!(registry.metrics::<Chained>().unwrap().misses, 21);
}

#[test]
fn creations_inside_of_one_take_the_room_of_their_entries_and_no_more() {
    let (registry, _) = registry();
    registry.set_eviction_policy::<Chained>(EvictionPolicy::size_limited_lru(3));
    let counts = || registry.metrics::<Chained>().map(|metrics| (metrics.size, metrics.evictions));
    registry.get_or_create::<Chained>(&2, None).unwrap();
    assert_eq!(counts(), Some((3, 0)));
    registry.get_or_create::<Chained>(&3, None).unwrap();
    assert_eq!(counts(), Some((3, 1)));
}

#[test]
fn events_say_what_the_metrics_say() {
    const ROUNDS: u32 = if cfg!(miri) { 6 } else { 300 };
    let (registry, _) = registry();
    let recorder = Arc::new(Recorder::default());
    registry.set_sink(Some(recorder.clone()));
    registry.set_eviction_policy::<Scripted>(EvictionPolicy::size_limited_lru(8));
    thread::scope(|scope| {
        for worker in 0..4_u32 {
            let registry = &registry;
            scope.spawn(move || {
                let mut local = registry.local();
                for round in 0..ROUNDS {
                    local.get_or_create::<Scripted>(&((round * (worker + 3)) % 20), None).unwrap();
                }
            });
        }
    });
    let metrics = registry.metrics::<Scripted>().unwrap();
    let events = recorder.events();
    let counters = registry.counters::<Scripted>().unwrap();
    assert_eq!((counters.hits, counters.misses, counters.size), (metrics.hits, metrics.misses, metrics.size));
    let count = |kind| events.iter().filter(|event| event.kind() == kind).count() as u64;
    assert_eq!(metrics.hits + metrics.misses, u64::from(4 * ROUNDS));
    assert_eq!(count(EventKind::ResourceCacheAccess), u64::from(4 * ROUNDS));
    assert_eq!(count(EventKind::ResourceCreated), metrics.misses);
    assert_eq!(count(EventKind::EntryRemoved), metrics.evictions);
    assert_eq!(metrics.size as u64, metrics.misses - metrics.evictions);
    assert!(events.iter().all(|event| event.registry == Some(registry.number())));
}

#[test]
fn a_peek_shows_what_a_look_up_would_find() {
    let clock = ManualClock::new();
    let registry = SharedRegistry::with_clock(Some(Script::default()), clock.clone());
    let policy = EvictionPolicy::idle_timeout(Duration::from_secs(1)).with_min_entries(2);
    registry.set_eviction_policy::<Scripted>(policy);
    for key in [1, 2, 3] {
        registry.get_or_create::<Scripted>(&key, None).unwrap();
        clock.advance(Duration::from_millis(1));
    }
    let shown = || [1, 2, 3].map(|key| registry.peek::<Scripted>(&key).is_some());
    assert_eq!(shown(), [true; 3]);
    clock.advance(Duration::from_secs(2));
    assert_eq!(shown(), [false, true, true], "the last two stay");
    registry.get_or_create::<Scripted>(&3, None).unwrap();
    assert_eq!(shown(), [false, true, true]);
}
