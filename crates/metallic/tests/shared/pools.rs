//! Items that are lent to one holder at a time.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use metallic::caching::{CacheRegistry, EvictionPolicy, Lent, ManualClock, Pool, SharedRegistry};
use metallic::error::Error;
use metallic_instrumentation::{CacheKind, EventData, EventKind, Recorder};

fn pool<R: Send + 'static>() -> Pool<u32, R> {
    SharedRegistry::<()>::default().pool("buffer").unwrap()
}

#[test]
fn an_item_is_lent_again_when_it_was_returned_and_another_is_made_meanwhile() {
    let pool = pool();
    let made = Cell::new(0);
    let checkout = || {
        pool.checkout(&1, || {
            made.set(made.get() + 1);
            made.get()
        })
    };
    let (one, two) = (checkout(), checkout());
    assert_eq!((*one, *two, pool.lent()), (1, 2, 2));
    drop(one);
    drop(two);
    assert_eq!(*checkout(), 2, "the one that was returned last");
    assert_eq!(*pool.checkout(&2, || 20), 20);
    let counters = pool.counters();
    assert_eq!((counters.hits, counters.misses, counters.size, pool.lent()), (1, 3, 3, 0));
    assert!(pool.try_checkout(&3).is_none());
    assert_eq!(pool.try_checkout(&2).map(|lent| (*Lent::key(&lent), *lent)), Some((2, 20)));
}

#[test]
fn what_is_lent_is_never_a_victim_and_counts_for_the_limit() {
    let pool = pool();
    pool.set_eviction_policy(EvictionPolicy::size_limited_lru(2));
    let lent: Vec<_> = (0..4).map(|key| pool.checkout(&key, || key)).collect();
    assert_eq!((pool.counters().evictions, pool.lent()), (0, 4));
    assert!(lent.iter().map(|item| **item).eq(0..4), "all are in the hands of their holders");
    drop(lent);
    assert_eq!(
        (pool.counters().size, pool.counters().evictions),
        (2, 2),
        "what is over the limit is evicted"
    );
    assert!(pool.try_checkout(&3).is_some());
}

#[test]
fn each_policy_evicts_the_items_that_are_here() {
    for (policy, left) in [
        (EvictionPolicy::none(), [0, 1, 2, 3].to_vec()),
        (EvictionPolicy::size_limited_lru(2), vec![2, 3]),
        (EvictionPolicy::lru().with_max_entries(2), vec![2, 3]),
        (EvictionPolicy::fifo().with_max_entries(2), vec![2, 3]),
        (EvictionPolicy::size_limited_lru(1).with_min_entries(2), vec![1, 2, 3]),
        // They were never used again, so the first in its queue is evicted.
        (EvictionPolicy::sieve(2), vec![2, 3]),
        (EvictionPolicy::s3_fifo(2), vec![2, 3]),
    ] {
        let pool = pool();
        pool.set_eviction_policy(policy);
        (0..4).for_each(|key| drop(pool.checkout(&key, || key)));
        let here: Vec<u32> = (0..4).filter(|key| pool.try_checkout(key).is_some()).collect();
        assert_eq!(here, left, "{policy}");
    }
}

#[test]
fn idle_time_counts_from_the_return() {
    let clock = ManualClock::new();
    let registry: SharedRegistry<()> = SharedRegistry::with_clock(None, clock.clone());
    let pool = registry.pool::<u32, u32>("buffer").unwrap();
    pool.set_eviction_policy(EvictionPolicy::idle_timeout(Duration::from_secs(10)));
    let lent = pool.checkout(&1, || 1);
    clock.advance(Duration::from_secs(60));
    registry.expire_idle();
    drop(lent);
    clock.advance(Duration::from_secs(10));
    assert!(pool.try_checkout(&1).is_some(), "unused for ten seconds, and not for longer");
    clock.advance(Duration::from_secs(11));
    assert!(pool.try_checkout(&1).is_none());
    assert_eq!(pool.counters().evictions, 1);
}

