//! Bugs that were found in other caches, one test each.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use metallic::caching::{CacheableKernel, EvictionPolicy, OnFailure, SharedCache, SharedRegistry};
use metallic::error::Error;

use crate::kernels::{Script, Scripted};

fn registry() -> (SharedRegistry<Script>, Script) {
    let script = Script::default();
    (SharedRegistry::with_device(script.clone()), script)
}

/// All policies with this limit.
fn policies(max: usize) -> [EvictionPolicy; 6] {
    [
        EvictionPolicy::size_limited_lru(max),
        EvictionPolicy::lru().with_max_entries(max),
        EvictionPolicy::fifo().with_max_entries(max),
        EvictionPolicy::hybrid(max, Duration::from_secs(3600)),
        EvictionPolicy::sieve(max),
        EvictionPolicy::s3_fifo(max),
    ]
}

/// Calls `f` on this many threads at once.
fn at_once<T: Send>(threads: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(threads);
    thread::scope(|scope| {
        let (start, f) = (&start, &f);
        let run = |thread| {
            scope.spawn(move || {
                start.wait();
                f(thread)
            })
        };
        let threads: Vec<_> = (0..threads).map(run).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// N callers that waited for a creation tried it one after the other when it failed.
#[test]
fn those_that_wait_for_a_creation_that_fails_do_not_each_try_it() {
    let (registry, script) = registry();
    let waits = Arc::new(AtomicUsize::new(0));
    let seen = waits.clone();
    script.on(1, move || {
        // Until all have asked, and time for the last of them to wait.
        while seen.load(Ordering::SeqCst) < 8 {
            thread::yield_now();
        }
        (0..2000).for_each(|_| thread::yield_now());
        Err(Error::invalid_params("as it was told to"))
    });
    let errors = at_once(8, |_| {
        waits.fetch_add(1, Ordering::SeqCst);
        registry.get_or_create::<Scripted>(&1, None).unwrap_err()
    });
    assert!(errors.iter().all(|error| matches!(error.root(), Error::InvalidParams { .. })));
    // One, unless a thread was held up between its announcement and its look-up.
    assert!(script.creations() < 8, "{} creations", script.creations());
}

/// An insertion found the place of a creation whose guard was being dropped, and was lost.
#[test]
fn an_insertion_during_a_creation_that_panics_is_there() {
    let registry: SharedRegistry = SharedRegistry::new();
    let numbers = registry.cache::<u32, u32>("number").unwrap();
    for round in 0..200 {
        let start = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                assert_eq!(numbers.insert_made(round, 5), None);
            });
            let made = catch_unwind(AssertUnwindSafe(|| {
                numbers.get_or_make(&round, || {
                    start.wait();
                    std::panic::resume_unwind(Box::new("as it was told to"))
                })
            }));
            assert!(made.is_err());
        });
        assert_eq!(numbers.get(&round), Some(5), "round {round}");
    }
}

/// One that waited gave up, and its wake-up was lost to those that went on waiting.
#[test]
fn one_that_gives_up_takes_no_others_turn() {
    let (registry, script) = registry();
    registry.set_failure_policy::<Scripted>(OnFailure::Retry);
    let (hold, is_first) = (Arc::new(Barrier::new(2)), AtomicBool::new(true));
    let held = hold.clone();
    script.on(1, move || {
        if is_first.swap(false, Ordering::SeqCst) {
            held.wait();
            return Err(Error::invalid_params("the first"));
        }
        Ok(())
    });
    thread::scope(|scope| {
        let first = scope.spawn(|| registry.get_or_create::<Scripted>(&1, None).map(drop));
        while script.creations() == 0 {
            thread::yield_now();
        }
        let patient: Vec<_> =
            (0..4).map(|_| scope.spawn(|| registry.get_or_create::<Scripted>(&1, None).map(drop))).collect();
        let late = registry.get_or_create_within::<Scripted>(&1, None, Duration::from_millis(1));
        assert!(matches!(late, Err(Error::TimedOut { .. })));
        hold.wait();
        assert!(first.join().unwrap().is_err());
        assert!(patient.into_iter().all(|thread| thread.join().unwrap().is_ok()));
    });
    assert_eq!(script.creations(), 2);
}

/// Looks its own cache up when it is dropped.
#[derive(Clone)]
struct Reenters(Arc<Handle>);

struct Handle {
    key: u32,
    cache: Mutex<Option<SharedCache<u32, Reenters>>>,
    drops: Arc<AtomicU64>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(cache) = self.cache.lock().unwrap().take() {
            cache.peek_and_count(self.key, &self.drops);
        }
    }
}

trait PeekAndCount {
    fn peek_and_count(&self, key: u32, drops: &AtomicU64);
}

impl PeekAndCount for SharedCache<u32, Reenters> {
    fn peek_and_count(&self, key: u32, drops: &AtomicU64) {
        drops.fetch_add(1, Ordering::SeqCst);
        assert!(self.get(&key).is_none_or(|other| other.0.key == key));
        self.counters();
        self.retain(|_, _| true);
    }
}

