//! The code examples of the specification, as programs on this machine's own device. Lines that need Metal have their
//! counterpart here: a pipeline is a text, and its compiler is slow enough to be worth a cache.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::time::Duration;

use metallic::caching::{
    CacheMetrics, CacheRegistry, CacheRegistrySlot, CacheableKernel, Clock, EvictionPolicy, ManualClock,
    ResourceCache,
};
use metallic::device::system_default_device;
use metallic::error::MetalError;
use metallic::{Device, Dtype};

fn this_device() -> Device {
    system_default_device().expect("on Apple's systems these examples need a GPU")
}

// Implementing a cached kernel.

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct MyKernelKey {
    size: usize,
    dtype: Dtype,
    transpose: bool,
}

#[derive(Clone, Debug)]
struct MyCachedResource {
    pipeline: String,
    thread_group_size: [usize; 3],
}

struct MyKernel;

fn compile_pipeline(_device: &Device, key: &MyKernelKey) -> Result<String, MetalError> {
    if key.size == 0 {
        return Err(MetalError::invalid_params("the size is zero"));
    }
    let MyKernelKey { size, dtype, transpose } = key;
    Ok(format!("{size}x{size}.{dtype}{}", if *transpose { ".t" } else { "" }))
}

impl CacheableKernel for MyKernel {
    type Key = MyKernelKey;
    type CachedResource = MyCachedResource;
    type Params = (usize, Dtype, bool);

    const CACHE_NAME: &'static str = "my_kernel";

    fn create_cache_key(&(size, dtype, transpose): &Self::Params) -> MyKernelKey {
        MyKernelKey { size, dtype, transpose }
    }

    fn create_cached_resource(
        key: &MyKernelKey,
        device: Option<&Device>,
    ) -> Result<MyCachedResource, MetalError> {
        let device = device.ok_or(MetalError::DeviceNotAvailable)?;
        Ok(MyCachedResource { pipeline: compile_pipeline(device, key)?, thread_group_size: [256, 1, 1] })
    }
}

// Kernels as a library of matrix operations would have them.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct MpsGemmKey {
    m: usize,
    n: usize,
    k: usize,
    dtype: Dtype,
    transpose_left: bool,
    transpose_right: bool,
}

struct MpsGemmKernel;

impl CacheableKernel for MpsGemmKernel {
    type Key = MpsGemmKey;
    type CachedResource = usize;
    type Params = (usize, usize, usize, Dtype, bool, bool);

    const CACHE_NAME: &'static str = "mps_gemm";

    fn create_cache_key(&(m, n, k, dtype, transpose_left, transpose_right): &Self::Params) -> MpsGemmKey {
        MpsGemmKey { m, n, k, dtype, transpose_left, transpose_right }
    }

    fn create_cached_resource(key: &MpsGemmKey, device: Option<&Device>) -> Result<usize, MetalError> {
        device.ok_or(MetalError::DeviceNotAvailable)?;
        Ok(key.m * key.n * key.dtype.size_bytes())
    }
}

macro_rules! kernel_of_sizes {
    ($kernel:ident, $name:literal) => {
        struct $kernel;

        impl CacheableKernel for $kernel {
            type Key = usize;
            type CachedResource = Vec<usize>;
            type Params = usize;

            const CACHE_NAME: &'static str = $name;

            fn create_cache_key(size: &usize) -> usize {
                *size
            }

            fn create_cached_resource(
                size: &usize,
                _device: Option<&Device>,
            ) -> Result<Vec<usize>, MetalError> {
                Ok((0..*size).collect())
            }
        }
    };
}

kernel_of_sizes!(SoftmaxMpsKernel, "softmax_mps");
kernel_of_sizes!(SdpaKernel, "sdpa");

fn gemm(registry: &mut CacheRegistry, m: usize) -> Result<(), MetalError> {
    registry.get_or_create::<MpsGemmKernel>(&(m, m, m, Dtype::F16, false, false), None).map(drop)
}

#[test]
fn a_kernel_is_used_through_the_registry() -> Result<(), MetalError> {
    let mut registry = CacheRegistry::with_device(this_device());
    registry.set_eviction_policy::<MyKernel>(EvictionPolicy::size_limited_lru(1000));

    let resource = registry.get_or_create::<MyKernel>(&(1024, Dtype::F16, false), None)?;
    assert_eq!(resource.pipeline, "1024x1024.f16");
    assert_eq!(resource.thread_group_size, [256, 1, 1]);

    registry.get_or_create::<MyKernel>(&(1024, Dtype::F16, false), None)?;
    registry.get_or_create::<MyKernel>(&(1024, Dtype::F16, true), None)?;
    let metrics = registry.metrics::<MyKernel>().unwrap();
    assert_eq!((metrics.hits, metrics.misses), (1, 2));
    Ok(())
}

