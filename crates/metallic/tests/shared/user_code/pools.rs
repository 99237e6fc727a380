//! Items of pools whose `Drop` panics while others leave or are lent: what is counted is reported.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use metallic::caching::{EvictionPolicy, ManualClock, Pool, SharedRegistry};
use metallic_instrumentation::{EventKind, Recorder};

/// Panics when it is dropped, if it holds `true`.
struct Item(bool);

impl Drop for Item {
    fn drop(&mut self) {
        assert!(!self.0, "as it was told to");
    }
}

struct World {
    recorder: Arc<Recorder>,
    clock: ManualClock,
    pool: Pool<Key, Item>,
}

/// Panics when it is compared with another key, if both are odd.
#[derive(Clone, Copy, Debug)]
struct Key(u32);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        assert!(self.0 & other.0 & 1 == 0, "odd keys are not compared");
        self.0 == other.0
    }
}

impl Eq for Key {}

impl std::hash::Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.0 % 2).hash(state);
    }
}

impl World {
    fn new() -> Self {
        let (recorder, clock) = (Arc::new(Recorder::new()), ManualClock::new());
        let registry: SharedRegistry = SharedRegistry::with_clock(None, clock.clone());
        registry.set_sink(Some(recorder.clone()));
        let pool = registry.pool("pool").unwrap();
        Self { recorder, clock, pool }
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    #[track_caller]
    fn assert_reported(&self) {
        let events = self.recorder.events();
        let count = |kind| events.iter().filter(|event| event.kind() == kind).count() as u64;
        let counters = self.pool.counters();
        assert_eq!(count(EventKind::ResourceCacheAccess), counters.hits + counters.misses, "{counters:?}");
        assert_eq!(count(EventKind::EntryRemoved), counters.evictions + counters.removals, "{counters:?}");
    }
}

fn panics(f: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

#[test]
fn a_checkout_is_reported_though_an_item_that_expires_panics() {
    let world = World::new();
    let pool = &world.pool;
    pool.set_eviction_policy(EvictionPolicy::idle_timeout(Duration::from_secs(10)));
    drop(pool.checkout(&Key(2), || Item(true)));
    world.pass(8);
    drop(pool.checkout(&Key(4), || Item(false)));
    world.pass(8);
    assert!(panics(|| drop(pool.checkout(&Key(4), || Item(false)))));
    assert_eq!((pool.counters().hits, pool.counters().evictions, pool.lent()), (1, 1, 0));
    world.assert_reported();
}

#[test]
fn what_is_evicted_by_a_return_is_reported_though_an_item_that_expires_panics() {
    let world = World::new();
    let pool = &world.pool;
    let [one, two, three, four] = [2, 4, 6, 8].map(|key| pool.checkout(&Key(key), || Item(key == 2)));
    drop(one);
    world.pass(8);
    drop((two, three));
    world.pass(8);
    pool.set_eviction_policy(EvictionPolicy::hybrid(1, Duration::from_secs(10)));
    assert!(panics(|| drop(four)));
    assert_eq!((pool.counters().size, pool.counters().evictions, pool.lent()), (1, 3, 0));
    world.assert_reported();
}

#[test]
fn what_expires_from_a_pool_is_reported_though_a_key_panics_when_it_is_compared() {
    let world = World::new();
    let pool = &world.pool;
    drop(pool.checkout(&Key(2), || Item(false)));
    world.pass(8);
    drop(pool.checkout(&Key(1), || Item(false)));
    world.pass(8);
    pool.set_eviction_policy(EvictionPolicy::idle_timeout(Duration::from_secs(10)));
    assert!(panics(|| drop(pool.try_checkout(&Key(3)))));
    assert_eq!((pool.counters().size, pool.counters().evictions), (1, 1));
    world.assert_reported();
}
