//! Resources and keys whose `Drop` panics, where another of them is let go of, or another panic is under way: none ends the
//! process.

use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use metallic::Device;
use metallic::caching::{
    CacheRegistry, CacheRegistrySlot, CacheableKernel, EvictionPolicy, Lent, ManualClock, Pool, SharedCache,
    SharedRegistry,
};
use metallic::error::Error;
use metallic_instrumentation::{EventKind, Recorder};

use super::{HOOK, Key, Moment, at, ends};

/// Panics when it is dropped.
struct Bomb;

impl Clone for Bomb {
    fn clone(&self) -> Self {
        panic!("a bomb is not asked for")
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a bomb")
    }
}

/// A bomb that callers may have a clone of, which is none.
struct Fuse(#[expect(dead_code, reason = "its drop")] Option<Bomb>);

impl Fuse {
    fn lit() -> Self {
        Self(Some(Bomb))
    }
}

impl Clone for Fuse {
    fn clone(&self) -> Self {
        Self(None)
    }
}

struct Fuses;

impl CacheableKernel for Fuses {
    type Key = u32;
    type CachedResource = Fuse;
    type Params = u32;

    const CACHE_NAME: &'static str = "fuses";

    fn create_cache_key(key: &u32) -> u32 {
        *key
    }

    fn create_cached_resource(_: &u32, _: Option<&Device>) -> Result<Fuse, Error> {
        Ok(Fuse::lit())
    }
}

/// A key whose `Drop` panics while it is told to.
#[derive(Clone, Debug)]
struct Armed(Arc<AtomicBool>);

impl PartialEq for Armed {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Armed {}

impl Hash for Armed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        0.hash(state);
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        assert!(!self.0.load(Ordering::Relaxed), "an armed key");
    }
}

