//! Caches that are asked and told by their names, whatever they are, and what a cache without a kernel has besides.

use std::time::Duration;

use metallic::Dtype;
use metallic::caching::{CacheRegistry, EvictionPolicy, KernelCache, ManualClock};
use metallic::error::Error;
use metallic::slots::{PreparedForm, TensorPreparationCache, Versioned};

use crate::doubles::{Add, SECOND, names};
use crate::prepared_tensors::Values;

/// A registry with a cache of each kind, with one entry each, and a kernel whose name was taken. Their names.
fn one_of_each(registry: &mut CacheRegistry) -> [String; 4] {
    registry.get_or_create::<Add<1>>(&1, None).unwrap();
    registry.keyed_cache::<u32, u32>("numbers").unwrap().insert_made(1, 1);
    drop(registry.pool::<u32, u32>("pool").unwrap().checkout(&1, || 1));
    let source = Versioned::new(1.0);
    let tensors = registry.slot_mut(TensorPreparationCache::<Values>::default);
    let made = || Ok(Values(vec![1.0]));
    tensors.get_or_prepare(source.version(), PreparedForm::as_is(Dtype::F32), made).unwrap();
    let names: Vec<_> = names(registry).into_iter().map(str::to_owned).collect();
    names.try_into().unwrap()
}

#[test]
fn a_cache_of_any_kind_is_asked_told_and_cleared_by_its_name() {
    let mut registry = CacheRegistry::new();
    let names = one_of_each(&mut registry);
    let policy_of = |number| EvictionPolicy::size_limited_lru(10 + number);
    for (number, name) in names.iter().enumerate() {
        assert!(registry.set_eviction_policy_of(name, policy_of(number)), "{name}");
    }
    for (number, name) in names.iter().enumerate() {
        assert_eq!(registry.eviction_policy_of(name), Some(policy_of(number)), "{name}");
        let counts = registry.metrics_of(name).map(|metrics| (metrics.size, metrics.misses));
        assert_eq!(counts, Some((1, 1)), "{name}");
    }
    let is_empty = |registry: &CacheRegistry| registry.cache::<Add<1>>().map(KernelCache::is_empty);
    assert_eq!(is_empty(&registry), Some(false));
    for (number, name) in names.iter().enumerate() {
        assert!(registry.clear_of(name), "{name}");
        let sizes: Vec<_> = registry.metrics_by_name().map(|(_, metrics)| metrics.size).collect();
        assert!(sizes.iter().enumerate().all(|(other, size)| *size == usize::from(other > number)), "{name}");
    }
    assert_eq!(is_empty(&registry), Some(true));
}

#[test]
fn a_name_that_no_cache_has_is_told_for_later() {
    let mut registry = CacheRegistry::<()>::default();
    assert!(registry.eviction_policy_of("numbers").is_none() && registry.metrics_of("numbers").is_none());
    assert!(!registry.clear_of("numbers"));
    let policy = EvictionPolicy::size_limited_lru(7);
    assert!(!registry.set_eviction_policy_of("numbers", policy));
    assert_eq!(registry.keyed_cache::<u32, u32>("other").unwrap().eviction_policy(), EvictionPolicy::none());
    assert_eq!(registry.keyed_cache::<u32, u32>("numbers").unwrap().eviction_policy(), policy);
}

#[test]
fn a_registry_expires_what_is_idle_in_caches_of_any_kind() {
    let clock = ManualClock::new();
    let mut registry = CacheRegistry::new().with_clock(clock.clone());
    for name in one_of_each(&mut registry) {
        registry.set_eviction_policy_of(&name, EvictionPolicy::idle_timeout(SECOND));
    }
    let sizes = |registry: &CacheRegistry| registry.metrics_by_name().map(|(_, now)| now.size).sum::<usize>();
    clock.advance(SECOND);
    registry.expire_idle();
    assert_eq!(sizes(&registry), 4, "exactly the idle time");
    clock.advance(Duration::from_nanos(1));
    registry.expire_idle();
    assert_eq!(sizes(&registry), 0);
}

#[test]
fn a_registry_ends_a_generation_of_caches_of_any_kind() {
    let mut registry = CacheRegistry::new();
    for name in one_of_each(&mut registry) {
        registry.set_eviction_policy_of(&name, EvictionPolicy::none().with_max_idle_generations(1));
    }
    for left in [4, 0] {
        registry.next_generation();
        let sizes = registry.metrics_by_name().map(|(_, metrics)| metrics.size);
        assert_eq!(sizes.sum::<usize>(), left);
    }
}

#[test]
fn a_cache_without_a_kernel_says_that_it_is_empty_and_keeps_what_it_is_told_to() {
    let mut registry = CacheRegistry::<()>::default();
    let numbers = registry.keyed_cache::<u32, u32>("numbers").unwrap();
    assert!(numbers.is_empty());
    for key in 0..10 {
        numbers.insert_made(key, key * key);
    }
    assert_eq!(numbers.retain(|key, square| *key > 3 && *square < 50), 6);
    assert!(!numbers.is_empty());
    assert!((0..10).filter(|key| numbers.peek(key).is_some()).eq(4..8));
    assert_eq!(numbers.counters().removals, 6);
}

#[test]
fn who_asks_for_a_name_with_other_types_is_told_whose_it_is() {
    let mut registry = CacheRegistry::<()>::default();
    registry.keyed_cache::<u32, u8>("numbers").unwrap();
    let refused = registry.keyed_cache::<u32, u16>("numbers").map(drop);
    let Err(Error::DuplicateCacheName { first, second, .. }) = refused else { panic!("{refused:?}") };
    assert!(
        first.contains("KeyedCache<u32, u8>") && second.contains("KeyedCache<u32, u16>"),
        "{first} {second}"
    );
}
