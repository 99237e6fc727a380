//! The counters and ages a cache reports.

use std::time::Duration;

use metallic::caching::{CacheEvent, CacheMetrics, CacheRegistry, EvictionPolicy, EvictionReason};

use crate::doubles::{Cast, CastKey, Foundry, Mood, SECOND};

fn get(registry: &mut CacheRegistry<Foundry>, sizes: impl IntoIterator<Item = u32>) {
    for size in sizes {
        registry.get_or_create::<Cast>(&size, None).unwrap();
    }
}

fn metrics(registry: &CacheRegistry<Foundry>) -> CacheMetrics {
    registry.metrics::<Cast>().unwrap()
}

fn last_event(registry: &CacheRegistry<Foundry>) -> String {
    metrics(registry).last_event.unwrap().to_string()
}

#[test]
fn every_field_of_a_snapshot_is_exact() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    registry.set_eviction_policy::<Cast>(EvictionPolicy::size_limited_lru(3));
    get(&mut registry, [1]); // at 0
    foundry.wait(10 * SECOND);
    get(&mut registry, [2]); // at 10
    foundry.wait(10 * SECOND);
    get(&mut registry, [3, 3, 3]); // at 20
    foundry.wait(10 * SECOND);
    get(&mut registry, [2, 4]); // at 30; 1 leaves
    foundry.wait(SECOND);

    let metrics = metrics(&registry);
    assert_eq!(metrics.size, 3);
    assert_eq!(metrics.hits, 3);
    assert_eq!(metrics.misses, 4);
    assert_eq!(metrics.evictions, 1);
    let cache_key = "cast:CastKey{size:4}".into();
    assert_eq!(metrics.last_event, Some(CacheEvent::Miss { cache_key }));
    assert_eq!(metrics.oldest_entry_age, Some(21 * SECOND));
    assert_eq!(metrics.newest_entry_age, Some(SECOND));
    assert_eq!(metrics.longest_idle_age, Some(11 * SECOND));
    assert_eq!(metrics.shortest_idle_age, Some(SECOND));
    assert_eq!(metrics.max_entry_reuse_count, Some(2));
    assert_eq!((metrics.removals, metrics.failed_creations, metrics.bytes), (0, 0, (2 + 3 + 4) * 4));
    assert_eq!(metrics.creation_time, Duration::ZERO);
    assert_eq!(metrics.hit_rate(), Some(3.0 / 7.0));
}

#[test]
fn a_cache_without_operations_has_no_rate_no_ages_and_no_last_event() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    registry.set_eviction_policy::<Cast>(EvictionPolicy::none());
    assert_eq!(metrics(&registry), CacheMetrics::default());
    assert_eq!(metrics(&registry).hit_rate(), None);
    assert_eq!(metrics(&registry).oldest_entry_age, None);
}

#[test]
fn a_cache_that_was_emptied_has_a_rate_but_no_ages() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    get(&mut registry, [1, 1]);
    registry.clear();
    let metrics = metrics(&registry);
    assert_eq!(metrics.hit_rate(), Some(0.5));
    assert_eq!((metrics.oldest_entry_age, metrics.newest_entry_age), (None, None));
    assert_eq!((metrics.longest_idle_age, metrics.shortest_idle_age), (None, None));
    assert_eq!((metrics.max_entry_reuse_count, metrics.bytes), (None, 0));
}

#[test]
fn counters_survive_a_clear_and_a_change_of_policy() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    foundry.set_cost(SECOND);
    registry.set_eviction_policy::<Cast>(EvictionPolicy::size_limited_lru(2));
    get(&mut registry, [1, 2, 3, 3]);
    registry.clear();
    registry.set_eviction_policy::<Cast>(EvictionPolicy::fifo());
    let metrics = metrics(&registry);
    assert_eq!((metrics.hits, metrics.misses, metrics.evictions, metrics.removals), (1, 3, 1, 2));
    assert_eq!(metrics.creation_time, 3 * SECOND);
}

#[test]
fn the_ages_of_an_entry_begin_when_its_creation_is_over() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    foundry.set_cost(10 * SECOND);
    get(&mut registry, [1]);
    foundry.wait(SECOND);
    let metrics = metrics(&registry);
    assert_eq!((metrics.oldest_entry_age, metrics.longest_idle_age), (Some(SECOND), Some(SECOND)));
}