#[test]
fn an_item_that_no_one_needed_for_generations_expires() {
    let registry: SharedRegistry<()> = SharedRegistry::default();
    let pool = registry.pool::<u32, u32>("buffer").unwrap();
    pool.set_eviction_policy(EvictionPolicy::none().with_max_idle_generations(2));
    let (one, two) = (pool.checkout(&1, || 1), pool.checkout(&1, || 2));
    drop((one, two));
    for _ in 0..5 {
        registry.next_generation();
        assert_eq!(*pool.checkout(&1, || 3), 2, "the last one returned, in every generation");
    }
    assert_eq!((pool.counters().size, pool.counters().evictions), (1, 1), "the other was not needed");
}

#[test]
fn an_item_comes_back_when_its_holder_panics_and_stays_away_when_it_is_detached() {
    let pool = pool();
    catch_unwind(AssertUnwindSafe(|| {
        let mut lent = pool.checkout(&1, || 1);
        *lent = 5;
        panic!("with an item in hand");
    }))
    .unwrap_err();
    let lent = pool.try_checkout(&1).unwrap();
    assert_eq!(*lent, 5);
    assert_eq!(Lent::detach(lent), 5);
    assert!(pool.try_checkout(&1).is_none());
    assert_eq!((pool.lent(), pool.counters().removals, pool.counters().size), (0, 1, 0));
}

#[test]
fn a_maker_may_check_out_of_the_same_pool_and_key_fail_and_panic() {
    let pool = pool();
    let made = pool.checkout(&1, || {
        let inner = pool.checkout(&1, || vec![1]);
        [inner.as_slice(), &[2]].concat()
    });
    assert_eq!(*made, [1, 2]);
    drop(made);
    assert_eq!(pool.counters().size, 2);
    let failed = pool.checkout_with(&2, || Err::<Vec<i32>, _>("no memory"));
    assert_eq!(failed.unwrap_err(), "no memory");
    let panicked = catch_unwind(AssertUnwindSafe(|| pool.checkout(&2, || panic!("as it was told to"))));
    assert!(panicked.is_err());
    assert_eq!((pool.lent(), pool.counters().failed_creations, pool.counters().misses), (0, 2, 4));
    assert!(pool.checkout_with(&2, || Ok::<_, Infallible>(vec![3])).is_ok());
}

#[test]
fn what_was_lent_when_its_device_was_lost_is_not_taken_back() {
    let registry: SharedRegistry<()> = SharedRegistry::default();
    let pool = registry.pool::<u32, &str>("buffer").unwrap();
    drop(pool.checkout(&1, || "here"));
    let lent = pool.checkout(&2, || "lent");
    let made = pool.checkout(&3, || {
        registry.device_lost(Some(()));
        "made on the lost one"
    });
    assert_eq!(pool.counters().size, 0);
    drop((lent, made));
    assert_eq!((pool.counters().size, pool.lent()), (0, 0));
    drop(pool.checkout(&2, || "new"));
    assert_eq!(*pool.try_checkout(&2).unwrap(), "new");
}

#[test]
fn an_item_outlives_its_registry_and_everything_is_dropped_once() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let registry: SharedRegistry<()> = SharedRegistry::default();
    let pool = registry.pool::<u32, Counted>("buffer").unwrap();
    let lent = pool.checkout(&1, || Counted(dropped.clone()));
    drop(pool.checkout(&1, || Counted(dropped.clone())));
    drop((registry, pool));
    assert_eq!(dropped.load(Ordering::SeqCst), 0, "the holder has the pool");
    thread::spawn(move || drop(lent)).join().unwrap();
    assert_eq!(dropped.load(Ordering::SeqCst), 2);
}

/// Panics when it is dropped, unless it was disarmed, and uses its pool.
struct Trap {
    pool: Arc<Mutex<Option<Pool<u32, Trap>>>>,
    is_armed: Arc<AtomicBool>,
}

impl Drop for Trap {
    fn drop(&mut self) {
        if let Some(pool) = &*self.pool.lock().unwrap() {
            pool.counters();
        }
        if self.is_armed.load(Ordering::SeqCst) {
            panic!("a trap");
        }
    }
}

