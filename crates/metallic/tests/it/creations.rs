//! Creations that need resources of other kernels, and what a cache keeps of one that failed.

use std::sync::Arc;
use std::time::Duration;

use metallic::caching::{CacheRegistry, CacheableKernel, Creation, EvictionPolicy, KernelCache};
use metallic::error::MetalError;
use metallic_instrumentation::EventData;

use crate::doubles::{Cast, Foundry, Mood, SECOND, data, panics};

/// A frame of so many casts, one inside of the other: each is made with the next smaller one.
struct Nest;

#[derive(Clone, Debug, PartialEq)]
struct Nested {
    depth: u32,
    serials: Vec<u64>,
}

impl CacheableKernel<Foundry> for Nest {
    type Key = u32;
    type CachedResource = Nested;
    type Params = u32;

    const CACHE_NAME: &'static str = "nest";

    fn create_cache_key(depth: &u32) -> u32 {
        *depth
    }

    fn create_cached_resource(_: &u32, _: Option<&Foundry>) -> Result<Nested, MetalError> {
        unreachable!("`create` is called instead")
    }

    fn create(depth: &u32, cx: &mut Creation<'_, Self, Foundry>) -> Result<Nested, MetalError> {
        let device = cx.device().ok_or(MetalError::DeviceNotAvailable)?;
        device.wait(SECOND);
        let cast = cx.get_or_create::<Cast>(depth)?;
        let mut serials = vec![cast.serial];
        if *depth > 0 {
            serials.extend(cx.get_or_create::<Nest>(&(depth - 1))?.serials);
        }
        Ok(Nested { depth: *depth, serials })
    }
}

#[test]
fn a_creation_may_create_others_of_its_own_cache_and_of_another() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    foundry.set_cost(10 * SECOND);
    let nested = registry.get_or_create::<Nest>(&2, None).unwrap();
    assert_eq!(*nested, Nested { depth: 2, serials: vec![1, 2, 3] });
    let order: Vec<_> = data(&recorder)
        .into_iter()
        .filter_map(|data| match data {
            EventData::ResourceCreated(created) => {
                let seconds = |ns| Duration::from_nanos(ns).as_secs();
                let cache_key = created.cache_key.to_string();
                Some((cache_key, seconds(created.duration_ns), seconds(created.own_duration_ns)))
            }
            _ => None,
        })
        .collect();
    let expected = [
        ("cast:CastKey{size:2}", 10, 10),
        ("cast:CastKey{size:1}", 10, 10),
        ("cast:CastKey{size:0}", 10, 10),
        ("nest:0", 11, 1),
        ("nest:1", 22, 1),
        ("nest:2", 33, 1),
    ];
    assert_eq!(order, expected.map(|(key, whole, own)| (key.to_owned(), whole, own)));
    // No time is counted twice.
    assert_eq!(registry.metrics::<Nest>().unwrap().creation_time, 3 * SECOND);
    assert_eq!(registry.metrics::<Cast>().unwrap().creation_time, 30 * SECOND);
    for _ in 0..2 {
        registry.get_or_create::<Nest>(&1, None).unwrap();
    }
    assert_eq!(registry.metrics::<Nest>().unwrap().hits, 2);
}

#[test]
fn a_cache_for_one_entry_keeps_the_outermost() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    registry.set_eviction_policy::<Nest>(EvictionPolicy::size_limited_lru(1));
    assert_eq!(registry.get_or_create::<Nest>(&4, None).unwrap().depth, 4);
    let cache = registry.cache::<Nest>().unwrap();
    cache.validate();
    assert_eq!((cache.len(), cache.metrics().evictions), (1, 4));
    assert!(cache.peek(&4).is_some());
}

#[test]
fn a_panic_or_error_inside_of_a_creation_fails_all_around_it_and_no_more() {
    for mood in [Mood::Panicking, Mood::OutOfRegisters] {
        let foundry = Foundry::default();
        let mut registry = foundry.registry();
        foundry.set_mood(mood);
        let failed = panics(|| {
            let error = registry.get_or_create::<Nest>(&2, None).unwrap_err();
            assert_eq!(error.to_string(), "cannot create `nest:2`");
            assert_eq!(error.root().to_string(), "pipeline compilation failed");
        });
        assert_eq!(failed, matches!(mood, Mood::Panicking));
        for (name, metrics) in registry.metrics_by_name() {
            assert_eq!((metrics.size, metrics.misses, metrics.failed_creations), (0, 1, 1), "{name}");
        }
        foundry.set_mood(Mood::Well);
        registry.get_or_create::<Nest>(&2, None).unwrap();
        registry.cache::<Nest>().unwrap().validate();
    }
}

