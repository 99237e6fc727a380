//! The events of a cache: which events, in which order, with which contents and times.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metallic::caching::{CacheRegistry, EvictionPolicy};
use metallic_instrumentation::{
    CacheKind, CacheOpened, CachePolicyChanged, CreationOutcome, EventData, EventKind, Recorder,
    RegistryOpened, RemovalCause, ResourceCacheSummary,
};

use crate::doubles::{Cast, CastKey, Foundry, Mood, MpsGemm, SECOND, data};
use crate::expectations::{SECOND_NS, access, cleared, created, eviction, get, not_created, removed};

// Sequences.

#[test]
fn a_registry_that_is_given_a_sink_tells_what_it_is_and_then_which_caches_it_has() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry().with_name("decoder");
    registry.set_eviction_policy::<Cast>(EvictionPolicy::hybrid(9, SECOND).with_min_entries(2));
    let recorder = Arc::new(Recorder::new());
    registry.set_sink(Some(recorder.clone()));
    get(&mut registry, [1]);
    registry.get_or_create::<MpsGemm>(&(1, 2, 3), None).unwrap();
    let events = recorder.take();
    assert!(events.iter().all(|event| event.registry == Some(registry.number())));
    let opened = |cache: &'static str, strategy: &'static str, max_entries, max_idle_ns, min_entries| {
        EventData::from(CacheOpened {
            cache: cache.into(),
            kind: CacheKind::Kernel,
            strategy: strategy.into(),
            max_entries,
            max_idle_ns,
            max_idle_generations: None,
            min_entries,
        })
    };
    let device = Some("it::doubles::Foundry".to_owned());
    let expected = [
        RegistryOpened { name: Some("decoder".into()), device, shared: false }.into(),
        opened("cast", "hybrid", Some(9), Some(SECOND_NS), 2),
        created(1, 0),
        access(1, false),
        opened("mps_gemm", "none", None, None, 0),
    ];
    assert_eq!(events.iter().map(|event| event.data.clone()).take(5).collect::<Vec<_>>(), expected);

    let nameless = foundry.registry();
    assert_ne!(nameless.number(), registry.number());
}

#[test]
fn a_sink_that_is_taken_off_hears_no_more() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    get(&mut registry, [1]);
    recorder.clear();
    registry.set_sink(None);
    get(&mut registry, [1, 2]);
    registry.clear();
    assert_eq!(recorder.events(), []);
}

#[test]
fn a_miss_is_a_creation_and_an_access_and_a_hit_is_an_access() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    get(&mut registry, [7, 7, 8, 7]);
    assert_eq!(
        data(&recorder),
        [created(7, 0), access(7, false), access(7, true), created(8, 0), access(8, false), access(7, true)]
    );
}

#[test]
fn a_miss_that_needs_room_tells_who_left_and_then_how_many_before_the_creation() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    registry.set_eviction_policy::<Cast>(EvictionPolicy::size_limited_lru(2));
    get(&mut registry, [1]);
    foundry.wait(SECOND);
    get(&mut registry, [2, 1, 1]);
    foundry.wait(SECOND);
    recorder.clear();
    get(&mut registry, [3, 4]);
    assert_eq!(
        data(&recorder),
        [
            removed(2, RemovalCause::SizeLimit, 1, 1, 0),
            eviction("size_limited_lru", 1, "size_limit_exceeded_max_2", 1),
            created(3, 0),
            access(3, false),
            removed(1, RemovalCause::SizeLimit, 2, 1, 2),
            eviction("size_limited_lru", 1, "size_limit_exceeded_max_2", 1),
            created(4, 0),
            access(4, false),
        ]
    );
}

#[test]
fn idle_entries_leave_in_one_event_before_the_look_up_is_told() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    registry.set_eviction_policy::<Cast>(EvictionPolicy::hybrid(2, Duration::from_millis(1500)));
    get(&mut registry, [1, 2]);
    foundry.wait(2 * SECOND);
    recorder.clear();
    get(&mut registry, [2]);
    let expiry = [
        removed(1, RemovalCause::IdleTimeout, 2, 2, 0),
        removed(2, RemovalCause::IdleTimeout, 2, 2, 0),
        eviction("hybrid", 2, "idle_timeout_exceeded_1500ms", 0),
    ];
    assert_eq!(data(&recorder), [&expiry[..], &[created(2, 0), access(2, false)]].concat());
}

