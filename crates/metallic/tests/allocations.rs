//! The heap memory of a cache, counted by the allocator.
#![allow(clippy::unwrap_used, reason = "tests throughout; clippy knows only those in functions marked so")]

#[path = "allocations/threads.rs"]
mod threads;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use metallic::caching::{
    CacheRegistry, CacheableKernel, EvictionPolicy, KernelCache, ManualClock, ResourceCache,
};
use metallic::device::ComputeDevice;
use metallic::error::MetalError;
use metallic::slots::{KvCacheConfig, PreparedForm, TensorVersion};
use metallic::tensor::Tensor;
use metallic::{Device, Dtype};
use metallic_instrumentation::{Event, EventKind, EventSink};

/// The system's allocator, with a count of what each thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<isize> = const { Cell::new(0) };
}

fn count(allocations: u64, bytes: isize) {
    ALLOCATIONS.set(ALLOCATIONS.get() + allocations);
    BYTES.set(BYTES.get() + bytes);
}

// SAFETY: every call goes to the system's allocator as it is; the counters allocate nothing, and need no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as isize);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size as isize - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(0, -(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How often this thread allocates meanwhile.
fn allocations(action: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    action();
    ALLOCATIONS.get() - before
}

/// The heap that what this makes holds, and that thing itself.
fn heap<T>(make: impl FnOnce() -> T) -> (isize, T) {
    let before = BYTES.get();
    let made = make();
    (BYTES.get() - before, made)
}

/// The key and resource that the limits are meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct GemmKey {
    m: usize,
    n: usize,
    k: usize,
    dtype: Dtype,
    transpose_left: bool,
    transpose_right: bool,
}

#[derive(Clone)]
struct GemmResource {
    pipeline: Arc<String>,
    thread_groups: [u32; 3],
}

struct Gemm;

thread_local! {
    /// The part that all resources share, so that creation itself takes nothing.
    static PIPELINE: Arc<String> = Arc::new("pipeline".to_owned());
}

impl CacheableKernel for Gemm {
    type Key = GemmKey;
    type CachedResource = GemmResource;
    type Params = usize;

    const CACHE_NAME: &'static str = "gemm";

    fn create_cache_key(m: &usize) -> GemmKey {
        let dtype = if m.is_multiple_of(2) { Dtype::F16 } else { Dtype::F32 };
        GemmKey { m: *m, n: 1024, k: 1024, dtype, transpose_left: false, transpose_right: true }
    }

    fn create_cached_resource(key: &GemmKey, _device: Option<&Device>) -> Result<GemmResource, MetalError> {
        Ok(GemmResource { pipeline: PIPELINE.with(Arc::clone), thread_groups: [key.m as u32, 1, 1] })
    }

    fn resource_bytes(resource: &GemmResource) -> u64 {
        resource.pipeline.len() as u64
    }
}

/// The same, but says nothing of what a resource holds.
struct Silent;

impl CacheableKernel for Silent {
    type Key = GemmKey;
    type CachedResource = GemmResource;
    type Params = usize;

    const CACHE_NAME: &'static str = "silent";

    fn create_cache_key(m: &usize) -> GemmKey {
        <Gemm as CacheableKernel>::create_cache_key(m)
    }

    fn create_cached_resource(key: &GemmKey, device: Option<&Device>) -> Result<GemmResource, MetalError> {
        Gemm::create_cached_resource(key, device)
    }
}

/// Declines everything. It may be asked, but must not be told.
struct Deaf;

impl EventSink for Deaf {
    fn enabled(&self, _: EventKind) -> bool {
        false
    }

    fn record(&self, event: &Event) {
        panic!("nobody wanted {event:?}");
    }
}

const HOUR: Duration = Duration::from_secs(3600);

fn policies() -> [EvictionPolicy; 6] {
    [
        EvictionPolicy::none(),
        EvictionPolicy::size_limited_lru(100),
        EvictionPolicy::lru().with_max_entries(100),
        EvictionPolicy::fifo().with_max_entries(100),
        EvictionPolicy::idle_timeout(HOUR),
        EvictionPolicy::hybrid(100, HOUR),
    ]
}

