//! Slots that report through their registry: sink, clock, names, metrics.

use std::sync::Arc;
use std::time::Duration;

use metallic::Dtype;
use metallic::caching::{
    CacheRegistry, CacheRegistrySlot, CacheableKernel, EvictionPolicy, ManualClock, ResourceCache,
    SlotContext,
};
use metallic::device::ComputeDevice;
use metallic::error::MetalError;
use metallic::slots::{TensorPreparationCache, Versioned};
use metallic::tensor::Tensor;
use metallic_instrumentation::{
    CacheCleared, CacheEviction, CachePolicyChanged, CreationOutcome, EntryRemoved, EventData, EventKind,
    KvCacheTruncated, Recorder, RemovalCause, ResourceCacheAccess, ResourceCreated,
};

use crate::doubles::{Add, SECOND, data, names, panics, told};
use crate::prepared_tensors::{AS_IS, Values};
use crate::vec_device::VecDevice;

type Prepared = TensorPreparationCache<Values>;

fn prepare(registry: &mut CacheRegistry, source: &Versioned<f32>) -> Result<Arc<Values>, MetalError> {
    let cache = registry.slot_mut(Prepared::default);
    cache.get_or_prepare(source.version(), AS_IS, || Ok(Values(vec![*source.get(); 2])))
}

#[test]
fn every_step_of_a_prepared_tensor_is_an_event() {
    let (clock, recorder) = (ManualClock::new(), Arc::new(Recorder::new()));
    let mut registry = CacheRegistry::new().with_clock(clock.clone()).with_sink(recorder.clone());
    let mut source = Versioned::new(1.0);
    let label = |source: &Versioned<f32>| -> Arc<str> {
        let id = source.version().id;
        format!("tensor_preparation:PreparedTensor{{tensor:{id},form:PreparedForm{{layout:AsIs,dtype:F32}}}}")
            .into()
    };
    let cache_key = label(&source);
    registry
        .slot_mut(Prepared::default)
        .get_or_prepare(source.version(), AS_IS, || {
            clock.advance(SECOND);
            Ok(Values(vec![1.0; 2]))
        })
        .unwrap();
    prepare(&mut registry, &source).unwrap();
    *source.get_mut() = 2.0;
    clock.advance(SECOND);
    prepare(&mut registry, &source).unwrap();
    let cache = registry.slot_mut(Prepared::default);
    cache.set_eviction_policy(EvictionPolicy::size_limited_lru(1));
    let other = Versioned::new(0.0);
    cache.get_or_prepare(other.version(), AS_IS, || Err(MetalError::device("upload", "lost"))).unwrap_err();
    registry.clear_slot::<Prepared>();

    let name = "tensor_preparation";
    let access =
        |hit, bytes| -> EventData { ResourceCacheAccess { cache_key: cache_key.clone(), hit, bytes }.into() };
    let created = |seconds: u64| -> EventData {
        ResourceCreated {
            cache: name.into(),
            cache_key: cache_key.clone(),
            duration_ns: seconds * 1_000_000_000,
            own_duration_ns: seconds * 1_000_000_000,
            loaded: false,
            outcome: CreationOutcome::Created,
            error: None,
            bytes: 8,
        }
        .into()
    };
    let removed = |cause, seconds: u64, reuse_count, creation_ns| -> EventData {
        EntryRemoved {
            cache: name.into(),
            cache_key: cache_key.clone(),
            cause,
            age_ns: seconds * 1_000_000_000,
            idle_ns: seconds * 1_000_000_000,
            reuse_count,
            creation_ns,
            bytes: 8,
        }
        .into()
    };
    let cleared = |count| -> EventData { CacheCleared { cache: name.into(), count, size_after: 0 }.into() };
    let other_key = label(&other);
    assert_eq!(
        data(&recorder),
        [
            created(1),
            access(false, 8),
            access(true, 8),
            removed(RemovalCause::Stale, 1, 1, 1_000_000_000),
            cleared(1),
            created(0),
            access(false, 8),
            CachePolicyChanged {
                cache: name.into(),
                strategy: "size_limited_lru".into(),
                max_entries: Some(1),
                max_idle_ns: None,
                max_idle_generations: None,
                min_entries: 0,
            }
            .into(),
            removed(RemovalCause::SizeLimit, 0, 0, 0),
            CacheEviction {
                cache: name.into(),
                strategy: "size_limited_lru".into(),
                count: 1,
                reason: "size_limit_exceeded_max_1".into(),
                size_after: 0,
            }
            .into(),
            ResourceCreated {
                cache: name.into(),
                cache_key: other_key.clone(),
                duration_ns: 0,
                own_duration_ns: 0,
                loaded: false,
                outcome: CreationOutcome::Failed,
                error: Some("upload failed: lost".to_owned()),
                bytes: 0,
            }
            .into(),
            ResourceCacheAccess { cache_key: other_key, hit: false, bytes: 0 }.into(),
            cleared(0),
        ]
    );
}