#[test]
fn a_kernel_without_a_device_returns_device_not_available() {
    let mut registry = CacheRegistry::new();
    let params = (1024, Dtype::F16, false);
    let refused = registry.get_or_create::<MyKernel>(&params, None);
    assert!(matches!(refused, Err(MetalError::DeviceNotAvailable)));
    let device = this_device();
    assert!(registry.get_or_create::<MyKernel>(&params, Some(&device)).is_ok());
}

#[test]
fn a_caller_passes_the_error_of_a_compile_on() {
    fn encode(registry: &mut CacheRegistry, size: usize) -> Result<String, MetalError> {
        let resource = registry.get_or_create::<MyKernel>(&(size, Dtype::F32, false), None)?;
        Ok(resource.pipeline.clone())
    }
    let mut registry = CacheRegistry::with_device(this_device());
    assert_eq!(encode(&mut registry, 8).unwrap(), "8x8.f32");
    assert_eq!(encode(&mut registry, 0).unwrap_err().to_string(), "invalid parameters: the size is zero");
}

// The facade.

trait MyKernelCache {
    fn get_or_create_my_kernel(
        &mut self,
        size: usize,
        dtype: Dtype,
        transpose: bool,
        device: Option<&Device>,
    ) -> Result<&mut MyCachedResource, MetalError>;
}

impl MyKernelCache for ResourceCache {
    fn get_or_create_my_kernel(
        &mut self,
        size: usize,
        dtype: Dtype,
        transpose: bool,
        device: Option<&Device>,
    ) -> Result<&mut MyCachedResource, MetalError> {
        self.registry_mut().get_or_create::<MyKernel>(&(size, dtype, transpose), device)
    }
}

#[test]
fn a_kernel_adds_a_method_of_its_own_to_the_facade() -> Result<(), MetalError> {
    let mut cache = ResourceCache::with_device(this_device());
    let resource = cache.get_or_create_my_kernel(1024, Dtype::F16, true, None)?;
    assert_eq!(resource.pipeline, "1024x1024.f16.t");
    cache.get_or_create_my_kernel(1024, Dtype::F16, true, None)?;
    assert_eq!(cache.registry().metrics::<MyKernel>().unwrap().hits, 1);
    Ok(())
}

// Policies.

#[test]
fn every_policy_of_the_specification_can_be_configured() {
    let policies = [
        (EvictionPolicy::none(), "none"),
        (EvictionPolicy::size_limited_lru(1000), "size_limited_lru"),
        (EvictionPolicy::lru().with_max_entries(500), "lru"),
        (EvictionPolicy::fifo().with_max_entries(500), "fifo"),
        (EvictionPolicy::idle_timeout(Duration::from_secs(300)), "idle_timeout"),
        (EvictionPolicy::hybrid(1000, Duration::from_secs(300)), "hybrid"),
        (EvictionPolicy::size_limited_lru(100).with_min_entries(10), "size_limited_lru"),
    ];
    let mut registry = CacheRegistry::new();
    for (policy, name) in policies {
        registry.set_eviction_policy::<MpsGemmKernel>(policy);
        assert_eq!(registry.eviction_policy::<MpsGemmKernel>(), policy);
        assert_eq!(policy.strategy().name(), name);
    }
}

#[test]
fn each_kernel_has_the_policy_it_was_given() -> Result<(), MetalError> {
    let clock = ManualClock::new();
    let mut registry = CacheRegistry::with_device(this_device()).with_clock(clock.clone());
    registry.set_eviction_policy::<MpsGemmKernel>(EvictionPolicy::size_limited_lru(1000));
    registry.set_eviction_policy::<SoftmaxMpsKernel>(EvictionPolicy::idle_timeout(Duration::from_secs(300)));
    registry.set_eviction_policy::<SdpaKernel>(EvictionPolicy::hybrid(500, Duration::from_secs(600)));

    for size in 0..1200 {
        gemm(&mut registry, size)?;
        registry.get_or_create::<SoftmaxMpsKernel>(&size, None)?;
        registry.get_or_create::<SdpaKernel>(&size, None)?;
    }
    let sizes = |registry: &CacheRegistry| -> Vec<_> {
        registry.metrics_by_name().map(|(name, metrics)| (name, metrics.size)).collect()
    };
    assert_eq!(sizes(&registry), [("mps_gemm", 1000), ("sdpa", 500), ("softmax_mps", 1200)]);
    clock.advance(Duration::from_secs(301));
    registry.expire_idle();
    assert_eq!(sizes(&registry), [("mps_gemm", 1000), ("sdpa", 500), ("softmax_mps", 0)]);
    clock.advance(Duration::from_secs(300));
    registry.expire_idle();
    assert_eq!(sizes(&registry), [("mps_gemm", 1000), ("sdpa", 0), ("softmax_mps", 0)]);
    Ok(())
}

