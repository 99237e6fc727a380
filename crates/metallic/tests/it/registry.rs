//! Several kernels and slots in one registry.

use std::sync::Arc;

use metallic::caching::{CacheRegistry, CacheableKernel, EvictionPolicy, KernelCache, ResourceCache};
use metallic::error::MetalError;
use metallic_instrumentation::{EventKind, Recorder};

use crate::doubles::{Add, Cast, Foundry, Gpu, KvCacheState, MpsGemm, TensorPreparation, names};

/// Has the name of `Add<7>`, but multiplies.
struct Impostor;

impl<D> CacheableKernel<D> for Impostor {
    type Key = usize;
    type CachedResource = usize;
    type Params = usize;

    const CACHE_NAME: &'static str = "add007";

    fn create_cache_key(n: &usize) -> usize {
        *n
    }

    fn create_cached_resource(n: &usize, _device: Option<&D>) -> Result<usize, MetalError> {
        Ok(n * 7)
    }
}

#[test]
fn each_kernel_has_its_own_entries_policy_and_counters() {
    let mut registry = CacheRegistry::new();
    registry.set_eviction_policy::<Add<1>>(EvictionPolicy::size_limited_lru(1));
    for n in [10, 20, 10] {
        assert_eq!(*registry.get_or_create::<Add<1>>(&n, None).unwrap(), n + 1);
        assert_eq!(*registry.get_or_create::<Add<2>>(&n, None).unwrap(), n + 2);
    }
    let (one, two) = (registry.metrics::<Add<1>>().unwrap(), registry.metrics::<Add<2>>().unwrap());
    assert_eq!((one.size, one.hits, one.misses, one.evictions), (1, 0, 3, 2));
    assert_eq!((two.size, two.hits, two.misses, two.evictions), (2, 1, 2, 0));
    assert_eq!(registry.eviction_policy::<Add<1>>(), EvictionPolicy::size_limited_lru(1));
    assert_eq!(registry.eviction_policy::<Add<2>>(), EvictionPolicy::none());
}

#[test]
fn metrics_by_name_follow_the_alphabet_and_not_the_order_of_use() {
    let mut registry = CacheRegistry::new();
    registry.get_or_create::<MpsGemm>(&(1, 2, 3), None).unwrap();
    for n in 0..3 {
        registry.get_or_create::<Add<30>>(&n, None).unwrap();
    }
    registry.get_or_create::<Add<4>>(&1, None).unwrap();
    let sizes: Vec<_> = registry.metrics_by_name().map(|(name, metrics)| (name, metrics.size)).collect();
    assert_eq!(sizes, [("add004", 1), ("add030", 3), ("mps_gemm", 1)]);
}

#[test]
fn a_kernel_that_was_never_named_has_no_metrics_and_the_policy_none() {
    let mut registry = CacheRegistry::new();
    assert_eq!(registry.metrics::<MpsGemm>(), None);
    assert_eq!(registry.eviction_policy::<MpsGemm>(), EvictionPolicy::none());
    assert_eq!(registry.remove::<Add<1>>(&1), None);
    registry.clear_cache::<MpsGemm>();
    registry.clear();
    registry.expire_idle();
    assert!(registry.cache::<MpsGemm>().is_none());
    assert!(names(&registry).is_empty(), "to ask about a cache does not make it");
}

#[test]
fn a_policy_set_before_the_first_use_is_in_force_at_the_first_use() {
    let mut registry = CacheRegistry::new();
    registry.set_eviction_policy::<Add<1>>(EvictionPolicy::fifo().with_max_entries(2));
    assert_eq!(registry.metrics::<Add<1>>().unwrap().size, 0);
    for n in 0..5 {
        registry.get_or_create::<Add<1>>(&n, None).unwrap();
    }
    assert_eq!(registry.metrics::<Add<1>>().unwrap().size, 2);
    assert_eq!(registry.eviction_policy::<Add<1>>(), EvictionPolicy::fifo().with_max_entries(2));
}

