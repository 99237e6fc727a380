//! The KV cache: growing, limits, rollback, and what is reported.

use std::sync::Arc;
use std::time::Duration;

use metallic::Dtype;
use metallic::caching::{CacheRegistry, CacheRegistrySlot, ManualClock, ResourceCache, SlotContext};
use metallic::device::ComputeDevice;
use metallic::error::MetalError;
use metallic::slots::{KvCacheConfig, KvCacheState};
use metallic_instrumentation::{EventData, KvCacheRefused, KvCacheResized, KvCacheTruncated, Recorder};

use crate::doubles::{data, told};
use crate::vec_device::{VecDevice, VecTensor};

/// Two layers of two elements: 32 bytes a position.
fn config(max_bytes: u64) -> KvCacheConfig {
    KvCacheConfig::new(2, 2, Dtype::F32, max_bytes)
}

fn cache(config: KvCacheConfig) -> KvCacheState<VecTensor> {
    KvCacheState::new(config)
}

/// One step: so many positions, whose keys count from `first` and whose values are their negatives.
fn step(cache: &mut KvCacheState<VecTensor>, device: &VecDevice, positions: usize, first: f32) {
    cache.reserve(device, positions).unwrap();
    let at = cache.len() * 2;
    for layer in 0..cache.layers() {
        let layer = cache.layer_mut(layer).unwrap();
        let keys: Vec<f32> = (0..positions * 2).map(|element| first + element as f32).collect();
        let values: Vec<f32> = keys.iter().map(|key| -key).collect();
        device.write(layer.keys, at, &keys).unwrap();
        device.write(layer.values, at, &values).unwrap();
    }
    cache.advance(positions).unwrap();
}

fn keys(cache: &KvCacheState<VecTensor>, device: &VecDevice, layer: usize) -> Vec<f32> {
    device.read(cache.layer(layer).unwrap().keys, 0..cache.len() * 2).unwrap()
}

