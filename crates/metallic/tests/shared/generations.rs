//! Idle time in the engine's own time.

use std::sync::Arc;

use metallic::caching::{
    CacheEvent, CacheRegistry, CacheRegistrySlot, EvictionPolicy, EvictionReason, SharedRegistry,
};

use crate::kernels::{Script, Scripted};

fn registry() -> SharedRegistry<Script> {
    let registry = SharedRegistry::with_device(Script::default());
    registry.set_eviction_policy::<Scripted>(EvictionPolicy::none().with_max_idle_generations(1));
    registry
}

fn is_there(registry: &SharedRegistry<Script>, key: u32) -> bool {
    registry.peek::<Scripted>(&key).is_some()
}

#[test]
fn the_hits_of_locals_keep_an_entry_through_generations() {
    let registry = registry();
    registry.set_eviction_policy::<Scripted>(EvictionPolicy::none().with_max_idle_generations(2));
    let (mut one, mut two) = (registry.local(), registry.local());
    for key in 0..3 {
        one.get_or_create::<Scripted>(&key, None).unwrap();
    }
    for generation in 0..9 {
        one.get_or_create::<Scripted>(&0, None).unwrap();
        // By another thread's view, every other time.
        if generation % 2 == 0 {
            two.get_or_create::<Scripted>(&1, None).unwrap();
        }
        one.next_generation();
    }
    assert_eq!([0, 1, 2].map(|key| is_there(&registry, key)), [true, true, false]);
    assert_eq!(
        registry.metrics::<Scripted>().map(|metrics| (metrics.evictions, metrics.misses)),
        Some((1, 3))
    );
    // What was counted by a local that is gone is no use in this generation.
    drop((one, two));
    (0..3).for_each(|_| registry.next_generation());
    assert_eq!([0, 1].map(|key| is_there(&registry, key)), [false, false]);
}

#[test]
fn a_local_lets_go_of_what_expired() {
    let registry = registry();
    let mut local = registry.local();
    let resource = local.get_or_create::<Scripted>(&1, None).unwrap().clone();
    (0..2).for_each(|_| registry.next_generation());
    assert_eq!(Arc::strong_count(&resource), 2, "the local's and ours");
    local.get_or_create::<Scripted>(&2, None).unwrap();
    assert_eq!(Arc::strong_count(&resource), 1);
    assert!(!Arc::ptr_eq(local.get_or_create::<Scripted>(&1, None).unwrap(), &resource), "created anew");
}

#[test]
fn a_limit_counts_from_when_it_is_set_and_a_lower_one_holds_at_the_next_operation() {
    let registry = SharedRegistry::with_device(Script::default());
    registry.get_or_create::<Scripted>(&1, None).unwrap();
    (0..10).for_each(|_| registry.next_generation());
    registry.set_eviction_policy::<Scripted>(EvictionPolicy::none().with_max_idle_generations(5));
    (0..5).for_each(|_| registry.next_generation());
    assert!(is_there(&registry, 1), "idle for five generations that count");
    registry.get_or_create::<Scripted>(&2, None).unwrap();
    registry.set_eviction_policy::<Scripted>(EvictionPolicy::none().with_max_idle_generations(4));
    assert!(!is_there(&registry, 1), "hidden, as the next look-up evicts it");
    let mut local = registry.local();
    local.get_or_create::<Scripted>(&2, None).unwrap();
    let metrics = registry.metrics::<Scripted>().unwrap();
    assert_eq!((metrics.size, metrics.evictions), (1, 1));
    (0..5).for_each(|_| registry.next_generation());
    let metrics = registry.metrics::<Scripted>().unwrap();
    let evicted = CacheEvent::Evicted { count: 1, reason: EvictionReason::IdleGenerations(4) };
    assert_eq!((metrics.size, metrics.last_event), (0, Some(evicted)));
}

#[test]
fn entries_that_have_to_stay_and_limits_on_size_hold_beside_generations() {
    let registry = registry();
    let policy = EvictionPolicy::size_limited_lru(3).with_max_idle_generations(0).with_min_entries(2);
    registry.set_eviction_policy::<Scripted>(policy);
    for key in 0..4 {
        registry.get_or_create::<Scripted>(&key, None).unwrap();
    }
    assert_eq!(registry.metrics::<Scripted>().map(|metrics| metrics.size), Some(3));
    registry.next_generation();
    assert_eq!([1, 2, 3].map(|key| is_there(&registry, key)), [false, true, true]);
    registry.get_or_create::<Scripted>(&5, None).unwrap();
    registry.get_or_create::<Scripted>(&5, None).unwrap();
    assert_eq!([2, 3, 5].map(|key| is_there(&registry, key)), [false, true, true]);
}

/// Counts the generations that it is told of.
#[derive(Default)]
struct Steps(u64);

impl CacheRegistrySlot for Steps {
    fn clear_slot(&mut self) {
        self.0 = 0;
    }

    fn next_generation(&mut self) {
        self.0 += 1;
    }
}

#[test]
fn slots_and_pools_are_told_of_generations_by_every_registry() {
    let policy = EvictionPolicy::none().with_max_idle_generations(0);
    let mut own: CacheRegistry = CacheRegistry::new();
    let pool = own.pool::<u32, u32>("item").unwrap();
    let handle = own.shared_cache::<u32, u32>("number").unwrap();
    pool.set_eviction_policy(policy);
    handle.set_eviction_policy(policy);
    own.slot_mut(Steps::default);
    drop(pool.checkout(&1, || 1));
    handle.get_or_make(&1, || 1).unwrap();
    own.next_generation();
    assert_eq!((pool.counters().size, handle.counters().size), (0, 0));
    assert_eq!(own.slot::<Steps>().map(|steps| steps.0), Some(1));

    let shared: SharedRegistry = SharedRegistry::new();
    let mut local = shared.local();
    let pool = local.pool::<u32, u32>("item").unwrap();
    pool.set_eviction_policy(policy);
    local.slot_mut(Steps::default);
    drop(pool.checkout(&1, || 1));
    local.next_generation();
    assert_eq!((pool.counters().size, local.slot::<Steps>().map(|steps| steps.0)), (0, Some(1)));
}