#[test]
fn a_sink_given_later_reaches_slots_that_exist_and_their_clock_stays() {
    let (first, second) = (ManualClock::new(), ManualClock::new());
    first.advance(5 * SECOND);
    let mut registry = CacheRegistry::new().with_clock(first.clone());
    let source = Versioned::new(1.0);
    prepare(&mut registry, &source).unwrap();
    let recorder = Arc::new(Recorder::new());
    let mut registry = registry.with_clock(second).with_sink(recorder.clone());
    first.advance(SECOND);
    prepare(&mut registry, &source).unwrap();
    let events = told(&recorder);
    assert_eq!(events.len(), 1);
    assert_eq!(
        (events[0].kind(), events[0].timestamp),
        (EventKind::ResourceCacheAccess, Some(6_000_000_000))
    );
    let metrics = registry.slot::<Prepared>().unwrap().metrics();
    assert_eq!((metrics.oldest_entry_age, metrics.shortest_idle_age), (Some(SECOND), Some(Duration::ZERO)));
}

#[test]
fn a_hundred_operations_make_a_summary() {
    let recorder = Arc::new(Recorder::new());
    let mut registry = CacheRegistry::new().with_sink(recorder.clone());
    let source = Versioned::new(1.0);
    (0..250).for_each(|_| drop(prepare(&mut registry, &source).unwrap()));
    let events = data(&recorder);
    let summaries: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            EventData::ResourceCacheSummary(summary) => Some((&*summary.cache, summary.hits, summary.misses)),
            _ => None,
        })
        .collect();
    assert_eq!(summaries, [("tensor_preparation", 99, 1), ("tensor_preparation", 199, 1)]);
}

#[test]
fn prepared_tensors_are_listed_cleared_and_expired_with_the_caches() {
    let clock = ManualClock::new();
    let mut registry = CacheRegistry::new().with_clock(clock.clone());
    registry.get_or_create::<Add<1>>(&1, None).unwrap();
    let source = Versioned::new(1.0);
    prepare(&mut registry, &source).unwrap();
    assert_eq!(names(&registry), ["add001", "tensor_preparation"]);
    let (_, metrics) = registry.metrics_by_name().nth(1).unwrap();
    assert_eq!((metrics.size, metrics.bytes), (1, 8));
    let idle = EvictionPolicy::idle_timeout(SECOND);
    registry.slot_mut(Prepared::default).set_eviction_policy(idle);
    clock.advance(2 * SECOND);
    registry.expire_idle();
    assert!(registry.slot::<Prepared>().unwrap().is_empty());
    prepare(&mut registry, &source).unwrap();
    registry.clear();
    assert_eq!(registry.slot::<Prepared>().unwrap().metrics().removals, 1);
    prepare(&mut registry, &source).unwrap();
    assert!(registry.clear_slot::<Prepared>());
    let cache = registry.slot::<Prepared>().unwrap();
    assert_eq!((cache.len(), cache.metrics().misses, cache.eviction_policy()), (0, 3, idle));
}

/// A kernel that takes the name.
struct Impostor;

impl CacheableKernel for Impostor {
    type Key = u32;
    type CachedResource = u32;
    type Params = u32;
    const CACHE_NAME: &'static str = "tensor_preparation";
    fn create_cache_key(n: &u32) -> u32 {
        *n
    }
    fn create_cached_resource(n: &u32, _: Option<&metallic::Device>) -> Result<u32, MetalError> {
        Ok(*n)
    }
}

#[test]
fn a_kernel_cannot_take_the_name_of_a_slot() {
    let mut registry = CacheRegistry::new();
    prepare(&mut registry, &Versioned::new(1.0)).unwrap();
    let error = registry.get_or_create::<Impostor>(&1, None).unwrap_err();
    let MetalError::DuplicateCacheName { name, first, second } = error else { panic!("{error:?}") };
    assert_eq!(name, "tensor_preparation");
    assert!(first.contains("TensorPreparationCache") && second.contains("Impostor"));
    assert_eq!(names(&registry), ["tensor_preparation"]);
}