#[test]
fn one_miss_may_expire_idle_entries_and_evict_others_for_size() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    get(&mut registry, [1]);
    foundry.wait(SECOND);
    get(&mut registry, [2, 3]);
    registry.set_eviction_policy::<Cast>(EvictionPolicy::hybrid(2, SECOND));
    foundry.wait(SECOND);
    recorder.clear();
    get(&mut registry, [4]);
    assert_eq!(
        data(&recorder),
        [
            removed(1, RemovalCause::IdleTimeout, 2, 2, 0),
            eviction("hybrid", 1, "idle_timeout_exceeded_1000ms", 2),
            removed(2, RemovalCause::SizeLimit, 1, 1, 0),
            eviction("hybrid", 1, "size_limit_exceeded_max_2", 1),
            created(4, 0),
            access(4, false),
        ]
    );
}

#[test]
fn clear_tells_of_each_entry_and_then_of_all() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    get(&mut registry, [1, 2, 1]);
    foundry.wait(SECOND);
    recorder.clear();
    registry.clear();
    registry.clear_cache::<Cast>();
    assert_eq!(
        data(&recorder),
        [
            removed(1, RemovalCause::Cleared, 1, 1, 1),
            removed(2, RemovalCause::Cleared, 1, 1, 0),
            cleared(2, 0),
            cleared(0, 0),
        ]
    );
}

#[test]
fn remove_tells_of_its_entry_and_of_nothing_if_there_is_none() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    get(&mut registry, [1, 2]);
    recorder.clear();
    registry.remove::<Cast>(&CastKey { size: 1 });
    registry.remove::<Cast>(&CastKey { size: 1 });
    assert_eq!(data(&recorder), [removed(1, RemovalCause::Removed, 0, 0, 0), cleared(1, 1)]);
}

#[test]
fn a_creation_that_fails_is_told_with_its_error_and_its_cause() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    foundry.set_mood(Mood::OutOfRegisters);
    registry.get_or_create::<Cast>(&1, None).unwrap_err();
    let error = "pipeline compilation failed: out of registers";
    assert_eq!(data(&recorder), not_created(1, CreationOutcome::Failed, Some(error)));
}

#[test]
fn a_change_of_policy_is_told_with_all_its_limits() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    let changed = |strategy: &'static str, max_entries, max_idle_ns, min_entries| {
        let cache = "cast".into();
        let strategy = strategy.into();
        EventData::from(CachePolicyChanged {
            cache,
            strategy,
            max_entries,
            max_idle_ns,
            max_idle_generations: None,
            min_entries,
        })
    };
    let cases = [
        (EvictionPolicy::none(), changed("none", None, None, 0)),
        (EvictionPolicy::size_limited_lru(9), changed("size_limited_lru", Some(9), None, 0)),
        (EvictionPolicy::lru().with_min_entries(3), changed("lru", None, None, 3)),
        (EvictionPolicy::fifo().with_max_entries(0), changed("fifo", Some(0), None, 0)),
        (EvictionPolicy::idle_timeout(SECOND), changed("idle_timeout", None, Some(SECOND_NS), 0)),
        (EvictionPolicy::hybrid(5, Duration::MAX), changed("hybrid", Some(5), Some(u64::MAX), 0)),
    ];
    for (policy, expected) in cases {
        registry.set_eviction_policy::<Cast>(policy);
        assert_eq!(data(&recorder), [expected]);
    }
}

#[test]
fn metrics_and_peeks_and_slots_tell_nothing() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    get(&mut registry, [1]);
    recorder.clear();
    registry.metrics::<Cast>();
    registry.metrics_by_name().for_each(drop);
    registry.cache::<Cast>().unwrap().peek(&CastKey { size: 1 });
    registry.cache_mut::<Cast>().expire_idle();
    assert_eq!(recorder.events(), []);
}

// Summaries.