fn is_full(result: Result<(), MetalError>) -> (usize, usize, u64, u64) {
    match result {
        Err(MetalError::KvCacheFull { positions, max_positions, needed_bytes, limit_bytes }) => {
            (positions, max_positions, needed_bytes, limit_bytes)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_begins_with_nothing_and_doubles() {
    let device = VecDevice::default();
    let mut cache = cache(config(1 << 20));
    assert_eq!((cache.capacity(), cache.bytes(), device.live_bytes()), (0, 0, 0));
    let mut capacities = Vec::new();
    for position in 0..100 {
        step(&mut cache, &device, 1, position as f32);
        capacities.push(cache.capacity());
    }
    capacities.dedup();
    assert_eq!(capacities, [16, 32, 64, 128]);
    assert_eq!((cache.bytes(), device.live_bytes()), (128 * 32, 128 * 32));
    let metrics = cache.metrics();
    assert_eq!((metrics.len, metrics.capacity, metrics.growths), (100, 128, 4));
    assert_eq!((metrics.peak_bytes, device.most_live_bytes()), ((64 + 128) * 32, (64 + 128) * 32));
}

#[test]
fn a_first_capacity_that_suffices_spares_the_growing() {
    let device = VecDevice::default();
    let mut cache = cache(config(1 << 20).with_first_capacity(100));
    (0..100).for_each(|position| step(&mut cache, &device, 1, position as f32));
    assert_eq!((cache.capacity(), cache.metrics().growths, device.copies()), (112, 1, 0));
}

#[test]
fn a_long_prompt_gets_its_room_at_once() {
    let device = VecDevice::default();
    let mut cache = cache(config(1 << 20));
    step(&mut cache, &device, 1000, 0.0);
    assert_eq!((cache.len(), cache.capacity(), cache.metrics().growths), (1000, 1008, 1));
}

#[test]
fn where_doubling_exceeds_the_limit_it_grows_to_what_fits() {
    let device = VecDevice::default();
    let mut cache = cache(config(32 * 40 + 31));
    step(&mut cache, &device, 32, 0.0);
    step(&mut cache, &device, 1, 64.0);
    assert_eq!((cache.capacity(), cache.bytes()), (40, 32 * 40));
    step(&mut cache, &device, 7, 66.0);
    assert_eq!(is_full(cache.reserve(&device, 1)), (41, 40, 32 * 41, 32 * 40 + 31));
    assert_eq!(keys(&cache, &device, 1), (0..80).map(|key| key as f32).collect::<Vec<_>>());
    assert_eq!(cache.metrics().growths, 2);
}

#[test]
fn the_most_positions_are_a_limit_as_well() {
    let device = VecDevice::default();
    let mut cache = cache(config(1 << 20).with_max_positions(20));
    step(&mut cache, &device, 17, 0.0);
    assert_eq!(cache.capacity(), 20);
    assert_eq!(is_full(cache.reserve(&device, 4)), (21, 20, 32 * 21, 1 << 20));
    cache.reserve(&device, 3).unwrap();
}

#[test]
fn a_full_cache_loses_nothing_and_says_so() {
    let device = VecDevice::default();
    let mut cache = cache(config(32 * 16));
    step(&mut cache, &device, 10, 0.0);
    let error = cache.reserve(&device, 7).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the KV cache is full: 17 positions take 544 bytes, and it may have 16 in 512 bytes"
    );
    assert_eq!((cache.len(), cache.capacity(), cache.metrics().refusals), (10, 16, 1));
    assert_eq!(keys(&cache, &device, 0), (0..20).map(|key| key as f32).collect::<Vec<_>>());
    step(&mut cache, &device, 6, 20.0);
    assert_eq!(cache.len(), 16);
}

#[test]
fn no_number_of_positions_upsets_it() {
    let device = VecDevice::default();
    let mut cache = cache(config(u64::MAX).with_batch(usize::MAX));
    for positions in [1, 1 << 40, usize::MAX] {
        is_full(cache.reserve(&device, positions));
    }
    let mut cache = self::cache(config(32 * 16));
    step(&mut cache, &device, 5, 0.0);
    let (positions, ..) = is_full(cache.reserve(&device, usize::MAX));
    assert_eq!(positions, usize::MAX);
    cache.advance(usize::MAX).unwrap_err();
}

#[test]
fn tensors_that_take_more_than_their_elements_are_accounted_for() {
    let device = VecDevice::default();
    device.set_padding(100);
    let mut cache = cache(config(32 * 20));
    // Sixteen positions would fit by their elements, but not with what the device adds to them.
    step(&mut cache, &device, 7, 0.0);
    assert_eq!((cache.capacity(), cache.bytes(), device.live_bytes()), (7, 32 * 7 + 400, 32 * 7 + 400));
    assert_eq!(is_full(cache.reserve(&device, 2)), (9, 20, 32 * 9 + 400, 32 * 20));
    assert_eq!((cache.len(), keys(&cache, &device, 1)[13]), (7, 13.0));
    assert_eq!(cache.metrics().peak_bytes, device.most_live_bytes());
}

#[test]
fn a_shape_of_nothing_is_an_error() {
    let device = VecDevice::default();
    let shapes = [
        KvCacheConfig::new(0, 2, Dtype::F32, 1000),
        KvCacheConfig::new(2, 0, Dtype::F32, 1000),
        config(1000).with_batch(0),
        KvCacheConfig::new(2, 2, Dtype::F16, 1000),
    ];
    for shape in shapes {
        let mut cache = cache(shape);
        assert!(matches!(cache.reserve(&device, 1), Err(MetalError::InvalidParams { .. })));
        assert_eq!((cache.metrics().failed_growths, cache.metrics().refusals), (1, 0));
    }
}

#[test]
fn positions_beyond_the_room_and_layers_that_are_not_there_are_errors() {
    let device = VecDevice::default();
    let mut cache = cache(config(1 << 20));
    assert!(matches!(cache.advance(1), Err(MetalError::InvalidParams { .. })));
    assert!(cache.layer(0).is_err() && cache.layer_mut(0).is_err(), "nothing was reserved");
    step(&mut cache, &device, 3, 0.0);
    assert!(cache.layer(2).is_err() && cache.layer_mut(2).is_err());
    cache.advance(14).unwrap_err();
    assert_eq!(cache.len(), 3);
    cache.advance(13).unwrap();
}

#[test]
fn a_rollback_keeps_what_stands_before_and_a_reset_keeps_the_tensors() {
    let device = VecDevice::default();
    let mut cache = cache(config(1 << 20));
    step(&mut cache, &device, 6, 0.0);
    cache.truncate(4);
    cache.truncate(5); // there are no more than four
    assert_eq!(keys(&cache, &device, 1), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    step(&mut cache, &device, 1, 100.0);
    assert_eq!(keys(&cache, &device, 0)[8..], [100.0, 101.0]);
    cache.reset();
    assert_eq!((cache.len(), cache.capacity(), cache.bytes()), (0, 16, 32 * 16));
    let metrics = cache.metrics();
    assert_eq!((metrics.rollbacks, metrics.resets, metrics.growths), (1, 1, 1));
}

#[test]
fn clearing_frees_the_tensors() {
    let device = VecDevice::default();
    let mut registry = CacheRegistry::<VecDevice>::default();
    let cache = registry.slot_mut(|| cache(config(1 << 20)));
    step(cache, &device, 6, 0.0);
    assert!(registry.clear_slot::<KvCacheState<VecTensor>>());
    let cache = registry.slot_mut(|| -> KvCacheState<VecTensor> { unreachable!("there is one") });
    assert_eq!((cache.len(), cache.capacity(), cache.bytes(), device.live_bytes()), (0, 0, 0, 0));
    assert_eq!(cache.metrics().clears, 1);
    step(cache, &device, 6, 0.0);
    assert_eq!(keys(cache, &device, 1)[11], 11.0);
}

#[test]
fn what_happens_is_reported_through_the_registry() {
    let (device, clock, recorder) = (VecDevice::default(), ManualClock::new(), Arc::new(Recorder::new()));
    let registry: CacheRegistry<VecDevice> = CacheRegistry::default().with_clock(clock.clone());
    let mut resources = ResourceCache::from(registry.with_sink(recorder.clone()));
    clock.advance(Duration::from_nanos(5));
    let cache = resources.kv_cache(&config(32 * 20).with_name("session 1")).unwrap();
    step(cache, &device, 16, 0.0);
    cache.reserve(&device, 2).unwrap();
    cache.reserve(&device, 5).unwrap_err();
    cache.truncate(3);
    cache.truncate(3);
    cache.reset();
    cache.reset();
    device.fail_after_allocations(0);
    cache.clear_slot();
    cache.clear_slot();
    cache.reserve(&device, 1).unwrap_err();
    let resized = |len, capacity, bytes, peak_bytes| -> EventData {
        KvCacheResized {
            cache: "session 1".into(),
            layers: 2,
            len,
            capacity,
            bytes,
            peak_bytes,
            duration_ns: 0,
        }
        .into()
    };
    let truncated =
        |from, to| -> EventData { KvCacheTruncated { cache: "session 1".into(), from, to }.into() };
    let refused = |positions, capacity, error: &str| -> EventData {
        KvCacheRefused {
            cache: "session 1".into(),
            positions,
            capacity,
            needed_bytes: 32 * positions,
            limit_bytes: 640,
            error: error.to_owned(),
        }
        .into()
    };
    let events = told(&recorder);
    assert!(events.iter().all(|event| event.timestamp == Some(5)));
    assert_eq!(
        events.into_iter().map(|event| event.data).collect::<Vec<_>>(),
        [
            resized(0, 16, 512, 512),
            resized(16, 20, 640, 1152),
            refused(
                21,
                20,
                "the KV cache is full: 21 positions take 672 bytes, and it may have 20 in 640 bytes"
            ),
            truncated(16, 3),
            truncated(3, 0),
            resized(0, 0, 0, 640),
            refused(1, 0, "allocation failed: out of memory"),
        ]
    );
}

#[test]
fn growing_is_timed_by_the_clock_it_is_given() {
    /// A device that takes a second for each tensor.
    struct Slow(VecDevice, ManualClock);
    impl ComputeDevice for Slow {
        type Tensor = VecTensor;
        fn supports(&self, dtype: Dtype) -> bool {
            self.0.supports(dtype)
        }
        fn zeros(&self, elements: usize, dtype: Dtype) -> Result<VecTensor, MetalError> {
            self.1.advance(Duration::from_secs(1));
            self.0.zeros(elements, dtype)
        }
        fn write(&self, tensor: &mut VecTensor, offset: usize, values: &[f32]) -> Result<(), MetalError> {
            self.0.write(tensor, offset, values)
        }
        fn read(&self, tensor: &VecTensor, range: std::ops::Range<usize>) -> Result<Vec<f32>, MetalError> {
            self.0.read(tensor, range)
        }
        fn copy(
            &self,
            from: &VecTensor,
            from_offset: usize,
            to: &mut VecTensor,
            to_offset: usize,
            elements: usize,
        ) -> Result<(), MetalError> {
            self.0.copy(from, from_offset, to, to_offset, elements)
        }
        fn synchronize(&self) -> Result<(), MetalError> {
            self.0.synchronize()
        }
    }
    let clock = ManualClock::new();
    let device = Slow(VecDevice::default(), clock.clone());
    let recorder = Arc::new(Recorder::new());
    let mut cache = cache(config(1 << 20));
    cache.connect(&SlotContext::default().with_clock(clock).with_sink(recorder.clone()));
    cache.reserve(&device, 1).unwrap();
    device.0.fail_after_allocations(1);
    cache.reserve(&device, 17).unwrap_err();
    assert_eq!(cache.metrics().growing_time, Duration::from_secs(4 + 2));
    let EventData::KvCacheResized(resized) = &data(&recorder)[0] else { panic!("it grew") };
    assert_eq!(resized.duration_ns, 4_000_000_000);
}

#[test]
fn another_configuration_is_refused_until_the_cache_is_taken_out() {
    let mut resources = ResourceCache::<VecDevice>::from(CacheRegistry::default());
    resources.kv_cache(&config(640)).unwrap();
    resources.kv_cache(&config(640)).unwrap();
    let error = resources.kv_cache(&config(320)).map(drop).unwrap_err();
    assert!(matches!(error, MetalError::InvalidParams { .. }));
    let taken = resources.registry_mut().remove_slot::<KvCacheState<VecTensor>>().unwrap();
    assert_eq!(taken.config(), &config(640));
    assert_eq!(resources.kv_cache(&config(320)).unwrap().config(), &config(320));
}
