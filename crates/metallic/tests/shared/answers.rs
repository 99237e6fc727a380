//! The answers of a shared registry and its locals, by type and by name.

use std::sync::Arc;

use metallic::caching::{CacheRegistrySlot, EvictionPolicy, SharedRegistry};
use metallic::error::Error;

use crate::kernels::{Chained, Script, Scripted};

#[test]
fn a_cache_is_asked_told_and_cleared_by_its_type_or_its_name() {
    let registry = SharedRegistry::named("engine", Some(Script::default()));
    let policies = [3, 4, 5].map(EvictionPolicy::size_limited_lru);
    registry.get_or_create::<Scripted>(&1, None).unwrap();
    let numbers = registry.cache::<u32, u32>("numbers").unwrap();
    numbers.get_or_make(&1, || 1).unwrap();

    registry.set_eviction_policy::<Scripted>(policies[0]);
    assert!(registry.set_eviction_policy_of("numbers", policies[1]));
    assert!(!registry.set_eviction_policy_of("chained", policies[2]));
    registry.get_or_create::<Chained>(&0, None).unwrap();
    let by_type = [
        registry.eviction_policy::<Scripted>(),
        numbers.eviction_policy(),
        registry.eviction_policy::<Chained>(),
    ];
    assert_eq!(by_type, policies);
    let by_name = ["scripted", "numbers", "chained"].map(|name| registry.eviction_policy_of(name));
    assert_eq!(by_name, policies.map(Some));
    assert_eq!(registry.eviction_policy_of("nothing"), None);

    assert_eq!(registry.get::<Scripted>(&1).as_deref(), Some(&1));
    assert_eq!(registry.get::<Scripted>(&2), None);
    assert_eq!(registry.metrics::<Scripted>().map(|metrics| (metrics.hits, metrics.misses)), Some((1, 1)));

    assert!(registry.clear_of("numbers") && !registry.clear_of("nothing"));
    let sizes: Vec<_> = registry.metrics_by_name().map(|(_, metrics)| metrics.size).collect();
    assert_eq!(sizes, [1, 0, 1], "of chained, numbers and scripted");
}

#[test]
fn a_parked_local_of_a_cache_without_a_kernel_keeps_nothing_alive() {
    let registry: SharedRegistry = SharedRegistry::new();
    let numbers = registry.cache::<u32, Arc<u32>>("numbers").unwrap();
    let mut local = numbers.local();
    let made = local.get_or_create_with(&1, || Ok::<_, Error>(Arc::new(1))).map(Arc::downgrade).unwrap();
    numbers.remove(&1).unwrap();
    assert!(made.upgrade().is_some(), "until then the local has it");
    local.park();
    assert!(made.upgrade().is_none());
}

/// The state of one thread.
#[derive(Default)]
struct Tokens(Vec<u32>);

impl CacheRegistrySlot for Tokens {
    fn clear_slot(&mut self) {
        self.0.clear();
    }
}

#[test]
fn a_slot_of_a_local_is_cleared_and_taken_out() {
    let registry: SharedRegistry = SharedRegistry::new();
    let mut local = registry.local();
    assert!(!local.clear_slot::<Tokens>() && local.remove_slot::<Tokens>().is_none());
    local.slot_mut(Tokens::default).0.push(7);
    assert_eq!(local.remove_slot::<Tokens>().map(|tokens| tokens.0), Some(vec![7]));
    assert!(local.slot::<Tokens>().is_none());
    local.slot_mut(Tokens::default).0.push(8);
    assert!(local.clear_slot::<Tokens>());
    assert_eq!(local.slot::<Tokens>().map(|tokens| tokens.0.len()), Some(0));
}
