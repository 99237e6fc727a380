//! Prepared tensors that all threads share.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use metallic::Dtype;
use metallic::caching::{CacheableKernel, EvictionPolicy, ResourceCache, SharedRegistry};
use metallic::device::{ComputeDevice, new_identity};
use metallic::error::MetalError;
use metallic::slots::{PreparedForm, TensorPreparationCache, TensorVersion, Versioned};
use metallic::tensor::Tensor;
use metallic_instrumentation::{EventData, Recorder, RemovalCause};

/// Elements alone.
#[derive(Debug, PartialEq)]
struct Values(Vec<f32>);

impl Tensor for Values {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }
    fn elements(&self) -> usize {
        self.0.len()
    }
}

const AS_IS: PreparedForm = PreparedForm::as_is(Dtype::F32);

type Cache = TensorPreparationCache<Values>;

fn view(registry: &SharedRegistry) -> Cache {
    registry.tensor_preparation().unwrap()
}

fn no_preparation<T>() -> Result<T, MetalError> {
    unreachable!("it is there")
}

fn failed<T: Debug>(result: Result<T, MetalError>) -> String {
    result.unwrap_err().root().to_string()
}

#[test]
fn weights_are_prepared_once_for_all_threads() {
    const THREADS: usize = 8;
    let registry = SharedRegistry::new();
    let sources: Vec<_> = (0..20).map(|n| Versioned::new(n as f32)).collect();
    let (preparations, begin) = (AtomicU64::new(0), Barrier::new(THREADS));
    let tensors = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for first in 0..THREADS {
            let (registry, sources, preparations, begin, tensors) =
                (&registry, &sources, &preparations, &begin, &tensors);
            scope.spawn(move || {
                let mut cache = view(registry);
                begin.wait();
                // Each thread begins elsewhere, and asks again for what it has.
                for number in (0..3 * sources.len()).map(|n| (n + 7 * first) % sources.len()) {
                    let source = &sources[number];
                    let prepare = || {
                        preparations.fetch_add(1, Ordering::Relaxed);
                        thread::yield_now();
                        Ok(Values(vec![*source.get()]))
                    };
                    let tensor = cache.get_or_prepare(source.version(), AS_IS, prepare).unwrap();
                    assert_eq!(tensor.0, [*source.get()]);
                    tensors.lock().unwrap().push((number, Arc::as_ptr(&tensor) as usize));
                }
            });
        }
    });
    assert_eq!(preparations.into_inner(), 20);
    let metrics = registry.metrics_of("tensor_preparation").unwrap();
    assert_eq!((metrics.misses, metrics.hits), (20, (THREADS * 60 - 20) as u64));
    assert_eq!((metrics.size, metrics.bytes), (20, 80));
    let mut tensors = tensors.into_inner().unwrap();
    tensors.sort_unstable();
    tensors.dedup();
    assert_eq!(tensors.len(), 20, "all threads have the same tensors");
}

#[test]
fn those_that_waited_for_a_preparation_that_fails_call_their_own() {
    let registry = SharedRegistry::new();
    let source = TensorVersion::unchanging();
    let begun = Barrier::new(2);
    thread::scope(|scope| {
        let fails = scope.spawn(|| {
            let fail = || {
                begun.wait();
                Err(MetalError::device("upload", "out of memory"))
            };
            failed(view(&registry).get_or_prepare(source, AS_IS, fail))
        });
        begun.wait();
        let tensor = view(&registry).get_or_prepare(source, AS_IS, || Ok(Values(vec![1.0]))).unwrap();
        assert_eq!(tensor.0, [1.0]);
        assert_eq!(fails.join().unwrap(), "upload failed");
    });
    let metrics = view(&registry).metrics();
    assert_eq!((metrics.misses, metrics.failed_creations, metrics.size), (2, 1, 1));
}

#[test]
fn what_one_thread_changes_is_stale_for_all() {
    let registry = SharedRegistry::new();
    let mut source = Versioned::new(1.0);
    let (mut one, mut other) = (view(&registry), view(&registry));
    let before = source.version();
    one.get_or_prepare(before, AS_IS, || Ok(Values(vec![1.0]))).unwrap();
    let old = Arc::downgrade(&other.get_or_prepare(before, AS_IS, no_preparation).unwrap());
    *source.get_mut() = 2.0;
    one.get_or_prepare(source.version(), AS_IS, || Ok(Values(vec![2.0]))).unwrap();
    let outdated = other.get_or_prepare(before, AS_IS, no_preparation).unwrap_err();
    assert!(matches!(outdated, MetalError::OutdatedTensor { version: 0, latest: 1, .. }), "{outdated}");
    assert_eq!(other.get_or_prepare(source.version(), AS_IS, no_preparation).unwrap().0, [2.0]);
    assert!(old.upgrade().is_none(), "no view keeps it");
    assert_eq!((one.stale_removals(), other.stale_removals()), (1, 1));
    assert_eq!((other.metrics().misses, other.metrics().hits), (2, 2));
}