fn get<K>(cache: &mut KernelCache<K>, m: usize)
where
    K: CacheableKernel<CachedResource = GemmResource, Params = usize>,
{
    assert_eq!(cache.get_or_create(&m, None).unwrap().thread_groups[0], m as u32);
}

/// Fills a registry's cache and counts the allocations of 1000 hits, through the registry and through the cache.
fn allocations_of_hits(mut registry: CacheRegistry, policy: EvictionPolicy) -> u64 {
    registry.set_eviction_policy::<Gemm>(policy);
    (0..100).for_each(|m| get(registry.cache_mut::<Gemm>(), m));
    let allocations = allocations(|| {
        for operation in 0..500 {
            registry.get_or_create::<Gemm>(&(operation % 100), None).unwrap();
        }
        let cache = registry.cache_mut::<Gemm>();
        (0..500).for_each(|operation| get(cache, operation % 100));
    });
    assert_eq!(registry.metrics::<Gemm>().unwrap().hits, 1000);
    allocations
}

#[test]
fn the_allocator_counts() {
    let mut kept = Vec::new();
    assert_eq!(allocations(|| kept.push(1_u64)), 1);
    let (bytes, boxed) = heap(|| Box::new([0_u8; 100]));
    assert_eq!(bytes, 100);
    let (bytes, ()) = heap(|| drop(boxed));
    assert_eq!(bytes, -100);
}

#[test]
fn a_hit_without_a_sink_allocates_nothing_under_any_policy() {
    for policy in policies() {
        assert_eq!(allocations_of_hits(CacheRegistry::new(), policy), 0, "{policy:?}");
        let by_hand = CacheRegistry::new().with_clock(ManualClock::new());
        assert_eq!(allocations_of_hits(by_hand, policy), 0, "{policy:?}");
    }
}

#[test]
fn a_hit_with_a_sink_that_declines_allocates_nothing_under_any_policy() {
    for policy in policies() {
        let declined = CacheRegistry::new().with_sink(Arc::new(Deaf));
        assert_eq!(allocations_of_hits(declined, policy), 0, "{policy:?}");
    }
}

#[test]
fn a_hit_on_a_prepared_tensor_and_a_step_of_a_kv_cache_with_room_allocate_nothing() {
    struct Nothing;
    impl Tensor for Nothing {
        fn dtype(&self) -> Dtype {
            Dtype::F32
        }
        fn elements(&self) -> usize {
            0
        }
    }
    struct NoDevice;
    impl ComputeDevice for NoDevice {
        type Tensor = Nothing;
        fn supports(&self, _: Dtype) -> bool {
            true
        }
        fn zeros(&self, _: usize, _: Dtype) -> Result<Nothing, MetalError> {
            Ok(Nothing)
        }
        fn write(&self, _: &mut Nothing, _: usize, _: &[f32]) -> Result<(), MetalError> {
            Ok(())
        }
        fn read(&self, _: &Nothing, _: Range<usize>) -> Result<Vec<f32>, MetalError> {
            Ok(Vec::new())
        }
        fn copy(&self, _: &Nothing, _: usize, _: &mut Nothing, _: usize, _: usize) -> Result<(), MetalError> {
            Ok(())
        }
        fn synchronize(&self) -> Result<(), MetalError> {
            Ok(())
        }
    }
    let mut resources = ResourceCache::with_device(NoDevice);
    let source = TensorVersion::unchanging();
    let form = PreparedForm::named("packed by hand", Dtype::F32);
    let config = KvCacheConfig::new(2, 4, Dtype::F32, 1 << 20).with_first_capacity(1000);
    let mut step = || {
        resources.get_or_prepare(source, form, None, |_| Ok(Nothing)).unwrap();
        let kv_cache = resources.kv_cache(&config).unwrap();
        kv_cache.reserve(&NoDevice, 1).unwrap();
        kv_cache.layer_mut(1).unwrap();
        kv_cache.advance(1).unwrap();
    };
    step();
    assert_eq!(allocations(|| (0..999).for_each(|_| step())), 0);
}

