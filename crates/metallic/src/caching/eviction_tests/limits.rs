//! Limits that are lowered or raised, and the least that no policy may take.

use super::{MINUTE, SECOND, Tiles, eviction};
use crate::caching::EvictionPolicy;

// A limit that is lowered.

#[test]
fn size_limited_lru_and_hybrid_come_down_to_a_lowered_limit_at_the_next_miss_in_one_event() {
    for policy in [EvictionPolicy::size_limited_lru(3), EvictionPolicy::hybrid(3, 60 * MINUTE)] {
        let mut tiles = Tiles::filled(1..=8, policy);
        assert_eq!(tiles.metrics().size, 8, "the change itself evicts nothing");
        tiles.get(9);
        assert_eq!(tiles.gone_for_size(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(tiles.held(), [7, 8, 9]);
        assert_eq!(tiles.evictions(), [eviction(policy, 6, "size_limit_exceeded_max_3", 2)]);
        assert_eq!(tiles.metrics().evictions, 6);
    }
}

#[test]
fn lru_evicts_one_entry_a_miss_after_its_limit_was_lowered() {
    let policy = EvictionPolicy::lru().with_max_entries(3);
    let mut tiles = Tiles::filled(1..=5, policy);
    tiles.get_all([1, 6, 7]);
    assert_eq!(tiles.held(), [1, 4, 5, 6, 7]);
    let each = || eviction(policy, 1, "size_limit_exceeded_max_3", 4);
    assert_eq!(tiles.evictions(), [each(), each()]);
}

#[test]
fn fifo_evicts_one_entry_a_miss_after_its_limit_was_lowered() {
    let policy = EvictionPolicy::fifo().with_max_entries(3);
    let mut tiles = Tiles::filled(1..=5, policy);
    tiles.get_all([1, 6, 7]);
    assert_eq!(tiles.held(), [3, 4, 5, 6, 7]);
    let each = || eviction(policy, 1, "size_limit_exceeded_max_3", 4);
    assert_eq!(tiles.evictions(), [each(), each()]);
}

#[test]
fn a_raised_limit_lets_the_cache_grow() {
    let mut tiles = Tiles::new(EvictionPolicy::size_limited_lru(2));
    tiles.get_all([1, 2, 3]);
    tiles.change(EvictionPolicy::size_limited_lru(4));
    tiles.get_all([4, 5, 6]);
    assert_eq!(tiles.gone_for_size(), [1, 2]);
    assert_eq!(tiles.held(), [3, 4, 5, 6]);
}

// Entries that no policy may take.

#[test]
fn min_entries_go_before_max_entries() {
    let policy = EvictionPolicy::size_limited_lru(2).with_min_entries(4);
    assert_eq!((policy.max_entries(), policy.min_entries(), policy.capacity()), (Some(2), 4, Some(5)));
    let mut tiles = Tiles::new(policy);
    tiles.get_all([1, 2, 3, 4, 5]);
    assert_eq!(tiles.held(), [1, 2, 3, 4, 5]);
    tiles.get_all([6, 7]);
    assert_eq!(tiles.held(), [3, 4, 5, 6, 7]);
    let each = || eviction(policy, 1, "size_limit_exceeded_max_5", 4);
    assert_eq!(tiles.evictions(), [each(), each()]);
}

#[test]
fn min_entries_below_max_entries_change_nothing_for_size() {
    let mut tiles = Tiles::new(EvictionPolicy::size_limited_lru(3).with_min_entries(2));
    tiles.get_all([1, 2, 3, 4]);
    assert_eq!(tiles.held(), [2, 3, 4]);
}

#[test]
fn min_entries_keep_the_entries_used_last_from_idle_expiry() {
    let mut tiles = Tiles::new(EvictionPolicy::idle_timeout(MINUTE).with_min_entries(2));
    tiles.get_all([1, 2, 3, 4, 2]);
    tiles.wait(60 * MINUTE);
    tiles.registry.expire_idle();
    assert_eq!(tiles.held(), [2, 4]);
    assert_eq!(tiles.gone_for_idleness(), [1, 3]);
}

#[test]
fn an_idle_entry_that_min_entries_keep_is_found() {
    let mut tiles = Tiles::new(EvictionPolicy::idle_timeout(MINUTE).with_min_entries(1));
    tiles.get(1);
    tiles.wait(60 * MINUTE);
    tiles.get(1);
    assert_eq!(tiles.hits_and_misses(), (1, 1));
}

#[test]
fn an_idle_entry_leaves_once_others_make_up_the_minimum() {
    let mut tiles = Tiles::new(EvictionPolicy::idle_timeout(MINUTE).with_min_entries(1));
    tiles.get(1);
    tiles.wait(60 * MINUTE);
    tiles.get(2);
    assert_eq!(tiles.held(), [1, 2]);
    tiles.get(2);
    assert_eq!(tiles.held(), [2]);
}

#[test]
fn min_entries_stay_even_if_the_creation_that_room_was_made_for_fails() {
    let mut tiles = Tiles::new(EvictionPolicy::size_limited_lru(0).with_min_entries(3));
    tiles.get_all([1, 2, 3, 4]);
    for _ in 0..3 {
        tiles.fail();
        assert_eq!(tiles.held(), [2, 3, 4]);
    }
}

#[test]
fn the_largest_minimum_keeps_everything() {
    let mut tiles = Tiles::new(EvictionPolicy::hybrid(1, SECOND).with_min_entries(usize::MAX));
    tiles.get_all([1, 2, 3]);
    tiles.wait(60 * MINUTE);
    tiles.get(4);
    assert_eq!(tiles.held(), [1, 2, 3, 4]);
}

#[test]
fn a_limit_of_zero_acts_as_one() {
    let limits = [
        EvictionPolicy::size_limited_lru(0),
        EvictionPolicy::lru().with_max_entries(0),
        EvictionPolicy::fifo().with_max_entries(0),
        EvictionPolicy::hybrid(0, MINUTE),
    ];
    for policy in limits {
        let mut tiles = Tiles::new(policy);
        tiles.get_all([1, 1, 2, 2, 1]);
        assert_eq!(tiles.held(), [1]);
        assert_eq!(tiles.hits_and_misses(), (2, 3));
        assert_eq!(tiles.evictions()[0], eviction(policy, 1, "size_limit_exceeded_max_1", 0));
    }
}
