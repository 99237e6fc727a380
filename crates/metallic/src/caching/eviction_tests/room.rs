//! The entries that are evicted to make room, and when.

use metallic_instrumentation::RemovalCause;

use super::{MINUTE, SECOND, Tile, Tiles, eviction};
use crate::caching::{CacheableKernel, EvictionPolicy};
use crate::device::Device;
use crate::error::MetalError;

/// Fewer under Miri, which is some thousand times slower: every look-up checks all entries.
const MANY: u32 = if cfg!(miri) { 12 } else { 500 };

#[test]
fn lru_lets_the_least_recently_used_entry_go() {
    let policy = EvictionPolicy::lru().with_max_entries(3);
    let mut tiles = Tiles::new(policy);
    tiles.get_all([1, 2, 3, 1, 4]);
    assert_eq!(tiles.held(), [1, 3, 4]);
    assert_eq!(tiles.evictions(), [eviction(policy, 1, "size_limit_exceeded_max_3", 2)]);
}

#[test]
fn fifo_lets_the_entry_created_first_go_however_often_it_was_used() {
    let policy = EvictionPolicy::fifo().with_max_entries(3);
    let mut tiles = Tiles::new(policy);
    tiles.get_all([1, 2, 3, 1, 1, 1, 4]);
    assert_eq!(tiles.held(), [2, 3, 4]);
    tiles.get_all([2, 5]);
    assert_eq!(tiles.held(), [3, 4, 5]);
    assert_eq!(tiles.evictions()[0], eviction(policy, 1, "size_limit_exceeded_max_3", 2));
}

#[test]
fn size_limited_lru_lets_the_least_recently_used_entry_go() {
    let policy = EvictionPolicy::size_limited_lru(3);
    let mut tiles = Tiles::new(policy);
    tiles.get_all([1, 2, 3, 2, 1, 4, 5]);
    assert_eq!(tiles.gone_for_size(), [3, 2]);
    assert_eq!(tiles.held(), [1, 4, 5]);
    assert_eq!(tiles.evictions()[1], eviction(policy, 1, "size_limit_exceeded_max_3", 2));
}

#[test]
fn hybrid_makes_room_as_lru_does_and_lets_idle_entries_go() {
    let policy = EvictionPolicy::hybrid(3, MINUTE);
    let mut tiles = Tiles::new(policy);
    tiles.get_all([1, 2, 3, 1]);
    tiles.wait(SECOND);
    tiles.get(4);
    assert_eq!(tiles.held(), [1, 3, 4]);
    tiles.wait(MINUTE);
    tiles.get(4);
    assert_eq!(tiles.held(), [4]);
    assert_eq!(
        tiles.evictions(),
        [
            eviction(policy, 1, "size_limit_exceeded_max_3", 2),
            eviction(policy, 2, "idle_timeout_exceeded_60000ms", 1),
        ]
    );
}

#[test]
fn a_miss_that_expires_enough_entries_evicts_none_for_size() {
    let mut tiles = Tiles::new(EvictionPolicy::hybrid(3, MINUTE));
    tiles.get(1);
    tiles.wait(SECOND);
    tiles.get_all([2, 3]);
    tiles.wait(MINUTE);
    tiles.get(4);
    assert_eq!(tiles.gone(), [(1, RemovalCause::IdleTimeout)]);
    assert_eq!(tiles.held(), [2, 3, 4]);
}

#[test]
fn a_cache_without_a_policy_keeps_everything() {
    let mut tiles = Tiles::new(EvictionPolicy::none());
    tiles.get_all(0..MANY);
    tiles.wait(1000 * MINUTE);
    tiles.get_all(0..MANY);
    let many = u64::from(MANY);
    assert_eq!((tiles.metrics().size as u64, tiles.hits_and_misses()), (many, (many, many)));
    assert_eq!(tiles.gone(), []);
}

#[test]
fn a_hit_makes_no_room_even_when_there_are_too_many_entries() {
    let mut tiles = Tiles::filled(1..=5, EvictionPolicy::size_limited_lru(2));
    tiles.get_all([1, 2, 3, 4, 5]);
    assert_eq!(tiles.held(), [1, 2, 3, 4, 5]);
}

#[test]
fn lru_without_a_limit_never_evicts() {
    let mut tiles = Tiles::new(EvictionPolicy::lru());
    tiles.get_all(0..MANY);
    tiles.wait(1000 * MINUTE);
    tiles.get(MANY);
    assert_eq!((tiles.metrics().size, tiles.metrics().evictions), (MANY as usize + 1, 0));
}