#[test]
fn cache_mut_is_the_cache_the_registry_uses() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    let casts = registry.cache_mut::<Cast>();
    assert!(casts.is_empty());
    casts.set_eviction_policy(EvictionPolicy::size_limited_lru(2));
    for size in [1, 2, 3] {
        assert_eq!(casts.get_or_create(&size, None).unwrap().size, size, "made on the registry's device");
    }
    assert_eq!(casts.len(), 2);
    registry.get_or_create::<Cast>(&3, None).unwrap();
    let metrics = registry.metrics::<Cast>().unwrap();
    assert_eq!((metrics.hits, metrics.misses), (1, 3));
    assert_eq!(registry.cache::<Cast>().map(KernelCache::len), Some(2));
}

#[test]
fn a_resource_can_be_changed_in_place() {
    let mut registry = CacheRegistry::new();
    *registry.get_or_create::<Add<1>>(&1, None).unwrap() = 100;
    *registry.get_or_create::<Add<1>>(&1, None).unwrap() += 11;
    assert_eq!(registry.cache::<Add<1>>().unwrap().peek(&1), Some(&111));
}

#[test]
fn a_peek_counts_nothing_and_is_no_use() {
    let mut registry = CacheRegistry::new();
    registry.set_eviction_policy::<Add<1>>(EvictionPolicy::size_limited_lru(2));
    for n in [1, 2] {
        registry.get_or_create::<Add<1>>(&n, None).unwrap();
    }
    let cache = registry.cache::<Add<1>>().unwrap();
    assert_eq!((cache.peek(&1), cache.peek(&3)), (Some(&2), None));
    registry.get_or_create::<Add<1>>(&3, None).unwrap();
    let cache = registry.cache::<Add<1>>().unwrap();
    assert_eq!((cache.peek(&1), cache.peek(&2)), (None, Some(&3)));
    assert_eq!((cache.metrics().hits, cache.metrics().misses), (0, 3));
}

#[test]
fn remove_hands_the_resource_over_and_counts_no_eviction() {
    let mut registry = CacheRegistry::new();
    for n in [1, 2] {
        registry.get_or_create::<Add<1>>(&n, None).unwrap();
    }
    assert_eq!(registry.remove::<Add<1>>(&1), Some(2));
    assert_eq!(registry.remove::<Add<1>>(&1), None);
    let metrics = registry.metrics::<Add<1>>().unwrap();
    assert_eq!((metrics.size, metrics.removals, metrics.evictions), (1, 1, 0));
    registry.get_or_create::<Add<1>>(&1, None).unwrap();
    assert_eq!(registry.metrics::<Add<1>>().unwrap().misses, 3);
}

#[test]
fn clear_cache_empties_one_cache_and_keeps_its_policy_and_counters() {
    let mut registry = CacheRegistry::new();
    registry.set_eviction_policy::<Add<1>>(EvictionPolicy::size_limited_lru(5));
    for n in [1, 2, 2] {
        registry.get_or_create::<Add<1>>(&n, None).unwrap();
        registry.get_or_create::<Add<2>>(&n, None).unwrap();
    }
    registry.clear_cache::<Add<1>>();
    let (one, two) = (registry.metrics::<Add<1>>().unwrap(), registry.metrics::<Add<2>>().unwrap());
    assert_eq!((one.size, one.hits, one.misses, one.removals, one.evictions), (0, 1, 2, 2, 0));
    assert_eq!((two.size, two.removals), (2, 0));
    assert_eq!(registry.eviction_policy::<Add<1>>(), EvictionPolicy::size_limited_lru(5));
    assert_eq!(*registry.get_or_create::<Add<1>>(&1, None).unwrap(), 2);
}

#[test]
fn clear_empties_all_caches_and_clears_all_slots() {
    let mut registry = CacheRegistry::new();
    registry.get_or_create::<Add<1>>(&1, None).unwrap();
    registry.get_or_create::<MpsGemm>(&(1, 2, 3), None).unwrap();
    registry.slot_mut(KvCacheState::<f32>::default).blocks.push(1.5);
    registry.slot_mut(TensorPreparation::default).prepared.insert("weights".to_owned(), 3);
    registry.clear();
    assert!(registry.metrics_by_name().all(|(_, metrics)| metrics.size == 0 && metrics.removals == 1));
    assert_eq!(names(&registry), ["add001", "mps_gemm"]);
    assert!(registry.slot::<KvCacheState<f32>>().unwrap().blocks.is_empty());
    assert!(registry.slot::<TensorPreparation>().unwrap().prepared.is_empty());
}