#[test]
fn threads_that_want_two_versions_at_once_get_theirs_or_an_error() {
    let registry = SharedRegistry::new();
    let id = TensorVersion::unchanging().id;
    for round in 0..200 {
        let begin = Barrier::new(2);
        let ask = |version: u64| {
            let mut cache = view(&registry);
            begin.wait();
            cache.get_or_prepare(TensorVersion { id, version }, AS_IS, || Ok(Values(vec![version as f32])))
        };
        let (older, newer) = (2 * round, 2 * round + 1);
        thread::scope(|scope| {
            let first = scope.spawn(|| ask(older));
            assert_eq!(ask(newer).unwrap().0, [newer as f32]);
            match first.join().unwrap() {
                Ok(tensor) => assert_eq!(tensor.0, [older as f32]),
                Err(error) => assert!(matches!(error, MetalError::OutdatedTensor { .. }), "{error}"),
            }
        });
    }
    let cache = view(&registry);
    assert_eq!(cache.len(), 1);
    assert_eq!(cache.metrics().misses, 1 + cache.stale_removals());
}

#[test]
fn a_view_of_a_thread_that_idles_keeps_nothing_alive() {
    let registry = SharedRegistry::default();
    let source = TensorVersion::unchanging();
    let device = Elsewhere(new_identity());
    let mut idle = ResourceCache::from(registry.local());
    let prepare = |_: &Elsewhere| Ok(Values(vec![1.0]));
    let tensor = Arc::downgrade(&idle.get_or_prepare(source, AS_IS, Some(&device), prepare).unwrap());
    registry.clear();
    assert!(tensor.upgrade().is_some(), "it lets go at its next operation");
    idle.registry_mut().park();
    assert!(tensor.upgrade().is_none());
}

/// A device that does nothing but be another.
#[derive(Clone)]
struct Elsewhere(u64);

impl ComputeDevice for Elsewhere {
    type Tensor = Values;
    fn identity(&self) -> Option<u64> {
        Some(self.0)
    }
    fn supports(&self, _: Dtype) -> bool {
        true
    }
    fn zeros(&self, elements: usize, _: Dtype) -> Result<Values, MetalError> {
        Ok(Values(vec![0.0; elements]))
    }
    fn write(&self, _: &mut Values, _: usize, _: &[f32]) -> Result<(), MetalError> {
        Ok(())
    }
    fn read(&self, tensor: &Values, range: std::ops::Range<usize>) -> Result<Vec<f32>, MetalError> {
        Ok(tensor.0[range].to_vec())
    }
    fn copy(&self, _: &Values, _: usize, _: &mut Values, _: usize, _: usize) -> Result<(), MetalError> {
        Ok(())
    }
    fn synchronize(&self) -> Result<(), MetalError> {
        Ok(())
    }
}

#[test]
fn what_was_prepared_on_one_device_is_not_given_out_for_another() {
    let [first, second, third] = [(); 3].map(|()| Elsewhere(new_identity()));
    let registry = SharedRegistry::with_device(first.clone());
    let mut cache = ResourceCache::from(registry.local());
    let source = TensorVersion::unchanging();
    let prepare = |device: &Elsewhere| Ok(Values(vec![device.0 as f32]));
    cache.get_or_prepare(source, AS_IS, None, prepare).unwrap();
    for _ in 0..2 {
        let refused = cache.get_or_prepare(source, AS_IS, Some(&second), prepare).unwrap_err();
        assert!(matches!(refused, MetalError::AnotherDevice { .. }), "{refused}");
    }
    cache.tensor_preparation().unwrap().remove(source.id, AS_IS);
    let on_second = cache.get_or_prepare(source, AS_IS, Some(&second), prepare).unwrap();
    assert_eq!(on_second.0, [second.0 as f32], "there was nothing of the first any more");
    registry.device_lost(Some(third.clone()));
    let on_third = cache.get_or_prepare(source, AS_IS, None, prepare).unwrap();
    assert_eq!(on_third.0, [third.0 as f32]);
}

#[test]
fn what_is_prepared_on_a_device_that_is_lost_meanwhile_is_not_kept() {
    let [first, second] = [(); 2].map(|()| Elsewhere(new_identity()));
    let registry = SharedRegistry::with_device(first);
    let mut cache = ResourceCache::from(registry.local());
    let source = TensorVersion::unchanging();
    let lose = |device: &Elsewhere| {
        registry.device_lost(Some(second.clone()));
        Ok(Values(vec![device.0 as f32]))
    };
    assert_eq!(failed(cache.get_or_prepare(source, AS_IS, None, lose)), MetalError::DeviceLost.to_string());
    let prepare = |device: &Elsewhere| Ok(Values(vec![device.0 as f32]));
    assert_eq!(cache.get_or_prepare(source, AS_IS, None, prepare).unwrap().0, [second.0 as f32]);
}