#[test]
fn a_creation_longer_than_the_idle_time_does_not_make_its_entry_idle() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    registry.set_eviction_policy::<Cast>(EvictionPolicy::idle_timeout(SECOND));
    foundry.set_cost(10 * SECOND);
    get(&mut registry, [1, 1]);
    assert_eq!((metrics(&registry).hits, metrics(&registry).misses), (1, 1));
}

#[test]
fn creation_time_counts_every_creation_failed_ones_too() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    foundry.set_cost(2 * SECOND);
    get(&mut registry, [1, 1, 1]);
    foundry.set_cost(5 * SECOND);
    get(&mut registry, [2, 2]);
    foundry.set_mood(Mood::OutOfRegisters);
    registry.get_or_create::<Cast>(&3, None).unwrap_err();
    assert_eq!(metrics(&registry).creation_time, 12 * SECOND);
}

#[test]
fn bytes_are_those_of_the_entries_that_are_there() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    registry.set_eviction_policy::<Cast>(EvictionPolicy::size_limited_lru(2));
    let mut bytes = Vec::new();
    for size in [10, 20, 30, 30] {
        get(&mut registry, [size]);
        bytes.push(metrics(&registry).bytes / 4);
    }
    registry.remove::<Cast>(&CastKey { size: 20 });
    bytes.push(metrics(&registry).bytes / 4);
    registry.clear();
    bytes.push(metrics(&registry).bytes / 4);
    assert_eq!(bytes, [10, 30, 50, 50, 30, 0]);
}

#[test]
fn the_last_event_is_the_last_thing_that_happened() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    registry.set_eviction_policy::<Cast>(EvictionPolicy::hybrid(2, SECOND));
    let mut events = Vec::new();
    get(&mut registry, [1]);
    events.push(last_event(&registry));
    get(&mut registry, [2, 1]);
    events.push(last_event(&registry));
    get(&mut registry, [3]);
    events.push(last_event(&registry));
    get(&mut registry, [1]);
    events.push(last_event(&registry));
    foundry.wait(2 * SECOND);
    registry.expire_idle();
    events.push(last_event(&registry));
    foundry.set_mood(Mood::OutOfRegisters);
    registry.get_or_create::<Cast>(&4, None).unwrap_err();
    events.push(last_event(&registry));
    foundry.set_mood(Mood::Well);
    get(&mut registry, [4, 5]);
    registry.remove::<Cast>(&CastKey { size: 4 });
    events.push(last_event(&registry));
    get(&mut registry, [5]);
    events.push(last_event(&registry));
    get(&mut registry, [6]);
    registry.clear();
    events.push(last_event(&registry));
    assert_eq!(
        events,
        [
            "miss cast:CastKey{size:1}",
            "hit cast:CastKey{size:1}",
            "miss cast:CastKey{size:3}",
            "hit cast:CastKey{size:1}",
            "evicted 2 idle_timeout_exceeded_1000ms",
            "creation failed cast:CastKey{size:4}",
            "cleared 1",
            "hit cast:CastKey{size:5}",
            "cleared 2",
        ]
    );
}

#[test]
fn the_last_event_tells_why_entries_were_evicted() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    registry.set_eviction_policy::<Cast>(EvictionPolicy::idle_timeout(SECOND));
    get(&mut registry, [1, 2, 3]);
    foundry.wait(2 * SECOND);
    registry.expire_idle();
    let reason = EvictionReason::IdleTimeout(SECOND);
    assert_eq!(metrics(&registry).last_event, Some(CacheEvent::Evicted { count: 3, reason }));
}

#[test]
fn a_snapshot_does_not_change_any_more() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    get(&mut registry, [1]);
    let snapshot = metrics(&registry);
    let copy = snapshot.clone();
    foundry.wait(SECOND);
    get(&mut registry, [1, 2]);
    assert_eq!(snapshot, copy);
    assert_ne!(metrics(&registry), copy);
}

#[test]
fn ages_saturate_when_the_clock_reaches_its_end() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    get(&mut registry, [1]);
    foundry.wait(Duration::MAX);
    foundry.wait(SECOND);
    assert_eq!(metrics(&registry).oldest_entry_age, Some(Duration::from_nanos(u64::MAX)));
}
