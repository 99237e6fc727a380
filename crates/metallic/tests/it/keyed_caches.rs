//! Caches without a kernel, in a registry of one thread.

use metallic::caching::{CacheRegistry, EvictionPolicy, ManualClock};
use metallic_instrumentation::{EventKind, Recorder};

use crate::doubles::SECOND;

#[test]
fn what_was_made_elsewhere_is_inserted_and_gives_back_what_it_replaces() {
    let recorder = std::sync::Arc::new(Recorder::new());
    let mut registry = CacheRegistry::<()>::default().with_sink(recorder.clone());
    let cache = registry.keyed_cache::<u32, String>("text").unwrap();
    assert_eq!(cache.insert_made(1, "one".into()), None);
    assert_eq!(cache.get(&1).map(|text| &**text), Some("one"));
    assert_eq!(cache.insert_made(1, "uno".into()), Some("one".into()));
    assert_eq!((cache.len(), cache.peek(&1).map(|text| &**text)), (1, Some("uno")));
    cache.validate();
    let counters = cache.counters();
    assert_eq!((counters.hits, counters.misses, counters.failed_creations), (1, 2, 0));
    assert_eq!(recorder.count(EventKind::ResourceCreated), 2);
    assert_eq!(recorder.count(EventKind::EntryRemoved), 1);
}

#[test]
fn what_is_inserted_makes_room_as_what_is_created_does() {
    let mut registry = CacheRegistry::<()>::default();
    let cache = registry.keyed_cache::<u32, u32>("numbers").unwrap();
    cache.set_eviction_policy(EvictionPolicy::size_limited_lru(2));
    for key in [1, 2, 3] {
        cache.insert_made(key, key);
        cache.validate();
    }
    assert_eq!((cache.len(), cache.counters().evictions), (2, 1));
    assert_eq!([1, 2, 3].map(|key| cache.peek(&key).copied()), [None, Some(2), Some(3)]);
}

#[test]
fn a_peek_shows_what_a_look_up_would_find() {
    let clock = ManualClock::new();
    let mut registry = CacheRegistry::<()>::default().with_clock(clock.clone());
    let cache = registry.keyed_cache::<u32, u32>("numbers").unwrap();
    cache.set_eviction_policy(EvictionPolicy::idle_timeout(SECOND).with_min_entries(2));
    for key in [1, 2, 3] {
        cache.get_or_make(&key, || key);
    }
    clock.advance(SECOND);
    assert_eq!([1, 2, 3].map(|key| cache.peek(&key).is_some()), [true; 3], "exactly the idle time");
    clock.advance(SECOND);
    assert_eq!([1, 2, 3].map(|key| cache.peek(&key).is_some()), [false, true, true], "the last two stay");
    cache.expire_idle();
    assert_eq!([1, 2, 3].map(|key| cache.peek(&key).is_some()), [false, true, true]);
}
