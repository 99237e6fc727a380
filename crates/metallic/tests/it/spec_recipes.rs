//! The specification's recommendations around a cache: to warm it, to tune it, to wrap it, and to find what is wrong.

use std::marker::PhantomData;
use std::time::Duration;

use metallic::caching::{CacheMetrics, CacheRegistry, CacheableKernel, Clock, EvictionPolicy, ManualClock};
use metallic::error::MetalError;
use metallic::{Device, Dtype};

use crate::spec_kernels::{MpsGemmKernel, MyKernel, SdpaKernel, gemm, this_device};

// Warming.

fn warm_cache(registry: &mut CacheRegistry, device: &Device) -> Result<(), MetalError> {
    for size in [256, 512, 1024, 2048, 4096] {
        for dtype in [Dtype::F16, Dtype::F32] {
            let params = (size, size, size, dtype, false, false);
            registry.get_or_create::<MpsGemmKernel>(&params, Some(device))?;
        }
    }
    Ok(())
}

#[test]
fn a_warm_cache_only_hits() -> Result<(), MetalError> {
    let mut registry = CacheRegistry::new();
    warm_cache(&mut registry, &this_device())?;
    gemm(&mut registry, 2048)?; // there is no device now, and none is needed
    let metrics = registry.metrics::<MpsGemmKernel>().unwrap();
    assert_eq!((metrics.hits, metrics.misses), (1, 10));
    Ok(())
}

// Tuning at run time.

fn tune_eviction(registry: &mut CacheRegistry) {
    let Some(metrics) = registry.metrics::<MpsGemmKernel>() else { return };
    let Some(hit_rate) = metrics.hit_rate() else { return };
    if hit_rate < 0.80 {
        registry.set_eviction_policy::<MpsGemmKernel>(EvictionPolicy::size_limited_lru(2000));
    } else if metrics.evictions > 1000 {
        registry.set_eviction_policy::<MpsGemmKernel>(EvictionPolicy::size_limited_lru(1500));
    }
}

#[test]
fn a_program_raises_the_limit_of_a_cache_that_misses_too_often() -> Result<(), MetalError> {
    let mut registry = CacheRegistry::with_device(this_device());
    let policy = EvictionPolicy::size_limited_lru(100);
    tune_eviction(&mut registry); // never used
    registry.set_eviction_policy::<MpsGemmKernel>(policy);
    tune_eviction(&mut registry); // no operations yet
    assert_eq!(registry.eviction_policy::<MpsGemmKernel>(), policy);

    for size in 0..400 {
        gemm(&mut registry, size % 200)?; // twice what fits
    }
    assert_eq!(registry.metrics::<MpsGemmKernel>().unwrap().hit_rate(), Some(0.0));
    tune_eviction(&mut registry);
    assert_eq!(registry.eviction_policy::<MpsGemmKernel>(), EvictionPolicy::size_limited_lru(2000));
    for size in 0..4000 {
        gemm(&mut registry, size % 200)?;
    }
    assert!(registry.metrics::<MpsGemmKernel>().unwrap().hit_rate() > Some(0.8));
    Ok(())
}

#[test]
fn a_program_raises_the_limit_of_a_cache_that_evicts_too_much() -> Result<(), MetalError> {
    let mut registry = CacheRegistry::with_device(this_device());
    registry.set_eviction_policy::<MpsGemmKernel>(EvictionPolicy::size_limited_lru(10));
    for round in 0..1100 {
        for _ in 0..5 {
            gemm(&mut registry, round)?;
        }
    }
    tune_eviction(&mut registry);
    assert_eq!(registry.eviction_policy::<MpsGemmKernel>(), EvictionPolicy::size_limited_lru(1500));
    Ok(())
}

// A strategy of one's own.

struct CustomEvictionCache<K: CacheableKernel> {
    inner: CacheRegistry,
    custom_logic: Box<dyn Fn(&CacheMetrics) -> bool>,
    kernel: PhantomData<K>,
}

impl<K: CacheableKernel> CustomEvictionCache<K> {
    fn new(custom_logic: impl Fn(&CacheMetrics) -> bool + 'static) -> Self {
        Self {
            inner: CacheRegistry::with_device(this_device()),
            custom_logic: Box::new(custom_logic),
            kernel: PhantomData,
        }
    }

    fn get_or_create(
        &mut self,
        params: &K::Params,
        device: Option<&Device>,
    ) -> Result<&mut K::CachedResource, MetalError> {
        if let Some(metrics) = self.inner.metrics::<K>()
            && (self.custom_logic)(&metrics)
        {
            self.inner.clear();
        }
        self.inner.get_or_create::<K>(params, device)
    }
}