fn panics(f: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

fn cache_with_clock() -> (SharedRegistry, SharedCache<u32, Fuse>, ManualClock) {
    let clock = ManualClock::new();
    let registry = SharedRegistry::with_clock(None, clock.clone());
    let cache = registry.cache("fuses").unwrap();
    (registry, cache, clock)
}

fn put(cache: &SharedCache<u32, Fuse>, key: u32) {
    drop(cache.get_or_make(&key, Fuse::lit).unwrap());
}

#[test]
fn a_thread_that_ends_with_the_last_hold_on_a_bomb_ends_as_any_other() {
    let registry: SharedRegistry = SharedRegistry::new();
    let ours = registry.clone();
    let ended = thread::spawn(move || {
        ours.with_local(|local| local.get_or_create::<Fuses>(&7, None).map(drop)).unwrap();
        _ = panics(|| ours.clear());
    });
    assert!(ended.join().is_ok());
    assert_eq!(registry.counters::<Fuses>().unwrap().removals, 1);
}

#[test]
fn a_removal_survives_that_another_entry_expires_meanwhile() {
    let (_registry, cache, clock) = cache_with_clock();
    cache.set_eviction_policy(EvictionPolicy::idle_timeout(Duration::from_secs(1)));
    put(&cache, 1);
    clock.advance(Duration::from_secs(1));
    put(&cache, 2);
    clock.advance(Duration::from_millis(500));
    assert!(panics(|| drop(cache.remove(&2))));
    let counters = cache.counters();
    assert_eq!((counters.size, counters.evictions, counters.removals), (0, 1, 1));
}

#[test]
fn an_insertion_survives_that_it_replaces_one_entry_and_evicts_another() {
    let (_registry, shared, _) = cache_with_clock();
    (1..=3).for_each(|key| put(&shared, key));
    shared.set_eviction_policy(EvictionPolicy::size_limited_lru(2));
    assert!(panics(|| drop(shared.insert_made(3, Fuse::lit()))));
    assert!(shared.counters().size <= 2);
    assert!(panics(|| shared.clear()));

    let mut registry: CacheRegistry = CacheRegistry::new();
    let own = registry.keyed_cache::<u32, Fuse>("fuses").unwrap();
    for key in 1..=3 {
        own.get_or_make(&key, Fuse::lit);
    }
    own.set_eviction_policy(EvictionPolicy::size_limited_lru(2));
    assert!(panics(|| drop(own.insert_made(3, Fuse::lit()))));
    assert!(own.len() <= 2);
    assert!(panics(|| own.clear()));
}

#[test]
fn a_key_that_panics_in_drop_survives_a_creation_that_panics() {
    let is_armed = Arc::new(AtomicBool::new(false));
    let (key, armed) = (Armed(is_armed.clone()), is_armed.clone());
    let creation = move || -> u32 {
        armed.store(true, Ordering::Relaxed);
        panic!("a creation")
    };
    let disarm = || is_armed.store(false, Ordering::Relaxed);

    let registry: SharedRegistry = SharedRegistry::new();
    let shared = registry.cache::<Armed, u32>("armed").unwrap();
    assert!(panics(|| _ = shared.get_or_make(&key, creation.clone())));
    disarm();
    assert_eq!(shared.get_or_make(&key, || 1).unwrap(), 1);

    registry.set_creator_threads(0);
    let other = Armed(is_armed.clone());
    let in_time = creation.clone();
    let ticket = shared.rebuild_with(other, move || Ok(in_time()));
    assert!(matches!(ticket.wait().unwrap_err().root(), Error::Panicked { .. }));
    disarm();
    drop(ticket);

    let mut registry: CacheRegistry = CacheRegistry::new();
    let own = registry.keyed_cache::<Armed, u32>("armed").unwrap();
    assert!(panics(|| _ = own.get_or_make(&key, creation.clone())));
    disarm();
    assert_eq!(*own.get_or_make(&key, || 1), 1);

    let registry: SharedRegistry = SharedRegistry::new();
    let pool = registry.pool::<Armed, u32>("armed").unwrap();
    assert!(panics(|| drop(pool.checkout(&key, creation))));
    disarm();
    assert_eq!(*pool.checkout(&key, || 1), 1);
    assert_eq!((pool.lent(), pool.counters().size), (0, 1));
}

#[test]
fn an_item_whose_key_panics_in_drop_is_taken_out_of_its_pool() {
    let is_armed = Arc::new(AtomicBool::new(false));
    let key = Armed(is_armed.clone());
    let registry: SharedRegistry = SharedRegistry::new();
    let pool = registry.pool::<Armed, u32>("armed").unwrap();
    let lent = pool.checkout(&key, || 1);
    is_armed.store(true, Ordering::Relaxed);
    assert!(panics(|| _ = Lent::detach(lent)));
    is_armed.store(false, Ordering::Relaxed);
    assert_eq!((pool.lent(), pool.counters().removals), (0, 1));
}

#[test]
fn a_key_may_use_its_pool_when_it_is_dropped_since_its_comparison_panicked() {
    let lent = ends(|| {
        let registry: SharedRegistry = SharedRegistry::new();
        let pool: Pool<Key, u32> = registry.pool("pool").unwrap();
        drop(pool.checkout(&Key(1), || 1));
        let used = pool.clone();
        at(Moment::Compare, move || {
            let used = used.clone();
            at(Moment::DropKey, move || _ = used.lent());
            panic!("a comparison");
        });
        // The first looks for an item; the second for the place of the key.
        assert!(panics(|| drop(pool.checkout(&Key(2), || 2))));
        drop(HOOK.take());
        pool.lent()
    });
    assert_eq!(lent, 0);
}

#[test]
fn tickets_of_bombs_are_dropped_in_a_panic() {
    let (registry, cache, _) = cache_with_clock();
    registry.set_creator_threads(0);
    let tickets: Vec<_> = (1..4)
        .map(|key| {
            let held = Fuse::lit();
            cache.prefetch_with(key, move || {
                let _held = &held;
                Ok(Fuse(None))
            })
        })
        .collect();
    assert!(panics(|| drop(tickets)));
    assert_eq!(cache.counters().misses, 0);
}

#[test]
fn several_slots_of_bombs_are_dropped() {
    struct One(#[expect(dead_code, reason = "its drop")] Fuse);
    struct Other(#[expect(dead_code, reason = "its drop")] Fuse);
    impl CacheRegistrySlot for One {
        fn clear_slot(&mut self) {}
    }
    impl CacheRegistrySlot for Other {
        fn clear_slot(&mut self) {}
    }
    let registry: SharedRegistry = SharedRegistry::new();
    let mut local = registry.local();
    local.slot_mut(|| One(Fuse::lit()));
    local.slot_mut(|| Other(Fuse::lit()));
    assert!(panics(|| drop(local)));
}

#[test]
fn an_item_that_was_lent_when_its_device_was_lost_is_counted_and_reported_as_removed() {
    let recorder = Arc::new(Recorder::new());
    let registry: SharedRegistry = SharedRegistry::new();
    registry.set_sink(Some(recorder.clone()));
    let pool = registry.pool::<u32, u32>("pool").unwrap();
    let lent = pool.checkout(&1, || 1);
    registry.device_lost(None);
    drop(lent);
    let counters = pool.counters();
    assert_eq!((counters.misses, counters.size, counters.removals, pool.lent()), (1, 0, 1, 0));
    assert_eq!(
        recorder.events().iter().filter(|event| event.data.kind() == EventKind::EntryRemoved).count(),
        1
    );
}