#[test]
fn the_name_belongs_to_one_type_of_tensors_or_to_a_kernel() {
    /// A kernel of the name.
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
    /// Other tensors.
    struct Other;
    impl Tensor for Other {
        fn dtype(&self) -> Dtype {
            Dtype::F32
        }
        fn elements(&self) -> usize {
            0
        }
    }
    let registry = SharedRegistry::new();
    let refused = |second: &str, error: MetalError| {
        let MetalError::DuplicateCacheName { second: is, .. } = &error else { panic!("{error}") };
        assert!(is.contains(second), "{error}");
    };
    view(&registry).get_or_prepare(TensorVersion::unchanging(), AS_IS, || Ok(Values(vec![]))).unwrap();
    refused("Impostor", registry.get_or_create::<Impostor>(&1, None).unwrap_err());
    refused("Other", registry.tensor_preparation::<Other>().map(drop).unwrap_err());
    let registry = SharedRegistry::new();
    registry.get_or_create::<Impostor>(&1, None).unwrap();
    refused("Values", registry.tensor_preparation::<Values>().map(drop).unwrap_err());
}

#[test]
fn the_log_has_what_the_metrics_count() {
    let recorder = Arc::new(Recorder::new());
    let registry = SharedRegistry::new();
    registry.set_sink(Some(recorder.clone()));
    registry.set_eviction_policy_of("tensor_preparation", EvictionPolicy::size_limited_lru(3));
    let mut sources: Vec<_> = (0..5).map(Versioned::new).collect();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut cache = view(&registry);
                for source in sources.iter().cycle().take(50) {
                    let prepare = || Ok(Values(vec![*source.get() as f32]));
                    cache.get_or_prepare(source.version(), AS_IS, prepare).unwrap();
                }
            });
        }
    });
    let mut cache = view(&registry);
    for _ in 0..2 {
        sources[0].get_mut();
        cache.get_or_prepare(sources[0].version(), AS_IS, || Ok(Values(vec![0.0]))).unwrap();
    }
    let metrics = cache.metrics();
    let (mut hits, mut misses, mut stale, mut evictions) = (0, 0, 0, 0);
    for event in recorder.events() {
        match event.data {
            EventData::ResourceCacheAccess(access) if access.hit => hits += 1,
            EventData::ResourceCacheAccess(_) => misses += 1,
            EventData::EntryRemoved(gone) if gone.cause == RemovalCause::Stale => stale += 1,
            EventData::EntryRemoved(gone) if gone.cause == RemovalCause::SizeLimit => evictions += 1,
            _ => {}
        }
    }
    assert_eq!((hits, misses), (metrics.hits, metrics.misses));
    assert_eq!((hits + misses, stale), (202, cache.stale_removals()));
    assert_eq!(evictions, metrics.evictions);
    assert!(metrics.evictions > 0 && cache.stale_removals() > 0);
}

#[test]
fn a_clone_of_one_threads_tensors_is_a_view_of_them() {
    let mut cache = Cache::default();
    let source = TensorVersion::unchanging();
    let tensor = cache.get_or_prepare(source, AS_IS, || Ok(Values(vec![1.0]))).unwrap();
    let mut clone = cache.clone();
    thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..3 {
                let found = clone.get_or_prepare(source, AS_IS, no_preparation).unwrap();
                assert!(Arc::ptr_eq(&found, &tensor));
            }
        });
    });
    assert_eq!((cache.metrics().hits, cache.metrics().misses), (3, 1));
}

#[test]
fn a_preparation_that_needs_itself_is_an_error_and_one_that_needs_another_is_none() {
    let registry = SharedRegistry::new();
    let (one, other) = (TensorVersion::unchanging(), TensorVersion::unchanging());
    let itself = || view(&registry).get_or_prepare(one, AS_IS, no_preparation).map(|_| Values(vec![]));
    let error = view(&registry).get_or_prepare(one, AS_IS, itself).unwrap_err();
    assert!(matches!(error.root(), MetalError::RecursiveCreation { .. }), "{error}");
    let doubled = || {
        let half = view(&registry).get_or_prepare(other, AS_IS, || Ok(Values(vec![2.0])))?;
        Ok(Values(half.0.iter().map(|x| 2.0 * x).collect()))
    };
    assert_eq!(view(&registry).get_or_prepare(one, AS_IS, doubled).unwrap().0, [4.0]);
}

#[test]
fn a_preparation_that_panics_is_taken_over_by_one_of_those_that_waited() {
    let registry = SharedRegistry::new();
    let (source, begun) = (TensorVersion::unchanging(), Barrier::new(2));
    thread::scope(|scope| {
        let panics = scope.spawn(|| {
            let panic = || {
                begun.wait();
                panic!("the packing goes wrong")
            };
            view(&registry).get_or_prepare(source, AS_IS, panic)
        });
        begun.wait();
        let tensor = view(&registry).get_or_prepare(source, AS_IS, || Ok(Values(vec![1.0]))).unwrap();
        assert_eq!(tensor.0, [1.0]);
        assert!(panics.join().is_err());
    });
    assert_eq!((view(&registry).metrics().misses, view(&registry).len()), (2, 1));
}