#[test]
fn a_policy_is_built_step_by_step() -> Result<(), MetalError> {
    let policy = EvictionPolicy::lru()
        .with_max_entries(1000)
        .with_max_idle_duration(Duration::from_secs(300))
        .with_min_entries(10);
    let clock = ManualClock::new();
    let mut registry = CacheRegistry::with_device(this_device()).with_clock(clock.clone());
    registry.set_eviction_policy::<MyKernel>(policy);
    for size in 1..=1001 {
        registry.get_or_create::<MyKernel>(&(size, Dtype::F32, false), None)?;
    }
    assert_eq!(registry.metrics::<MyKernel>().unwrap().size, 1000);
    clock.advance(Duration::from_secs(301));
    registry.expire_idle();
    assert_eq!(registry.metrics::<MyKernel>().unwrap().size, 10);
    Ok(())
}

// Metrics.

/// What the specification prints, with a rate that is never not a number.
fn report(registry: &CacheRegistry) -> String {
    let Some(metrics) = registry.metrics::<MpsGemmKernel>() else { return "not used yet".to_owned() };
    let rate =
        metrics.hit_rate().map_or("no operations yet".to_owned(), |rate| format!("{:.2}%", rate * 100.0));
    let mut report = format!(
        "Size: {}\nHits: {}\nMisses: {}\nEvictions: {}\nHit Rate: {rate}",
        metrics.size, metrics.hits, metrics.misses, metrics.evictions,
    );
    if let Some(age) = metrics.oldest_entry_age {
        report.push_str(&format!("\nOldest entry: {age:?}"));
    }
    report
}

#[test]
fn the_metrics_of_a_cache_are_printed_before_during_and_after_its_use() -> Result<(), MetalError> {
    let clock = ManualClock::new();
    let mut registry = CacheRegistry::with_device(this_device()).with_clock(clock.clone());
    assert_eq!(report(&registry), "not used yet");
    registry.set_eviction_policy::<MpsGemmKernel>(EvictionPolicy::size_limited_lru(2));
    assert_eq!(report(&registry), "Size: 0\nHits: 0\nMisses: 0\nEvictions: 0\nHit Rate: no operations yet");
    for size in [256, 512, 256, 1024, 256, 1024] {
        gemm(&mut registry, size)?;
        clock.advance(Duration::from_secs(1));
    }
    let expected = "Size: 2\nHits: 3\nMisses: 3\nEvictions: 1\nHit Rate: 50.00%\nOldest entry: 6s";
    assert_eq!(report(&registry), expected);
    Ok(())
}

#[test]
fn the_metrics_of_all_caches_are_printed_by_name() -> Result<(), MetalError> {
    let mut registry = CacheRegistry::with_device(this_device());
    registry.get_or_create::<SoftmaxMpsKernel>(&64, None)?;
    for size in [256, 512, 256] {
        gemm(&mut registry, size)?;
    }
    let mut lines = Vec::new();
    for (name, metrics) in registry.metrics_by_name() {
        let CacheMetrics { size, hits, misses, .. } = metrics;
        lines.push(format!("{name}: {size} entries, {hits} hits, {misses} misses"));
    }
    assert_eq!(lines, ["mps_gemm: 2 entries, 1 hits, 2 misses", "softmax_mps: 1 entries, 0 hits, 1 misses"]);
    Ok(())
}

// Slots.

#[derive(Default)]
struct MyContextCache {
    data: HashMap<String, Vec<f32>>,
}

impl CacheRegistrySlot for MyContextCache {
    fn clear_slot(&mut self) {
        self.data.clear();
    }
}

#[test]
fn state_that_is_no_kernels_lives_in_a_slot() {
    let mut registry = CacheRegistry::new();
    let cache = registry.slot_mut(|| MyContextCache { data: HashMap::default() });
    cache.data.insert("key".to_owned(), vec![1.0]);
    let cache = registry.slot_mut(MyContextCache::default);
    assert_eq!(cache.data["key"], [1.0]);
    registry.clear_slot::<MyContextCache>();
    assert!(registry.slot::<MyContextCache>().is_some_and(|cache| cache.data.is_empty()));
}

// Threads: one registry to a context, one context to a thread.

#[test]
fn a_context_owns_its_registry() {
    struct Context<T> {
        cache_registry: CacheRegistry,
        state: T,
    }
    let threads = [3_usize, 5].map(|sizes| {
        std::thread::spawn(move || {
            let mut context = Context { cache_registry: CacheRegistry::new(), state: 0 };
            for size in 0..sizes {
                context.state +=
                    context.cache_registry.get_or_create::<SdpaKernel>(&size, None).unwrap().len();
            }
            (context.state, context.cache_registry.metrics::<SdpaKernel>().unwrap().misses)
        })
    });
    assert_eq!(threads.map(|thread| thread.join().unwrap()), [(3, 3), (10, 5)]);
}

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
    assert_eq!(registry.metrics::<Slow>().unwrap().time_saved, Duration::from_millis(85));
    Ok(())
}