#[test]
fn a_drop_that_panics_and_uses_the_pool_leaves_a_whole_pool_even_while_another_panic_unwinds() {
    let registry: SharedRegistry<()> = SharedRegistry::default();
    let traps = registry.pool::<u32, Trap>("trap").unwrap();
    traps.set_eviction_policy(EvictionPolicy::size_limited_lru(1));
    let (own, is_armed) = (Arc::new(Mutex::new(Some(traps.clone()))), Arc::new(AtomicBool::new(true)));
    let trap = || Trap { pool: own.clone(), is_armed: is_armed.clone() };
    // The second return evicts the first item.
    let (one, two) = (traps.checkout(&1, trap), traps.checkout(&2, trap));
    catch_unwind(AssertUnwindSafe(|| drop(one))).unwrap_err();
    drop(two);
    let three = traps.checkout(&2, trap);
    let four = catch_unwind(AssertUnwindSafe(|| traps.checkout(&3, trap)));
    assert!(four.is_ok(), "nothing was there to evict");
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _held = (three, four);
        panic!("the first");
    }));
    assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&"the first"));
    assert_eq!((traps.lent(), traps.counters().size), (0, 1));
    is_armed.store(false, Ordering::SeqCst);
    let last = own.lock().unwrap().take();
    drop(last);
}

thread_local! {
    static KEYED: RefCell<Option<Pool<Meddling, ()>>> = const { RefCell::new(None) };
}

/// Looks at its pool when it is dropped and when it is cloned.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Meddling(u32);

fn meddle() {
    if let Some(pool) = KEYED.with(|pool| pool.try_borrow().ok().and_then(|pool| pool.clone())) {
        pool.counters();
    }
}

impl Clone for Meddling {
    fn clone(&self) -> Self {
        meddle();
        Self(self.0)
    }
}

impl Drop for Meddling {
    fn drop(&mut self) {
        meddle();
    }
}

#[test]
fn keys_may_use_their_pool_when_they_are_cloned_and_dropped() {
    let registry: SharedRegistry<()> = SharedRegistry::default();
    let pool = registry.pool::<Meddling, ()>("meddling").unwrap();
    KEYED.set(Some(pool.clone()));
    pool.set_eviction_policy(EvictionPolicy::size_limited_lru(2));
    let checkout = |key| pool.checkout(&Meddling(key), || ());
    drop((checkout(1), checkout(1), checkout(2), checkout(3)));
    Lent::detach(checkout(3));
    registry.device_lost(None);
    drop(checkout(4));
    pool.clear();
    assert_eq!((pool.counters().size, pool.lent()), (0, 0));
    KEYED.set(None);
}

#[test]
fn a_hundred_thousand_items_of_one_key_are_cleared_in_linear_time() {
    let pool = pool();
    let items = if cfg!(miri) { 100 } else { 100_000 };
    // Quadratic time for these is a minute.
    drop((0..items).map(|item| pool.checkout(&1, || item)).collect::<Vec<_>>());
    pool.clear();
    assert_eq!(pool.counters().size, 0);
    assert!(pool.try_checkout(&1).is_none());
}

#[test]
fn items_and_keys_may_have_no_size() {
    let registry: SharedRegistry<()> = SharedRegistry::default();
    let pool = registry.pool::<(), ()>("nothing").unwrap();
    let lent: Vec<_> = (0..100).map(|_| pool.checkout(&(), || ())).collect();
    drop(lent);
    assert_eq!((pool.counters().size, pool.lent()), (100, 0));
    pool.clear();
    assert_eq!(pool.counters().size, 0);
}

#[test]
fn a_guard_that_is_forgotten_costs_its_place_and_nothing_else() {
    let pool = pool();
    pool.set_eviction_policy(EvictionPolicy::size_limited_lru(2));
    mem::forget(pool.checkout(&1, || 1));
    drop(pool.checkout(&1, || 2));
    drop(pool.checkout(&2, || 3));
    assert_eq!((pool.lent(), pool.counters().size), (1, 1));
}

#[test]
fn many_keys_and_items_come_and_go_and_memory_is_compacted() {
    let pool = pool();
    for round in 0..3 {
        let lent: Vec<_> = (0..2000).map(|item| pool.checkout(&(item % 300), || item % 300)).collect();
        assert!(lent.iter().all(|item| **item == *Lent::key(item)));
        drop(lent);
        assert_eq!(pool.counters().size, 2000, "round {round}");
        pool.set_eviction_policy(EvictionPolicy::size_limited_lru(7));
        drop(pool.checkout(&1, || 1));
        assert_eq!(pool.counters().size, 7);
        pool.set_eviction_policy(EvictionPolicy::none());
    }
}