#[test]
fn a_cache_at_its_limit_replaces_entries_without_allocating() {
    for policy in policies().into_iter().filter(|policy| policy.max_entries().is_some()) {
        for sink in [None, Some(Arc::new(Deaf))] {
            let mut cache = KernelCache::<Gemm>::default();
            if let Some(sink) = sink {
                cache = cache.with_sink(sink);
            }
            cache.set_eviction_policy(policy);
            (0..200).for_each(|m| get(&mut cache, m));
            let allocations = allocations(|| (200..1200).for_each(|m| get(&mut cache, m)));
            assert_eq!((allocations, cache.metrics().evictions), (0, 1100), "{policy:?}");
        }
    }
}

/// The heap that a thousand entries take.
fn heap_of_a_thousand<K>() -> isize
where
    K: CacheableKernel<Key = GemmKey, CachedResource = GemmResource, Params = usize>,
{
    let sizes = (size_of::<GemmKey>(), size_of::<GemmResource>());
    assert_eq!(sizes, (32, 24), "the key and the resource that the limits are meant for");
    PIPELINE.with(|_| {});
    let (bytes, cache) = heap(|| {
        let mut cache = KernelCache::<K>::default();
        cache.set_eviction_policy(EvictionPolicy::size_limited_lru(1000));
        (0..1000).for_each(|m| get(&mut cache, m));
        cache
    });
    assert_eq!(cache.len(), 1000);
    bytes
}

#[test]
fn an_entry_takes_at_most_112_bytes_of_the_heap_with_its_key_and_resource() {
    let bytes = heap_of_a_thousand::<Silent>();
    assert!(bytes <= 112 * 1000, "{} bytes an entry", bytes as f64 / 1000.0);
}

#[test]
fn an_entry_whose_resource_says_what_it_holds_takes_at_most_117_bytes() {
    let bytes = heap_of_a_thousand::<Gemm>();
    assert!(bytes <= 117 * 1000, "{} bytes an entry", bytes as f64 / 1000.0);
}

#[test]
fn a_cache_that_is_cleared_gives_its_memory_back() {
    PIPELINE.with(|_| {});
    let (empty, mut cache) = heap(|| {
        let mut cache = KernelCache::<Gemm>::default();
        cache.set_eviction_policy(EvictionPolicy::hybrid(1000, HOUR));
        cache
    });
    let (full, ()) = heap(|| (0..1000).for_each(|m| get(&mut cache, m)));
    let (given_back, ()) = heap(|| cache.clear());
    assert!(full > 1000 * 64);
    assert!(full + given_back <= 64, "{empty} bytes when new, {} more when cleared", full + given_back);
    let (left, ()) = heap(|| drop(cache));
    assert_eq!(empty + full + given_back + left, 0, "nothing leaks");
}

#[test]
fn a_cache_that_shrank_gives_its_memory_back() {
    type Shrink = fn(&mut KernelCache<Gemm>, &ManualClock);
    let shrinks: [Shrink; 2] = [
        |cache, _| cache.set_eviction_policy(EvictionPolicy::size_limited_lru(10)),
        |cache, clock| {
            cache.set_eviction_policy(EvictionPolicy::idle_timeout(HOUR));
            clock.advance(2 * HOUR);
        },
    ];
    PIPELINE.with(|_| {});
    for shrink in shrinks {
        for sink in [None, Some(Arc::new(Deaf))] {
            let clock = ManualClock::new();
            let mut cache = KernelCache::<Gemm>::default().with_clock(clock.clone());
            if let Some(sink) = sink {
                cache = cache.with_sink(sink);
            }
            let (full, ()) = heap(|| (0..100_000).for_each(|m| get(&mut cache, m)));
            let (given_back, ()) = heap(|| {
                shrink(&mut cache, &clock);
                get(&mut cache, 100_000);
            });
            cache.validate();
            assert!(cache.len() <= 10);
            assert!(full + given_back < 4096, "{} of {full} bytes are left", full + given_back);
            (0..10).for_each(|m| get(&mut cache, m));
            cache.validate();
        }
    }
}