#[test]
fn a_creation_is_given_what_is_there_without_making_it_again() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    registry.get_or_create::<Cast>(&0, None).unwrap();
    registry.get_or_create::<Nest>(&0, None).unwrap();
    let metrics = registry.metrics::<Cast>().unwrap();
    assert_eq!((metrics.hits, metrics.misses), (1, 1));
}

/// Chicken and egg.
struct Cycle;

impl CacheableKernel<Foundry> for Cycle {
    type Key = bool;
    type CachedResource = ();
    type Params = bool;

    const CACHE_NAME: &'static str = "cycle";

    fn create_cache_key(is_egg: &bool) -> bool {
        *is_egg
    }

    fn create_cached_resource(_: &bool, _: Option<&Foundry>) -> Result<(), MetalError> {
        unreachable!("`create` is called instead")
    }

    fn create(is_egg: &bool, cx: &mut Creation<'_, Self, Foundry>) -> Result<(), MetalError> {
        cx.get_or_create::<Cycle>(&!is_egg)
    }
}

#[test]
fn a_cycle_of_creations_is_an_error_that_names_the_key() {
    let mut registry = Foundry::default().registry();
    let error = registry.get_or_create::<Cycle>(&true, None).unwrap_err();
    assert_eq!(error.root().to_string(), "the creation of `cycle:true` needs `cycle:true`");
    assert!(matches!(error.root(), MetalError::RecursiveCreation { .. }));
    let metrics = registry.metrics::<Cycle>().unwrap();
    assert_eq!((metrics.size, metrics.misses, metrics.failed_creations), (0, 2, 2));
}

#[test]
fn a_cache_that_stands_alone_has_nothing_to_create_from() {
    let mut cache = KernelCache::<Nest, Foundry>::default().with_device(Foundry::default());
    let error = cache.get_or_create(&0, None).unwrap_err();
    assert!(matches!(error.root(), MetalError::NoRegistry));
}

#[test]
fn of_a_failed_creation_nothing_is_kept_alive_but_its_label() {
    let mut registry: CacheRegistry = CacheRegistry::new();
    let cache = registry.keyed_cache::<Arc<str>, ()>("buffers").unwrap();
    let key: Arc<str> = "one".into();
    cache.get_or_create_with(&key, || Err("no room")).unwrap_err();
    assert_eq!(Arc::strong_count(&key), 1);
    let event = cache.metrics().last_event.unwrap();
    assert_eq!(event.to_string(), "creation failed buffers:\"one\"");
}

/// A kernel that is generic over a type, with one constant for all of them.
struct Generic<T>(T);

impl<T: Default + Clone + 'static> CacheableKernel for Generic<T> {
    type Key = u32;
    type CachedResource = T;
    type Params = u32;

    const CACHE_NAME: &'static str = "generic";

    fn create_cache_key(n: &u32) -> u32 {
        *n
    }

    fn create_cached_resource(_: &u32, _: Option<&metallic::Device>) -> Result<T, MetalError> {
        Ok(Generic(T::default()).0)
    }
}

#[test]
fn caches_of_a_generic_kernel_are_told_apart_by_the_names_they_are_given() {
    let mut registry = CacheRegistry::new();
    registry.set_cache_name::<Generic<f32>>("generic.f32").unwrap();
    registry.set_cache_name::<Generic<u8>>("generic.u8").unwrap();
    registry.get_or_create::<Generic<f32>>(&1, None).unwrap();
    registry.get_or_create::<Generic<u8>>(&1, None).unwrap();
    let names: Vec<_> = registry.metrics_by_name().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(names, ["generic.f32", "generic.u8"]);
    let taken = registry.set_cache_name::<Generic<u16>>("generic.u8").unwrap_err();
    assert!(matches!(taken, MetalError::DuplicateCacheName { .. }));
    let used = registry.set_cache_name::<Generic<u8>>("other").unwrap_err();
    assert_eq!(
        used.to_string(),
        "invalid parameters: the cache `generic.u8` is in use and cannot be named `other`"
    );
}

#[test]
fn a_cache_that_was_refused_for_its_name_can_be_given_another() {
    let mut registry = CacheRegistry::new();
    registry.get_or_create::<Generic<f32>>(&1, None).unwrap();
    registry.get_or_create::<Generic<u8>>(&1, None).unwrap_err();
    registry.set_cache_name::<Generic<u8>>("generic.u8").unwrap();
    registry.get_or_create::<Generic<u8>>(&1, None).unwrap();
}