#[test]
fn a_wrapper_evicts_by_a_rule_of_its_own() -> Result<(), MetalError> {
    let mut cache = CustomEvictionCache::<SdpaKernel>::new(|metrics| metrics.size >= 3);
    let mut sizes = Vec::new();
    for size in 0..7 {
        assert_eq!(cache.get_or_create(&size, None)?.len(), size);
        sizes.push(cache.inner.metrics::<SdpaKernel>().unwrap().size);
    }
    assert_eq!(sizes, [1, 2, 3, 1, 2, 3, 1]);
    assert_eq!(cache.inner.metrics::<SdpaKernel>().unwrap().removals, 6);

    let mut other = CustomEvictionCache::<MyKernel>::new(|_| false);
    assert_eq!(other.get_or_create(&(8, Dtype::BF16, false), None)?.pipeline, "8x8.bf16");
    Ok(())
}

// Troubleshooting.

struct BucketedKernel;

struct BucketedParams {
    size: usize,
    dtype: Dtype,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct BucketedKey {
    size: usize,
    dtype: Dtype,
}

impl CacheableKernel for BucketedKernel {
    type Key = BucketedKey;
    type CachedResource = Vec<u8>;
    type Params = BucketedParams;

    const CACHE_NAME: &'static str = "bucketed";

    fn create_cache_key(params: &BucketedParams) -> BucketedKey {
        BucketedKey { size: params.size.div_ceil(256) * 256, dtype: params.dtype }
    }

    fn create_cached_resource(key: &BucketedKey, _device: Option<&Device>) -> Result<Vec<u8>, MetalError> {
        Ok(vec![0; key.size * key.dtype.size_bytes()])
    }
}

#[test]
fn sizes_of_one_bucket_share_a_resource() -> Result<(), MetalError> {
    let mut registry = CacheRegistry::new();
    for size in 1..=1024 {
        let buffer =
            registry.get_or_create::<BucketedKernel>(&BucketedParams { size, dtype: Dtype::F16 }, None)?;
        assert!(buffer.len() >= size * 2, "the resource suits every size of its bucket");
    }
    let metrics = registry.metrics::<BucketedKernel>().unwrap();
    assert_eq!((metrics.size, metrics.hits, metrics.misses), (4, 1020, 4));
    Ok(())
}

#[test]
fn sizes_and_evictions_of_a_cache_can_be_asked_for_in_passing() {
    fn pattern(registry: &CacheRegistry) -> Option<String> {
        let metrics = registry.metrics::<MyKernel>()?;
        Some(format!("Size: {}, Evictions: {}", metrics.size, metrics.evictions))
    }
    let mut registry = CacheRegistry::with_device(this_device());
    assert_eq!(pattern(&registry), None);
    registry.set_eviction_policy::<MyKernel>(EvictionPolicy::size_limited_lru(2));
    for size in 1..=5 {
        registry.get_or_create::<MyKernel>(&(size, Dtype::U8, false), None).unwrap();
    }
    assert_eq!(pattern(&registry).as_deref(), Some("Size: 2, Evictions: 3"));
}

#[test]
fn a_slow_miss_can_be_shown_by_a_clock_or_by_the_metrics() -> Result<(), MetalError> {
    struct Slow;
    impl CacheableKernel<ManualClock> for Slow {
        type Key = u64;
        type CachedResource = ();
        type Params = u64;
        const CACHE_NAME: &'static str = "slow";
        fn create_cache_key(milliseconds: &u64) -> u64 {
            *milliseconds
        }
        fn create_cached_resource(milliseconds: &u64, clock: Option<&ManualClock>) -> Result<(), MetalError> {
            clock.ok_or(MetalError::DeviceNotAvailable)?.advance(Duration::from_millis(*milliseconds));
            Ok(())
        }
    }
    let clock = ManualClock::new();
    let mut registry = CacheRegistry::with_device(clock.clone()).with_clock(clock.clone());
    let mut shown = Vec::new();
    for milliseconds in [5, 80, 5, 80, 11] {
        let (start, spent) = (clock.now(), registry.cache_mut::<Slow>().metrics().creation_time);
        registry.get_or_create::<Slow>(&milliseconds, None)?;
        let took = clock.now() - start;
        if took > Duration::from_millis(10) {
            shown.push(format!("cache miss took {took:?}"));
        }
        assert_eq!(registry.cache_mut::<Slow>().metrics().creation_time - spent, took);
    }
    assert_eq!(shown, ["cache miss took 80ms", "cache miss took 11ms"]);
    Ok(())
}
