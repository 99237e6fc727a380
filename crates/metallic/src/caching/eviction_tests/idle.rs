//! Entries idle for too long.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metallic_instrumentation::RemovalCause;

use super::{MINUTE, SECOND, Tile, Tiles, eviction};
use crate::caching::{CacheRegistry, Clock, EvictionPolicy};

#[test]
fn entries_unused_for_longer_than_the_idle_time_leave_at_the_next_operation() {
    let policy = EvictionPolicy::idle_timeout(MINUTE);
    let mut tiles = Tiles::new(policy);
    tiles.get_all([1, 2, 3]);
    tiles.wait(30 * SECOND);
    tiles.get_all([2, 4]);
    tiles.wait(31 * SECOND);
    tiles.get(4); // a hit
    assert_eq!(tiles.gone(), [(1, RemovalCause::IdleTimeout), (3, RemovalCause::IdleTimeout)]);
    assert_eq!(tiles.held(), [2, 4]);
    assert_eq!(tiles.evictions(), [eviction(policy, 2, "idle_timeout_exceeded_60000ms", 2)]);
}

#[test]
fn an_entry_idle_for_exactly_the_limit_stays() {
    let mut tiles = Tiles::new(EvictionPolicy::idle_timeout(MINUTE));
    tiles.get(1);
    tiles.wait(MINUTE);
    tiles.get(1);
    assert_eq!(tiles.hits_and_misses(), (1, 1));
    tiles.wait(MINUTE + Duration::from_nanos(1));
    tiles.get(1);
    assert_eq!(tiles.hits_and_misses(), (1, 2));
}

#[test]
fn an_entry_that_is_itself_past_its_idle_time_is_a_miss() {
    let policy = EvictionPolicy::idle_timeout(MINUTE);
    let mut tiles = Tiles::new(policy);
    tiles.get(1);
    tiles.wait(MINUTE + SECOND);
    tiles.get(1);
    assert_eq!(tiles.hits_and_misses(), (0, 2));
    assert_eq!(tiles.evictions(), [eviction(policy, 1, "idle_timeout_exceeded_60000ms", 0)]);
}

#[test]
fn a_use_begins_the_idle_time_anew() {
    let mut tiles = Tiles::new(EvictionPolicy::idle_timeout(MINUTE));
    tiles.get(1);
    for _ in 0..10 {
        tiles.wait(59 * SECOND);
        tiles.get(1);
    }
    assert_eq!(tiles.hits_and_misses(), (10, 1));
}

#[test]
fn a_peek_is_no_use() {
    let mut tiles = Tiles::new(EvictionPolicy::idle_timeout(MINUTE));
    tiles.get(1);
    tiles.wait(40 * SECOND);
    assert_eq!(tiles.held(), [1]);
    tiles.wait(40 * SECOND);
    tiles.get(1);
    assert_eq!(tiles.hits_and_misses(), (0, 2));
}

#[test]
fn idle_entries_leave_fifo_too_and_a_use_keeps_them_there() {
    let policy = EvictionPolicy::fifo().with_max_entries(3).with_max_idle_duration(MINUTE);
    let mut tiles = Tiles::new(policy);
    tiles.get_all([1, 2, 3]);
    tiles.wait(40 * SECOND);
    tiles.get(1);
    tiles.wait(40 * SECOND);
    tiles.get(4);
    assert_eq!(tiles.gone(), [(2, RemovalCause::IdleTimeout), (3, RemovalCause::IdleTimeout)]);
    tiles.get_all([5, 1, 6]);
    assert_eq!(tiles.gone_for_size(), [1], "for size, the oldest leaves, though it was used last");
    assert_eq!(tiles.evictions()[0], eviction(policy, 2, "idle_timeout_exceeded_60000ms", 1));
}

#[test]
fn expire_idle_makes_entries_leave_without_a_look_up() {
    let mut tiles = Tiles::new(EvictionPolicy::idle_timeout(MINUTE));
    tiles.get_all([1, 2]);
    tiles.wait(MINUTE);
    tiles.registry.expire_idle();
    assert_eq!(tiles.held(), [1, 2]);
    tiles.wait(SECOND);
    tiles.registry.expire_idle();
    tiles.validate();
    assert!(tiles.held().is_empty());
    assert_eq!((tiles.hits_and_misses(), tiles.metrics().evictions), ((0, 2), 2));
}

#[test]
fn expire_idle_does_nothing_to_a_policy_without_an_idle_time() {
    for policy in [EvictionPolicy::none(), EvictionPolicy::size_limited_lru(2), EvictionPolicy::fifo()] {
        let mut tiles = Tiles::new(policy);
        tiles.get_all([1, 2]);
        tiles.wait(1000 * MINUTE);
        tiles.registry.expire_idle();
        assert_eq!(tiles.held(), [1, 2]);
    }
}

#[test]
fn an_idle_time_of_zero_lasts_as_long_as_the_clock_stands_still() {
    let mut tiles = Tiles::new(EvictionPolicy::idle_timeout(Duration::ZERO));
    tiles.get_all([1, 2, 1]);
    assert_eq!(tiles.hits_and_misses(), (1, 2));
    tiles.wait(Duration::from_nanos(1));
    tiles.get(1);
    assert_eq!((tiles.hits_and_misses(), tiles.held()), ((1, 3), vec![1]));
}

#[test]
fn the_longest_idle_time_never_ends() {
    let mut tiles = Tiles::new(EvictionPolicy::idle_timeout(Duration::MAX));
    tiles.get(1);
    tiles.wait(Duration::MAX);
    tiles.get(1);
    assert_eq!(tiles.hits_and_misses(), (1, 1));
}

/// A clock that is set to any time, also an earlier one.
#[derive(Clone, Default)]
struct Settable(Arc<AtomicU64>);

impl Clock for Settable {
    fn now(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

#[test]
fn a_clock_that_goes_back_delays_an_expiry_by_one_idle_time_at_most() {
    let clock = Settable::default();
    let mut registry = CacheRegistry::new().with_clock(clock.clone());
    registry.set_eviction_policy::<Tile>(EvictionPolicy::idle_timeout(MINUTE));
    let mut at = |seconds: u64, tile: u32| {
        clock.0.store(seconds, Ordering::Relaxed);
        registry.get_or_create::<Tile>(&tile, None).unwrap();
        registry.metrics::<Tile>().unwrap().size
    };
    // A hundred tiles, ten days ahead.
    for tile in 0..100 {
        at(864_000 + u64::from(tile) % 5, tile);
    }
    assert_eq!(at(1000, 100), 101);
    assert_eq!(at(1059, 100), 101);
    assert_eq!(at(1061, 100), 1, "all but the one that was used");
    // One reading far ahead.
    at(1_000_000, 101);
    assert_eq!(at(1062, 102), 2, "a minute ahead, the one before was idle");
    assert_eq!(at(1130, 103), 1);
}