#[test]
fn a_slot_cannot_take_the_name_of_a_kernel() {
    let recorder = Arc::new(Recorder::new());
    let mut registry = CacheRegistry::new();
    registry.get_or_create::<Impostor>(&1, None).unwrap();
    let source = Versioned::new(1.0);
    let error = prepare(&mut registry, &source).unwrap_err();
    let MetalError::DuplicateCacheName { first, .. } = error else { panic!("{error:?}") };
    assert!(first.contains("Impostor"));
    assert_eq!(registry.metrics_by_name().map(|(_, metrics)| metrics.misses).collect::<Vec<_>>(), [1]);
    let mut registry = registry.with_sink(recorder.clone());
    prepare(&mut registry, &source).unwrap_err();
    let openings = [EventKind::RegistryOpened, EventKind::CacheOpened];
    let kinds: Vec<_> = recorder.events().iter().map(metallic_instrumentation::Event::kind).collect();
    assert_eq!(kinds, openings, "of the kernel's cache alone: the slot's events would pass for its");
}

#[test]
fn prepared_tensors_of_two_types_do_not_share_the_name() {
    #[derive(Debug)]
    struct Other;
    impl Tensor for Other {
        fn dtype(&self) -> Dtype {
            Dtype::F32
        }
        fn elements(&self) -> usize {
            0
        }
    }
    let mut registry = CacheRegistry::new();
    let source = Versioned::new(1.0);
    prepare(&mut registry, &source).unwrap();
    let others = registry.slot_mut(TensorPreparationCache::<Other>::default);
    let error = others.get_or_prepare(source.version(), AS_IS, || Ok(Other)).unwrap_err();
    assert!(matches!(error, MetalError::DuplicateCacheName { .. }));
    assert_eq!(names(&registry), ["tensor_preparation"]);
    assert!(registry.clear_slot::<TensorPreparationCache<Other>>(), "and still it is a slot");
    prepare(&mut registry, &source).unwrap();
    assert_eq!(registry.slot::<Prepared>().unwrap().metrics().hits, 1);
}

#[test]
fn a_preparation_is_given_the_device_of_the_caller_or_of_the_registry() {
    let source = Versioned::new(vec![1.0, 2.0]);
    let upload = |device: &VecDevice| device.upload(source.get(), Dtype::F32);
    let mut cache = ResourceCache::<VecDevice>::from(CacheRegistry::default());
    let error = cache.get_or_prepare(source.version(), AS_IS, None, upload).map(drop).unwrap_err();
    assert!(matches!(error.root(), MetalError::DeviceNotAvailable));
    let others = VecDevice::default();
    let uploaded = cache.get_or_prepare(source.version(), AS_IS, Some(&others), upload).unwrap();
    assert_eq!(others.read(&uploaded, 0..2).unwrap(), [1.0, 2.0]);
    cache.get_or_prepare(source.version(), AS_IS, None, |_| unreachable!("it is there")).unwrap();
    assert_eq!(cache.tensor_preparation().unwrap().metrics().failed_creations, 1);

    let own = VecDevice::default();
    let mut cache = ResourceCache::with_device(own.clone());
    cache.get_or_prepare(source.version(), AS_IS, None, upload).unwrap();
    assert_eq!(own.live_bytes(), 8);
}

/// A slot of a user's, that keeps count and tells.
#[derive(Default)]
struct Counted {
    context: SlotContext,
    count: u64,
    connections: u32,
}

impl CacheRegistrySlot for Counted {
    fn clear_slot(&mut self) {
        let from = std::mem::take(&mut self.count);
        self.context.report(EventKind::KvCacheTruncated, self.context.now(), || KvCacheTruncated {
            cache: "counted".into(),
            from,
            to: 0,
        });
    }

    fn connect(&mut self, context: &SlotContext) {
        self.connections += 1;
        self.context = context.clone();
    }
}

#[test]
fn a_slot_of_a_users_own_reports_through_the_registry() {
    let (clock, recorder) = (ManualClock::new(), Arc::new(Recorder::new()));
    let mut registry = CacheRegistry::new().with_clock(clock.clone());
    registry.slot_mut(Counted::default).count = 3;
    registry.slot_mut(|| -> Counted { unreachable!("there is one") });
    let mut registry = registry.with_sink(recorder.clone());
    let began = registry.slot::<Counted>().unwrap().context.now();
    clock.advance(SECOND);
    assert_eq!(registry.slot::<Counted>().unwrap().context.ns_since(began), 1_000_000_000);
    registry.clear_slot::<Counted>();
    let events = told(&recorder);
    assert_eq!(events[0].timestamp, Some(1_000_000_000));
    assert_eq!(events[0].data, KvCacheTruncated { cache: "counted".into(), from: 3, to: 0 }.into());
    assert_eq!(registry.slot::<Counted>().unwrap().connections, 2);
    assert_eq!(names(&registry), [""; 0], "it is no cache");
}

#[test]
fn a_slot_whose_making_panics_is_not_there() {
    let mut registry = CacheRegistry::new();
    assert!(panics(|| {
        registry.slot_mut(|| -> Counted { panic!("no room") });
    }));
    assert!(registry.slot::<Counted>().is_none());
    assert_eq!(registry.slot_mut(Counted::default).connections, 1);
}