#[test]
fn a_registry_of_one_thread_has_pools_of_items_that_stay_on_it() {
    let mut registry: CacheRegistry = CacheRegistry::new();
    let pool = registry.pool::<u32, Rc<u32>>("buffer").unwrap();
    let same = registry.pool::<u32, Rc<u32>>("buffer").unwrap();
    drop(pool.checkout(&1, || Rc::new(1)));
    assert_eq!(**same.try_checkout(&1).unwrap(), 1);
    let other = registry.pool::<u32, u32>("buffer");
    assert!(matches!(other, Err(Error::DuplicateCacheName { .. })));
    assert!(matches!(registry.keyed_cache::<u32, u32>("buffer"), Err(Error::DuplicateCacheName { .. })));
    assert_eq!(registry.metrics_of("buffer").map(|metrics| (metrics.size, metrics.hits)), Some((1, 1)));
    registry.clear();
    assert_eq!(pool.counters().size, 0);
}

#[test]
fn events_tell_pools_from_caches_and_agree_with_the_counters() {
    let registry: SharedRegistry<()> = SharedRegistry::default();
    let recorder = Arc::new(Recorder::default());
    registry.set_sink(Some(recorder.clone()));
    registry.set_eviction_policy_of("buffer", EvictionPolicy::size_limited_lru(1));
    let pool = registry.pool::<u32, u32>("buffer").unwrap();
    drop((pool.checkout(&1, || 1), pool.checkout(&2, || 2)));
    Lent::detach(pool.try_checkout(&2).unwrap());
    pool.checkout_with(&3, || Err("no")).unwrap_err();
    let events = recorder.events();
    let opened = events.iter().find_map(|event| match &event.data {
        EventData::CacheOpened(opened) => Some((opened.cache.to_string(), opened.kind, opened.max_entries)),
        _ => None,
    });
    assert_eq!(opened, Some(("buffer".to_owned(), CacheKind::Pool, Some(1))));
    let count = |kind| events.iter().filter(|event| event.kind() == kind).count() as u64;
    let counters = pool.counters();
    assert_eq!(count(EventKind::ResourceCacheAccess), counters.hits + counters.misses);
    assert_eq!(count(EventKind::ResourceCreated), counters.misses);
    assert_eq!(count(EventKind::EntryRemoved), counters.evictions + counters.removals);
    assert_eq!((counters.evictions, counters.removals, counters.failed_creations), (1, 1, 1));
}

/// Threads that take and return items of few keys. Each item says by whom it is held.
fn lend_to_threads(threads: usize, checkouts: usize) {
    struct Item(AtomicBool);
    let pool = pool::<Item>();
    pool.set_eviction_policy(EvictionPolicy::size_limited_lru(threads));
    thread::scope(|scope| {
        for thread in 0..threads {
            let pool = &pool;
            scope.spawn(move || {
                for number in 0..checkouts / threads {
                    let key = ((number * 7 + thread) % 3) as u32;
                    let item = pool.checkout(&key, || Item(AtomicBool::new(false)));
                    assert_eq!(*Lent::key(&item), key);
                    assert!(!item.0.swap(true, Ordering::Relaxed), "lent twice");
                    if number % 64 == 0 {
                        thread::yield_now();
                    }
                    item.0.store(false, Ordering::Relaxed);
                    if number % 1000 == 999 {
                        let Item(_) = Lent::detach(item);
                    }
                }
            });
        }
    });
    let counters = pool.counters();
    let checkouts = (checkouts / threads * threads) as u64;
    assert_eq!((counters.hits + counters.misses, pool.lent()), (checkouts, 0));
    assert_eq!(counters.size as u64, counters.misses - counters.evictions - counters.removals);
}

#[test]
fn an_item_is_never_lent_twice() {
    lend_to_threads(8, if cfg!(miri) { 400 } else { 200_000 });
}

/// `cargo test --release -p metallic-cache --test shared never_lent_twice -- --include-ignored`
#[test]
#[ignore = "fifty times the checkouts of the test above: by hand, in a release build"]
fn an_item_is_never_lent_twice_in_ten_million_checkouts() {
    lend_to_threads(8, 10_000_000);
}
