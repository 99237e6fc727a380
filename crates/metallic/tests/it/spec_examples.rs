//! The code examples of the specification, as programs on this machine's own device.

use std::collections::HashMap;
use std::time::Duration;

use metallic::caching::{
    CacheMetrics, CacheRegistry, CacheRegistrySlot, EvictionPolicy, ManualClock, ResourceCache,
};
use metallic::error::MetalError;
use metallic::{Device, Dtype};

use crate::spec_kernels::{
    MpsGemmKernel, MyCachedResource, MyKernel, SdpaKernel, SoftmaxMpsKernel, gemm, this_device,
};

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
    let refused = registry.get_or_create::<MyKernel>(&params, None).unwrap_err();
    assert!(matches!(refused.root(), MetalError::DeviceNotAvailable));
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
    let error = encode(&mut registry, 0).unwrap_err();
    assert_eq!(error.to_string(), "cannot create `my_kernel:MyKernelKey{size:0,dtype:F32,transpose:false}`");
    assert_eq!(error.root().to_string(), "invalid parameters: the size is zero");
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
    fn sizes(registry: &CacheRegistry) -> Vec<(&str, usize)> {
        registry.metrics_by_name().map(|(name, metrics)| (name, metrics.size)).collect()
    }
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

/// The specification's output, with a rate that is never not a number.
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