/// Elsewhere, an evicted value was dropped under the lock that its `Drop` then asked for.
#[test]
fn what_is_evicted_may_use_its_cache_when_it_is_dropped() {
    let registry: SharedRegistry = SharedRegistry::new();
    let cache = registry.cache::<u32, Reenters>("reenters").unwrap();
    cache.set_eviction_policy(EvictionPolicy::size_limited_lru(2));
    let drops = Arc::new(AtomicU64::new(0));
    at_once(4, |thread| {
        for number in 0..200 {
            let key = (number * 7 + thread as u32) % 11;
            let make = || {
                let own = Mutex::new(Some(cache.clone()));
                Reenters(Arc::new(Handle { key, cache: own, drops: drops.clone() }))
            };
            assert_eq!(cache.get_or_make(&key, make).unwrap().0.key, key);
        }
    });
    cache.clear();
    let counters = cache.counters();
    assert_eq!(drops.load(Ordering::SeqCst), counters.misses, "each was dropped once");
}

/// A cache for one entry had a queue for none, and lost what it had just made or never ended an eviction.
#[test]
fn a_cache_of_one_entry_has_the_last_one_under_every_policy() {
    for max in [0, 1] {
        for policy in policies(max) {
            let registry: SharedRegistry = SharedRegistry::new();
            let numbers = registry.cache::<u32, u32>("number").unwrap();
            numbers.set_eviction_policy(policy);
            let mut local = numbers.local();
            for key in [1, 1, 2, 3, 3, 2, 1, 1, 1, 4] {
                assert_eq!(local.get_or_make(&key, || key).unwrap(), &key);
                assert_eq!(numbers.get(&key), Some(key), "{policy}: what was just made is there");
                assert_eq!(numbers.counters().size, 1, "{policy}");
            }
            at_once(4, |thread| {
                for number in 0..500 {
                    let key = number % (2 + thread as u32);
                    assert_eq!(numbers.get_or_make(&key, || key).unwrap(), key);
                }
            });
            assert_eq!(numbers.counters().size, 1, "{policy}");
        }
    }
}

/// The limit was split among shards, so that some keys found no room while there was some.
#[test]
fn a_small_cache_holds_as_many_as_its_limit_says_whichever_keys_they_are() {
    for policy in policies(3) {
        for step in [1_u64, 1 << 20, 1 << 32, 1 << 52] {
            let registry: SharedRegistry = SharedRegistry::new();
            let numbers = registry.cache::<u64, u64>("number").unwrap();
            numbers.set_eviction_policy(policy);
            for key in (1..=3).map(|key| key * step) {
                numbers.get_or_make(&key, || key).unwrap();
            }
            assert!((1..=3).all(|key| numbers.get(&(key * step)).is_some()), "{policy}, steps of {step}");
        }
    }
}

struct Huge;

impl CacheableKernel<()> for Huge {
    type Key = u32;
    type CachedResource = u32;
    type Params = u32;

    const CACHE_NAME: &'static str = "huge";

    fn create_cache_key(key: &u32) -> u32 {
        *key
    }

    fn create_cached_resource(key: &u32, _: Option<&()>) -> Result<u32, Error> {
        Ok(*key)
    }

    fn resource_bytes(_: &u32) -> u64 {
        u64::MAX
    }
}

/// An item heavier than its shard's part was refused, and sums of sizes overflowed.
#[test]
fn an_item_of_any_size_is_kept_and_sizes_do_not_overflow() {
    let registry = SharedRegistry::with_device(());
    registry.set_eviction_policy::<Huge>(EvictionPolicy::size_limited_lru(3));
    for key in 0..10 {
        assert_eq!(registry.get_or_create::<Huge>(&key, None).unwrap(), key);
        assert_eq!(registry.get_or_create::<Huge>(&key, None).unwrap(), key);
    }
    let metrics = registry.metrics::<Huge>().unwrap();
    assert_eq!((metrics.hits, metrics.misses, metrics.size, metrics.bytes), (10, 10, 3, u64::MAX));
    registry.clear();
    assert_eq!(registry.metrics::<Huge>().map(|metrics| metrics.bytes), Some(0));
}

/// A search for a victim among entries that may not be evicted did not end.
#[test]
fn an_eviction_ends_where_everything_is_lent_or_has_to_stay() {
    for policy in policies(2) {
        let registry: SharedRegistry = SharedRegistry::new();
        let pool = registry.pool::<u32, u32>("item").unwrap();
        pool.set_eviction_policy(policy);
        let lent: Vec<_> = (0..10).map(|key| pool.checkout(&(key % 3), || key)).collect();
        assert_eq!(pool.lent(), 10, "{policy}");
        drop(lent);
        assert!(pool.counters().size <= 10 && pool.lent() == 0, "{policy}");

        let numbers = registry.cache::<u32, u32>("number").unwrap();
        numbers.set_eviction_policy(policy.with_min_entries(usize::MAX));
        (0..10).for_each(|key| assert_eq!(numbers.get_or_make(&key, || key).ok(), Some(key)));
        assert_eq!(numbers.counters().size, 10, "{policy}: all have to stay");
    }
}
