//! Whose device a resource is made on.

use std::sync::Arc;

use metallic::caching::{CacheRegistry, CacheableKernel, KernelCache, ResourceCache};
use metallic::error::MetalError;

use crate::doubles::{Cast, CastKey, Foundry, Gpu, MpsGemm};

struct Npu;

/// Where a resource was made.
struct WhereMade;

impl CacheableKernel<Gpu> for WhereMade {
    type Key = u32;
    type CachedResource = &'static str;
    type Params = u32;

    const CACHE_NAME: &'static str = "where_made";

    fn create_cache_key(n: &u32) -> u32 {
        *n
    }

    fn create_cached_resource(_: &u32, device: Option<&Gpu>) -> Result<&'static str, MetalError> {
        device.map(|gpu| gpu.name).ok_or(MetalError::DeviceNotAvailable)
    }
}

impl CacheableKernel<Npu> for WhereMade {
    type Key = u32;
    type CachedResource = u64;
    type Params = u32;

    const CACHE_NAME: &'static str = "where_made";

    fn create_cache_key(n: &u32) -> u32 {
        *n
    }

    fn create_cached_resource(n: &u32, device: Option<&Npu>) -> Result<u64, MetalError> {
        device.map(|_| u64::from(*n)).ok_or(MetalError::DeviceNotAvailable)
    }
}

#[test]
fn no_device_named_means_the_registrys_own_and_a_device_named_goes_before_it() {
    let mut registry = CacheRegistry::with_device(Gpu { name: "own" });
    assert_eq!(registry.device().map(|gpu| gpu.name), Some("own"));
    assert_eq!(*registry.get_or_create::<WhereMade>(&1, None).unwrap(), "own");
    let callers = Gpu { name: "the caller's" };
    assert_eq!(*registry.get_or_create::<WhereMade>(&2, Some(&callers)).unwrap(), "the caller's");
    assert_eq!(*registry.get_or_create::<WhereMade>(&1, Some(&callers)).unwrap(), "own", "a hit makes none");
}

#[test]
fn a_kernel_that_needs_a_device_fails_where_there_is_none() {
    let mut registry = CacheRegistry::<Gpu>::default();
    assert!(registry.device().is_none());
    let refused = registry.get_or_create::<WhereMade>(&1, None).unwrap_err();
    assert!(matches!(refused.root(), MetalError::DeviceNotAvailable));
    let callers = Gpu { name: "the caller's" };
    assert_eq!(*registry.get_or_create::<WhereMade>(&1, Some(&callers)).unwrap(), "the caller's");
}

#[test]
fn one_kernel_serves_two_types_of_device() {
    let mut gpu = CacheRegistry::with_device(Gpu { name: "gpu" });
    let mut npu = CacheRegistry::with_device(Npu);
    assert_eq!(*gpu.get_or_create::<WhereMade>(&5, None).unwrap(), "gpu");
    assert_eq!(*npu.get_or_create::<WhereMade>(&5, None).unwrap(), 5);
}

#[test]
fn a_facade_method_written_once_serves_every_device_its_kernel_serves() {
    trait ProductCache {
        fn get_or_create_product(
            &mut self,
            m: usize,
            n: usize,
            k: usize,
        ) -> Result<&mut Arc<str>, MetalError>;
    }
    impl<D: 'static> ProductCache for ResourceCache<D> {
        fn get_or_create_product(
            &mut self,
            m: usize,
            n: usize,
            k: usize,
        ) -> Result<&mut Arc<str>, MetalError> {
            self.registry_mut().get_or_create::<MpsGemm>(&(m, n, k), None)
        }
    }
    let mut host = ResourceCache::new();
    let mut gpu = ResourceCache::with_device(Gpu { name: "gpu" });
    assert_eq!(&**host.get_or_create_product(1, 2, 3).unwrap(), "1 x 2 x 3");
    assert_eq!(&**gpu.get_or_create_product(4, 5, 6).unwrap(), "4 x 5 x 6");
    assert_eq!(gpu.registry().metrics::<MpsGemm>().unwrap().misses, 1);
    assert_eq!(gpu.registry().device().map(|gpu| gpu.name), Some("gpu"));
}

#[test]
fn a_cache_can_stand_alone_on_a_device_of_its_own() {
    let foundry = Foundry::default();
    let mut casts =
        KernelCache::<Cast, _>::default().with_device(foundry.clone()).with_clock(foundry.clock().clone());
    assert_eq!(casts.get_or_create(&4, None).unwrap().serial, 1);
    assert_eq!(casts.remove(&CastKey { size: 4 }).map(|casting| casting.size), Some(4));
    assert!(casts.is_empty());
}
