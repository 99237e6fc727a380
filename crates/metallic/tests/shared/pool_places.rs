//! The places and keys that a pool keeps, how long it keeps them, and what it tells of itself.

use std::sync::Arc;
use std::time::Duration;

use metallic::caching::{EvictionPolicy, Lent, ManualClock, Pool, SharedRegistry};
use metallic_instrumentation::{CreationOutcome, EventData, Recorder};

fn pool<R: Send + 'static>() -> Pool<u32, R> {
    SharedRegistry::<()>::default().pool("buffer").unwrap()
}

#[test]
fn a_pool_says_its_policy_and_expires_what_is_idle_when_it_is_told_to() {
    let clock = ManualClock::new();
    let registry: SharedRegistry<()> = SharedRegistry::with_clock(None, clock.clone());
    let pool = registry.pool::<u32, u32>("buffer").unwrap();
    let policy = EvictionPolicy::idle_timeout(Duration::from_secs(10));
    pool.set_eviction_policy(policy);
    assert_eq!((pool.eviction_policy(), registry.eviction_policy_of("buffer")), (policy, Some(policy)));
    for _ in 0..3 {
        drop(pool.checkout(&1, || 1));
    }
    let metrics = pool.metrics();
    assert_eq!((metrics.size, metrics.hits, metrics.misses), (1, 2, 1));
    assert_eq!(metrics.max_entry_reuse_count, Some(2), "an item that is lent again was used again");
    clock.advance(Duration::from_secs(11));
    assert_eq!(pool.counters().size, 1);
    pool.expire_idle();
    assert_eq!((pool.counters().size, pool.counters().evictions), (0, 1));
}

#[test]
fn an_item_that_is_detached_or_could_not_be_made_makes_room() {
    let pool = pool();
    pool.set_eviction_policy(EvictionPolicy::size_limited_lru(2));
    assert_eq!(Lent::detach(pool.checkout(&1, || 1)), 1);
    pool.checkout_with(&1, || Err::<u32, _>("no memory")).unwrap_err();
    drop((pool.checkout(&1, || 1), pool.checkout(&2, || 2)));
    let counters = pool.counters();
    assert_eq!((counters.size, counters.evictions, pool.lent()), (2, 0, 0));
}

#[test]
fn a_pool_keeps_a_key_for_as_long_as_it_has_items() {
    let registry: SharedRegistry<()> = SharedRegistry::default();
    let pool = registry.pool::<Arc<u32>, u32>("buffer").unwrap();
    let (key, other) = (Arc::new(1), Arc::new(2));
    let kept = || Arc::strong_count(&key) > 1;
    drop(pool.checkout(&other, || 2));

    drop(pool.checkout(&key, || 1));
    assert!(kept(), "an item is here");
    let lent = pool.try_checkout(&key).unwrap();
    pool.clear();
    assert!(kept(), "an item is lent");
    Lent::detach(lent);
    assert!(!kept(), "the last item was detached");

    pool.checkout_with(&key, || Err::<u32, _>("no memory")).unwrap_err();
    assert!(!kept(), "no item was made");

    let lent = pool.checkout(&other, || 2);
    drop(pool.checkout(&key, || 1));
    pool.set_eviction_policy(EvictionPolicy::size_limited_lru(1));
    drop(lent);
    assert_eq!(pool.counters().size, 1);
    assert!(!kept(), "the last item was evicted");

    pool.set_eviction_policy(EvictionPolicy::none());
    drop((pool.checkout(&key, || 1), pool.checkout(&key, || 1)));
    pool.clear();
    assert!(!kept() && Arc::strong_count(&other) == 1, "nothing is here");
}

#[test]
fn the_error_of_a_maker_is_in_its_report() {
    let (registry, recorder) = (SharedRegistry::<()>::default(), Arc::new(Recorder::default()));
    registry.set_sink(Some(recorder.clone()));
    let pool = registry.pool::<u32, u32>("buffer").unwrap();
    pool.checkout_with(&3, || Err("no memory")).unwrap_err();
    let created = recorder.events().into_iter().find_map(|event| match event.data {
        EventData::ResourceCreated(created) => Some((created.outcome, created.error)),
        _ => None,
    });
    assert_eq!(created, Some((CreationOutcome::Failed, Some("no memory".to_owned()))));
    registry.set_sink(None);
}
