//! Policies put together by hand, and policies that change.

use metallic_instrumentation::RemovalCause;

use super::{MINUTE, SECOND, Tile, Tiles, eviction};
use crate::caching::{EvictionPolicy, EvictionStrategy};

// Policies put together by hand.

#[test]
fn a_limit_set_on_none_or_on_an_idle_timeout_evicts_the_least_recently_used() {
    for policy in [
        EvictionPolicy::none().with_max_entries(3),
        EvictionPolicy::idle_timeout(60 * MINUTE).with_max_entries(3),
    ] {
        let mut tiles = Tiles::filled(1..=5, policy);
        tiles.get_all([1, 6]);
        assert_eq!(tiles.gone_for_size(), [2, 3, 4]);
        assert_eq!(tiles.held(), [1, 5, 6]);
        assert_eq!(tiles.evictions(), [eviction(policy, 3, "size_limit_exceeded_max_3", 2)]);
    }
}

#[test]
fn an_idle_time_set_on_a_policy_without_one_expires_entries() {
    for policy in [
        EvictionPolicy::none(),
        EvictionPolicy::lru(),
        EvictionPolicy::fifo(),
        EvictionPolicy::lru().with_max_entries(3),
        EvictionPolicy::size_limited_lru(3),
    ] {
        let policy = policy.with_max_idle_duration(MINUTE);
        let mut tiles = Tiles::new(policy);
        tiles.get_all([1, 2]);
        tiles.wait(MINUTE + SECOND);
        tiles.get(3);
        assert_eq!(tiles.held(), [3]);
        assert_eq!(tiles.evictions(), [eviction(policy, 2, "idle_timeout_exceeded_60000ms", 0)]);
    }
}

#[test]
fn a_builder_sets_what_it_names_and_keeps_the_strategy() {
    let policy = EvictionPolicy::lru()
        .with_max_entries(1000)
        .with_max_idle_duration(300 * SECOND)
        .with_min_entries(10);
    assert_eq!(policy.strategy(), EvictionStrategy::Lru);
    assert_eq!(policy.max_entries(), Some(1000));
    assert_eq!(policy.max_idle_duration(), Some(300 * SECOND));
    assert_eq!(policy.min_entries(), 10);
    assert_eq!(EvictionPolicy::default(), EvictionPolicy::none());
}

// A policy that changes while the cache is in use.

#[test]
fn a_change_of_policy_keeps_entries_and_counters() {
    let mut tiles = Tiles::new(EvictionPolicy::size_limited_lru(3));
    tiles.get_all([1, 2, 3, 4, 4]);
    let before = tiles.metrics();
    for policy in [EvictionPolicy::fifo(), EvictionPolicy::none(), EvictionPolicy::hybrid(1, MINUTE)] {
        tiles.change(policy);
        assert_eq!(tiles.metrics(), before);
        assert_eq!(tiles.registry.eviction_policy::<Tile>(), policy);
    }
}

#[test]
fn order_is_exact_from_lru_to_fifo_and_back() {
    let (lru, fifo) = (EvictionPolicy::lru().with_max_entries(4), EvictionPolicy::fifo().with_max_entries(4));
    let mut tiles = Tiles::new(lru);
    tiles.get_all([1, 2, 3, 4, 1, 2]); // created 1 2 3 4, used 3 4 1 2
    tiles.change(fifo);
    tiles.get(5); // 1 leaves; created 2 3 4 5, used 3 4 2 5
    tiles.get_all([4, 3]); // used 2 5 4 3
    tiles.change(lru);
    tiles.get(6); // 2 leaves; used 5 4 3 6
    tiles.get(7); // 5 leaves; created 3 4 6 7
    tiles.get(4);
    tiles.change(fifo);
    tiles.get_all([8, 9]);
    assert_eq!(tiles.gone_for_size(), [1, 2, 5, 3, 4]);
}

#[test]
fn uses_without_a_policy_count_once_there_is_one_though_the_clock_stood_still() {
    let mut tiles = Tiles::new(EvictionPolicy::none());
    tiles.get_all([1, 2, 3, 4, 3, 1, 4, 3]); // used 2 1 4 3
    tiles.change(EvictionPolicy::lru().with_max_entries(4));
    tiles.get_all([5, 6, 7, 8]);
    assert_eq!(tiles.gone_for_size(), [2, 1, 4, 3]);
}

#[test]
fn uses_under_fifo_and_removals_between_count_once_the_policy_is_lru() {
    let mut tiles = Tiles::new(EvictionPolicy::fifo().with_max_entries(4));
    tiles.get_all([1, 2, 3, 4]);
    tiles.registry.remove::<Tile>(&2);
    tiles.get_all([5, 1]); // in the place of 2; used 3 4 5 1
    tiles.change(EvictionPolicy::size_limited_lru(4));
    tiles.get_all([6, 7, 8, 9]);
    assert_eq!(tiles.gone_for_size(), [3, 4, 5, 1]);
}

#[test]
fn an_idle_time_set_later_counts_from_the_last_use() {
    let mut tiles = Tiles::new(EvictionPolicy::none());
    tiles.get_all([1, 2]);
    tiles.wait(40 * SECOND);
    tiles.get(2);
    tiles.change(EvictionPolicy::idle_timeout(MINUTE));
    tiles.wait(30 * SECOND);
    tiles.get(3);
    assert_eq!(tiles.gone(), [(1, RemovalCause::IdleTimeout)]);
}

#[test]
fn a_shortened_idle_time_holds_for_entries_that_are_there() {
    let mut tiles = Tiles::new(EvictionPolicy::idle_timeout(60 * MINUTE));
    tiles.get_all([1, 2]);
    tiles.wait(2 * MINUTE);
    tiles.change(EvictionPolicy::idle_timeout(MINUTE));
    assert_eq!(tiles.held(), [1, 2], "the change itself evicts nothing");
    tiles.get(3);
    assert_eq!(tiles.held(), [3]);
}

#[test]
fn a_policy_without_an_idle_time_forgets_that_there_was_one() {
    let mut tiles = Tiles::new(EvictionPolicy::idle_timeout(MINUTE));
    tiles.get_all([1, 2]);
    tiles.change(EvictionPolicy::none());
    tiles.wait(60 * MINUTE);
    tiles.get_all([1, 2]);
    assert_eq!(tiles.hits_and_misses(), (2, 2));
}
