//! Whose device a resource is made on.

use std::sync::Arc;

use metallic::Dtype;
use metallic::caching::{CacheRegistry, CacheableKernel, KernelCache, ResourceCache};
use metallic::device::ComputeDevice;
use metallic::error::MetalError;
use metallic::slots::{PreparedForm, Versioned};

use crate::doubles::{Cast, CastKey, Foundry, Gpu, MpsGemm};
use crate::vec_device::VecDevice;

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

// Devices that can be told apart.

/// A kernel that knows one device from another.
struct Marked;

impl CacheableKernel<VecDevice> for Marked {
    type Key = u32;
    type CachedResource = Option<u64>;
    type Params = u32;

    const CACHE_NAME: &'static str = "marked";

    fn create_cache_key(n: &u32) -> u32 {
        *n
    }

    fn create_cached_resource(n: &u32, device: Option<&VecDevice>) -> Result<Option<u64>, MetalError> {
        if *n == 0 {
            return Err(MetalError::invalid_params("zero"));
        }
        Ok(device.ok_or(MetalError::DeviceNotAvailable)?.identity())
    }

    fn device_identity(device: &VecDevice) -> Option<u64> {
        device.identity()
    }
}

#[test]
fn what_was_made_on_one_device_is_not_given_out_for_another() {
    let (first, second) = (VecDevice::default(), VecDevice::default());
    let mut registry = CacheRegistry::with_device(first.clone());
    registry.get_or_create::<Marked>(&1, None).unwrap();
    registry.get_or_create::<Marked>(&1, Some(&first.clone())).unwrap();
    for key in [1, 2] {
        let error = registry.get_or_create::<Marked>(&key, Some(&second)).unwrap_err();
        let MetalError::AnotherDevice { made_on, asked_for, .. } = error else { panic!("{error:?}") };
        assert_eq!((Some(made_on), Some(asked_for)), (first.identity(), second.identity()));
    }
    let metrics = registry.metrics::<Marked>().unwrap();
    assert_eq!((metrics.hits, metrics.misses), (1, 1), "nothing happened at all");
}

#[test]
fn an_empty_cache_without_a_device_takes_any() {
    let (first, second) = (VecDevice::default(), VecDevice::default());
    let mut registry = CacheRegistry::<VecDevice>::default();
    registry.get_or_create::<Marked>(&0, Some(&first)).unwrap_err();
    assert_eq!(*registry.get_or_create::<Marked>(&1, Some(&second)).unwrap(), second.identity());
    registry.get_or_create::<Marked>(&1, Some(&first)).unwrap_err();
    registry.clear();
    assert_eq!(*registry.get_or_create::<Marked>(&1, Some(&first)).unwrap(), first.identity());
    registry.get_or_create::<Marked>(&1, Some(&second)).unwrap_err();
}

#[test]
fn tensors_that_were_prepared_on_one_device_are_not_given_out_for_another() {
    let (first, second) = (VecDevice::default(), VecDevice::default());
    let mut cache = ResourceCache::with_device(first);
    let source = Versioned::new(vec![1.0]);
    let upload = |device: &VecDevice| device.upload(source.get(), Dtype::F32);
    let form = PreparedForm::as_is(Dtype::F32);
    cache.get_or_prepare(source.version(), form, None, upload).unwrap();
    let refused = cache.get_or_prepare(source.version(), form, Some(&second), upload).map(drop).unwrap_err();
    assert!(matches!(refused, MetalError::AnotherDevice { .. }));
    cache.registry_mut().clear();
    cache.get_or_prepare(source.version(), form, Some(&second), upload).unwrap();
    assert_eq!(second.live_bytes(), 4);
}