#[test]
fn fifo_without_a_limit_never_evicts() {
    let mut tiles = Tiles::new(EvictionPolicy::fifo());
    tiles.get_all(0..MANY);
    tiles.wait(1000 * MINUTE);
    tiles.get(MANY);
    assert_eq!((tiles.metrics().size, tiles.metrics().evictions), (MANY as usize + 1, 0));
}

#[test]
fn an_idle_timeout_alone_limits_no_number() {
    let mut tiles = Tiles::new(EvictionPolicy::idle_timeout(MINUTE));
    tiles.get_all(0..MANY);
    tiles.wait(MINUTE);
    tiles.get(MANY);
    assert_eq!((tiles.metrics().size, tiles.metrics().evictions), (MANY as usize + 1, 0));
}

#[test]
fn entries_used_at_the_same_moment_leave_in_the_order_of_their_use() {
    let mut tiles = Tiles::new(EvictionPolicy::size_limited_lru(4));
    tiles.get_all([1, 2, 3, 4, 2, 1]); // the clock stands still
    tiles.get_all([5, 6, 7, 8]);
    assert_eq!(tiles.gone_for_size(), [3, 4, 2, 1]);
}

#[test]
fn entries_created_at_the_same_moment_leave_in_the_order_of_their_creation() {
    let mut tiles = Tiles::new(EvictionPolicy::fifo().with_max_entries(4));
    tiles.get_all([4, 2, 3, 1, 2, 4]); // the clock stands still
    tiles.get_all([5, 6, 7, 8]);
    assert_eq!(tiles.gone_for_size(), [4, 2, 3, 1]);
}

#[test]
fn a_removed_entry_leaves_room_for_another() {
    let mut tiles = Tiles::new(EvictionPolicy::size_limited_lru(2));
    tiles.get_all([1, 2]);
    assert_eq!(tiles.registry.remove::<Tile>(&1).as_deref(), Some("tile 1"));
    tiles.get(3);
    assert_eq!((tiles.held(), tiles.evictions()), (vec![2, 3], vec![]));
}

#[test]
fn the_order_survives_a_clear() {
    for (policy, left_first) in
        [(EvictionPolicy::lru().with_max_entries(2), 5), (EvictionPolicy::fifo().with_max_entries(2), 4)]
    {
        let mut tiles = Tiles::new(policy);
        tiles.get_all([1, 2, 3]);
        tiles.registry.clear_cache::<Tile>();
        tiles.get_all([4, 5, 4, 6]);
        assert_eq!(tiles.gone_for_size(), [1, left_first]);
    }
}

#[test]
fn a_cache_evicts_nothing_of_its_neighbours() {
    struct Neighbour;
    impl CacheableKernel for Neighbour {
        type Key = u32;
        type CachedResource = u32;
        type Params = u32;
        const CACHE_NAME: &'static str = "neighbour";
        fn create_cache_key(number: &u32) -> u32 {
            *number
        }
        fn create_cached_resource(number: &u32, _: Option<&Device>) -> Result<u32, MetalError> {
            Ok(*number)
        }
    }
    let mut tiles = Tiles::new(EvictionPolicy::hybrid(1, SECOND));
    for number in 0..10 {
        tiles.registry.get_or_create::<Neighbour>(&number, None).unwrap();
    }
    tiles.get_all([1, 2, 3]);
    tiles.wait(MINUTE);
    tiles.get(4);
    assert_eq!(tiles.held(), [4]);
    let neighbour = tiles.registry.metrics::<Neighbour>().unwrap();
    assert_eq!((neighbour.size, neighbour.evictions), (10, 0));
}

// Eviction, then creation.

#[test]
fn room_is_made_before_the_creation_and_a_victim_of_one_that_fails_stays_gone() {
    let policy = EvictionPolicy::size_limited_lru(2);
    let mut tiles = Tiles::new(policy);
    tiles.get_all([1, 2]);
    tiles.fail();
    assert_eq!(tiles.held(), [2]);
    assert_eq!(tiles.evictions(), [eviction(policy, 1, "size_limit_exceeded_max_2", 1)]);
    assert_eq!((tiles.hits_and_misses(), tiles.metrics().failed_creations), ((0, 3), 1));
}

#[test]
fn a_creation_that_fails_evicts_nothing_while_there_is_room() {
    let mut tiles = Tiles::new(EvictionPolicy::size_limited_lru(2));
    tiles.get(1);
    tiles.fail();
    tiles.fail();
    assert_eq!((tiles.held(), tiles.evictions()), (vec![1], vec![]));
}
