//! What each policy does, a sentence a test. A test of your own policy looks the same: a clock that moves when it is told
//! to, and the events of the cache as the witness.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use metallic_instrumentation::{EventData, Recorder, RemovalCause};

use super::{CacheMetrics, CacheRegistry, CacheableKernel, EvictionPolicy, EvictionStrategy, ManualClock};
use crate::device::Device;
use crate::error::MetalError;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Parameters from here on make the creation fail.
const IMPOSSIBLE: u32 = 1000;

/// A kernel whose keys are numbers.
struct Tile;

impl CacheableKernel for Tile {
    type Key = u32;
    type CachedResource = String;
    type Params = u32;

    const CACHE_NAME: &'static str = "tile";

    fn create_cache_key(number: &u32) -> u32 {
        *number
    }

    fn create_cached_resource(number: &u32, _device: Option<&Device>) -> Result<String, MetalError> {
        if *number >= IMPOSSIBLE {
            return Err(MetalError::invalid_params("no such tile"));
        }
        Ok(format!("tile {number}"))
    }
}

/// One eviction, as the log tells it.
#[derive(Debug, PartialEq)]
struct Eviction {
    strategy: String,
    count: u64,
    reason: String,
    size_after: u64,
}

fn eviction(policy: EvictionPolicy, count: u64, reason: &str, size_after: u64) -> Eviction {
    Eviction { strategy: policy.strategy().to_string(), count, reason: reason.to_owned(), size_after }
}

/// A cache of tiles with a clock and a witness.
struct Tiles {
    registry: CacheRegistry,
    clock: ManualClock,
    witness: Arc<Recorder>,
}

impl Tiles {
    fn new(policy: EvictionPolicy) -> Self {
        let (clock, witness) = (ManualClock::new(), Arc::new(Recorder::new()));
        let mut registry = CacheRegistry::new().with_clock(clock.clone()).with_sink(witness.clone());
        registry.set_eviction_policy::<Tile>(policy);
        Self { registry, clock, witness }
    }

    /// A cache that was asked for these tiles, one a second, and changes to `policy` then.
    fn filled(tiles: RangeInclusive<u32>, policy: EvictionPolicy) -> Self {
        let mut filled = Self::new(EvictionPolicy::none());
        for tile in tiles {
            filled.get(tile);
            filled.clock.advance(SECOND);
        }
        filled.registry.set_eviction_policy::<Tile>(policy);
        filled
    }

    fn get(&mut self, tile: u32) {
        assert_eq!(*self.registry.get_or_create::<Tile>(&tile, None).unwrap(), format!("tile {tile}"));
        self.validate();
    }

    fn get_all(&mut self, tiles: impl IntoIterator<Item = u32>) {
        tiles.into_iter().for_each(|tile| self.get(tile));
    }

    fn fail(&mut self) {
        assert!(self.registry.get_or_create::<Tile>(&IMPOSSIBLE, None).is_err());
        self.validate();
    }

    fn change(&mut self, policy: EvictionPolicy) {
        self.registry.set_eviction_policy::<Tile>(policy);
        self.validate();
    }

    fn wait(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// The tiles in the cache, without using them.
    fn held(&self) -> Vec<u32> {
        let cache = self.registry.cache::<Tile>().unwrap();
        (0..IMPOSSIBLE).filter(|tile| cache.peek(tile).is_some()).collect()
    }

    /// The tiles that a policy made leave, in that order, and why.
    fn gone(&self) -> Vec<(u32, RemovalCause)> {
        let number = |label: &str| label.strip_prefix("tile:").unwrap().parse().unwrap();
        let removed = |data| match data {
            EventData::EntryRemoved(entry) => Some((number(&entry.cache_key), entry.cause)),
            _ => None,
        };
        self.witness.events().into_iter().filter_map(|event| removed(event.data)).collect()
    }

    fn gone_for_size(&self) -> Vec<u32> {
        self.gone_for(RemovalCause::SizeLimit)
    }

    fn gone_for_idleness(&self) -> Vec<u32> {
        self.gone_for(RemovalCause::IdleTimeout)
    }

    fn gone_for(&self, cause: RemovalCause) -> Vec<u32> {
        self.gone().into_iter().filter(|gone| gone.1 == cause).map(|gone| gone.0).collect()
    }

    fn evictions(&self) -> Vec<Eviction> {
        let eviction = |data| match data {
            EventData::CacheEviction(data) => Some(Eviction {
                strategy: data.strategy.into_owned(),
                count: data.count,
                reason: data.reason.into_owned(),
                size_after: data.size_after,
            }),
            _ => None,
        };
        self.witness.events().into_iter().filter_map(|event| eviction(event.data)).collect()
    }

    fn metrics(&self) -> CacheMetrics {
        self.registry.metrics::<Tile>().unwrap()
    }

    fn hits_and_misses(&self) -> (u64, u64) {
        (self.metrics().hits, self.metrics().misses)
    }

    fn validate(&self) {
        self.registry.cache::<Tile>().unwrap().validate();
    }
}

// Who leaves to make room.

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
    tiles.get_all(0..500);
    tiles.wait(1000 * MINUTE);
    tiles.get_all(0..500);
    assert_eq!((tiles.metrics().size, tiles.hits_and_misses()), (500, (500, 500)));
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
    tiles.get_all(0..500);
    tiles.wait(1000 * MINUTE);
    tiles.get(500);
    assert_eq!((tiles.metrics().size, tiles.metrics().evictions), (501, 0));
}

#[test]
fn fifo_without_a_limit_never_evicts() {
    let mut tiles = Tiles::new(EvictionPolicy::fifo());
    tiles.get_all(0..500);
    tiles.wait(1000 * MINUTE);
    tiles.get(500);
    assert_eq!((tiles.metrics().size, tiles.metrics().evictions), (501, 0));
}

#[test]
fn an_idle_timeout_alone_limits_no_number() {
    let mut tiles = Tiles::new(EvictionPolicy::idle_timeout(MINUTE));
    tiles.get_all(0..500);
    tiles.wait(MINUTE);
    tiles.get(500);
    assert_eq!((tiles.metrics().size, tiles.metrics().evictions), (501, 0));
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

// Entries idle for too long.

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