// Names.

#[test]
fn the_second_kernel_of_a_name_is_refused_at_its_first_use() {
    let mut registry = CacheRegistry::new();
    registry.get_or_create::<Add<7>>(&1, None).unwrap();
    let refused = registry.get_or_create::<Impostor>(&1, None);
    let Err(MetalError::DuplicateCacheName { name, first, second }) = refused else { panic!("{refused:?}") };
    assert_eq!(name, "add007");
    assert!(first.contains("Add<7>") && second.contains("Impostor"), "{first}, {second}");
}

#[test]
fn the_first_kernel_of_a_name_goes_on_as_if_there_were_no_second() {
    let recorder = Arc::new(Recorder::new());
    let mut registry = CacheRegistry::new().with_sink(recorder.clone());
    registry.get_or_create::<Add<7>>(&1, None).unwrap();
    recorder.clear();
    for n in 0..3 {
        assert!(registry.get_or_create::<Impostor>(&n, None).is_err(), "again and again");
        assert!(registry.cache_mut::<Impostor>().get_or_create(&n, None).is_err());
    }
    assert_eq!(recorder.events(), [], "what was refused did not happen");
    let refused = registry.metrics::<Impostor>().unwrap();
    assert_eq!((refused.size, refused.hits, refused.misses, refused.failed_creations), (0, 0, 0, 0));
    assert_eq!(refused.last_event, None);

    assert_eq!(*registry.get_or_create::<Add<7>>(&1, None).unwrap(), 8);
    assert_eq!(*registry.get_or_create::<Add<7>>(&2, None).unwrap(), 9);
    let shown: Vec<_> =
        registry.metrics_by_name().map(|(name, metrics)| (name, metrics.hits, metrics.misses)).collect();
    assert_eq!(shown, [("add007", 1, 2)]);
}

#[test]
fn a_kernel_that_was_refused_leaves_no_trace_in_the_log_of_the_first() {
    let recorder = Arc::new(Recorder::new());
    let mut registry = CacheRegistry::new().with_sink(recorder.clone());
    registry.get_or_create::<Add<7>>(&1, None).unwrap();
    registry.set_eviction_policy::<Impostor>(EvictionPolicy::size_limited_lru(1));
    registry.clear();
    assert_eq!(recorder.count(EventKind::CachePolicyChanged), 0);
    assert_eq!(recorder.count(EventKind::CacheCleared), 1);
}

#[test]
fn the_name_belongs_to_the_kernel_that_was_named_first_even_if_only_for_a_policy() {
    let mut registry = CacheRegistry::new();
    registry.set_eviction_policy::<Impostor>(EvictionPolicy::lru());
    assert!(registry.get_or_create::<Add<7>>(&1, None).is_err());
    assert_eq!(*registry.get_or_create::<Impostor>(&3, None).unwrap(), 21);
}

#[test]
fn two_registries_may_each_have_a_kernel_of_one_name() {
    let (mut one, mut other) = (CacheRegistry::new(), CacheRegistry::new());
    assert_eq!(*one.get_or_create::<Add<7>>(&3, None).unwrap(), 10);
    assert_eq!(*other.get_or_create::<Impostor>(&3, None).unwrap(), 21);
}

// Text.

#[test]
fn the_debug_form_of_a_registry_is_its_metrics_by_name() {
    let mut registry = CacheRegistry::new();
    assert_eq!(format!("{registry:?}"), "{}");
    registry.get_or_create::<MpsGemm>(&(1, 2, 3), None).unwrap();
    registry.get_or_create::<Add<1>>(&1, None).unwrap();
    let text = format!("{registry:?}");
    assert!(text.starts_with(r#"{"add001": CacheMetrics { size: 1, hits: 0, misses: 1"#), "{text}");
    assert!(text.contains(r#""mps_gemm": CacheMetrics"#), "{text}");
    let facade = format!("{:?}", ResourceCache::from(registry));
    assert!(facade.starts_with(r#"ResourceCache { registry: {"add001""#), "{facade}");
}

// Threads.

#[test]
fn caches_are_send_by_their_contents() {
    fn is_send<T: Send>() {}
    is_send::<KernelCache<Add<1>>>();
    is_send::<KernelCache<MpsGemm, Gpu>>();
}