#[test]
fn a_summary_follows_every_hundredth_operation_of_a_cache() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    registry.set_eviction_policy::<Cast>(EvictionPolicy::size_limited_lru(8));
    let mut summaries = Vec::new();
    for operation in 1..=300_u32 {
        get(&mut registry, [operation.div_ceil(10)]); // a miss and nine hits
        // Operations of another cache do not count.
        registry.get_or_create::<MpsGemm>(&(1, 2, operation as usize % 7), None).unwrap();
        summaries.extend(data(&recorder).into_iter().filter_map(|data| match data {
            EventData::ResourceCacheSummary(summary) if summary.cache == "cast" => Some((operation, summary)),
            _ => None,
        }));
    }
    let expected = [100, 200, 300].map(|operation| {
        let (hits, misses) = (u64::from(operation) / 10 * 9, u64::from(operation) / 10);
        (operation, ResourceCacheSummary { cache: "cast".into(), hits, misses, hit_rate: 90.0, size: 8 })
    });
    assert_eq!(summaries, expected);
}

#[test]
fn a_summary_comes_after_the_access_it_counts_and_counts_failures() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    get(&mut registry, [1]);
    for _ in 0..98 {
        get(&mut registry, [1]);
    }
    recorder.clear();
    foundry.set_mood(Mood::OutOfRegisters);
    registry.get_or_create::<Cast>(&2, None).unwrap_err();
    let summary = ResourceCacheSummary { cache: "cast".into(), hits: 98, misses: 2, hit_rate: 98.0, size: 1 };
    let events = data(&recorder);
    assert_eq!(events[1..], [not_created(2, CreationOutcome::Failed, None)[1].clone(), summary.into()]);
}

#[test]
fn a_cleared_cache_goes_on_counting_to_a_hundred() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    get(&mut registry, [1; 60]);
    registry.clear();
    get(&mut registry, [1; 39]);
    assert_eq!(recorder.count(EventKind::ResourceCacheSummary), 0);
    get(&mut registry, [1]);
    assert_eq!(recorder.count(EventKind::ResourceCacheSummary), 1);
}

// Times.

#[test]
fn events_carry_the_time_of_the_registrys_clock() {
    let foundry = Foundry::default();
    foundry.wait(10 * SECOND);
    foundry.set_cost(3 * SECOND);
    let (mut registry, recorder) = foundry.recorded();
    get(&mut registry, [1]); // from 10 to 13
    foundry.wait(2 * SECOND);
    get(&mut registry, [1]);
    foundry.wait(SECOND);
    registry.clear();
    let events = recorder.events();
    let times: Vec<_> =
        events.iter().map(|event| (event.kind(), event.timestamp.unwrap() / SECOND_NS)).collect();
    assert_eq!(
        times,
        [
            (EventKind::RegistryOpened, 10),
            (EventKind::CacheOpened, 10),
            (EventKind::ResourceCreated, 13),
            (EventKind::ResourceCacheAccess, 10),
            (EventKind::ResourceCacheAccess, 15),
            (EventKind::EntryRemoved, 16),
            (EventKind::CacheCleared, 16),
        ]
    );
    assert_eq!(events[2].data, created(1, 3 * SECOND_NS));
    let EventData::EntryRemoved(entry) = &events[5].data else { panic!("{:?}", events[5]) };
    // Its life began when the creation was over.
    assert_eq!((entry.age_ns, entry.idle_ns), (3 * SECOND_NS, SECOND_NS));
    assert_eq!((entry.reuse_count, entry.creation_ns), (1, 3 * SECOND_NS));
}

#[test]
fn the_machines_clock_gives_the_time_since_the_unix_epoch() {
    let recorder = Arc::new(Recorder::new());
    let mut registry = CacheRegistry::new().with_sink(recorder.clone());
    let since_epoch = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let before = since_epoch();
    registry.get_or_create::<MpsGemm>(&(1, 2, 3), None).unwrap();
    let (first, after) = (recorder.events()[0].timestamp.unwrap(), since_epoch());
    let slack = u128::from(5 * SECOND_NS); // a machine's time may be set while a test runs, but hardly by more
    assert!((before - slack..after + slack).contains(&u128::from(first)), "{before} {first} {after}");
}
