//! Prepared tensors that threads share: each judges by its version whether what is there will do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};

use metallic::Dtype;
use metallic::caching::{EvictionPolicy, SharedRegistry};
use metallic::error::Error;
use metallic::slots::{PreparedForm, TensorPreparationCache, TensorVersion};
use metallic::tensor::Tensor;
use shuttle::rand::{Rng, thread_rng};

use super::THREADS;

const SOURCES: usize = 3;
const OPERATIONS: usize = 5;
const FORM: PreparedForm = PreparedForm::as_is(Dtype::F32);

type Cache = TensorPreparationCache<Prepared>;

/// The record of the preparations of one source.
struct Source {
    id: TensorVersion,
    /// Raised when the source changes.
    version: AtomicU64,
    /// A preparation is under way.
    preparing: AtomicBool,
    /// The preparations that were begun.
    begun: AtomicU64,
    /// The last preparation whose tensor was handed out.
    handed_out: AtomicU64,
}

struct Books {
    sources: [Source; SOURCES],
    policy: EvictionPolicy,
    changes: bool,
    fails: bool,
    loses: bool,
    /// The look-ups that returned a tensor.
    found: AtomicU64,
    /// Preparations that failed, or whose tensor was refused since the device was lost.
    failed: AtomicU64,
    /// Tensors that are not dropped.
    alive: AtomicI64,
    /// Devices with a lower number are lost.
    device: AtomicU64,
}

struct Prepared {
    source: usize,
    version: u64,
    /// The number of its preparation among those of its source.
    serial: u64,
    device: u64,
    books: Arc<Books>,
}

impl Drop for Prepared {
    fn drop(&mut self) {
        self.books.alive.fetch_sub(1, SeqCst);
    }
}

impl Tensor for Prepared {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }
    fn elements(&self) -> usize {
        2
    }
}

impl Books {
    fn prepare(
        self: &Arc<Self>,
        source: usize,
        version: u64,
        device: impl Fn() -> u64,
    ) -> Result<Prepared, Error> {
        let book = &self.sources[source];
        assert!(!book.preparing.swap(true, SeqCst), "two preparations of one source at a time");
        let serial = book.begun.fetch_add(1, SeqCst) + 1;
        shuttle::thread::yield_now();
        let device = device();
        shuttle::thread::yield_now();
        book.preparing.store(false, SeqCst);
        if self.fails && thread_rng().gen_bool(0.3) {
            return Err(Error::invalid_params("as it was told to"));
        }
        self.alive.fetch_add(1, SeqCst);
        Ok(Prepared { source, version, serial, device, books: self.clone() })
    }

    fn look_up(self: &Arc<Self>, cache: &mut Cache, device: impl Fn() -> u64) {
        let source = thread_rng().gen_range(0..SOURCES);
        let book = &self.sources[source];
        let version = match self.changes && thread_rng().gen_bool(0.3) {
            true => book.version.fetch_add(1, SeqCst) + 1,
            false => book.version.load(SeqCst),
        };
        let (before, lost) = (book.handed_out.load(SeqCst), self.device.load(SeqCst));
        // It may have changed since it was read: an older version is refused, or prepared if no newer one is there.
        let asked = TensorVersion { version, ..book.id };
        let mut own = None;
        let got = cache.get_or_prepare(asked, FORM, || {
            let made = self.prepare(source, version, &device);
            own = Some(made.is_ok());
            made
        });
        match got {
            Ok(tensor) => {
                self.found.fetch_add(1, SeqCst);
                assert_eq!((tensor.source, tensor.version), (source, version), "another tensor");
                assert!(tensor.serial >= before, "what had been replaced was handed out");
                assert!(tensor.device >= lost, "a lost device's tensor was handed out");
                book.handed_out.fetch_max(tensor.serial, SeqCst);
            }
            Err(error) => match error.root() {
                Error::OutdatedTensor { version: outdated, latest, .. } => {
                    assert!(self.changes && own != Some(false));
                    assert!(*outdated == version && *latest > version, "{error}");
                    assert!(book.version.load(SeqCst) >= *latest);
                }
                Error::InvalidParams { .. } => assert_eq!(own, Some(false), "another's error"),
                Error::DeviceLost => assert!(self.loses),
                _ => panic!("{error:?}"),
            },
        }
        if own == Some(false) {
            self.failed.fetch_add(1, SeqCst);
        }
    }

    fn work(self: &Arc<Self>, mut cache: Cache, registry: Option<&SharedRegistry<u64>>, number: usize) {
        let device = || registry.and_then(|registry| registry.device()).map_or(0, |device| *device);
        for _ in 0..OPERATIONS {
            let source = self.sources[thread_rng().gen_range(0..SOURCES)].id.id;
            match (thread_rng().gen_range(0..20), registry) {
                (0..13, _) => self.look_up(&mut cache, device),
                (13, _) => drop(cache.remove(source, FORM)),
                (14, _) => drop(cache.forget(source)),
                (15, _) => cache.clear(),
                (16, _) => cache = cache.clone(),
                (17, Some(registry)) => registry.next_generation(),
                (18, Some(registry)) if self.loses && number == 0 => {
                    // By one thread alone: devices are numbered in the order that they are lost in.
                    let number = self.device.load(SeqCst) + 1;
                    registry.device_lost(Some(number));
                    self.device.store(number, SeqCst);
                }
                (_, Some(registry)) => cache = registry.tensor_preparation().expect("the name is its own"),
                (_, None) => assert!(cache.len() <= SOURCES),
            }
        }
    }
}

fn policy() -> EvictionPolicy {
    let policies = [
        EvictionPolicy::none(),
        EvictionPolicy::size_limited_lru(1),
        EvictionPolicy::size_limited_lru(2),
        EvictionPolicy::sieve(2),
        EvictionPolicy::s3_fifo(2),
        EvictionPolicy::none().with_max_idle_generations(0),
    ];
    policies[thread_rng().gen_range(0..policies.len())]
}

pub(crate) fn scenario() {
    // That of a registry, or one thread's with views for the others.
    let registry = thread_rng().gen_bool(0.7).then(|| SharedRegistry::with_device(0));
    let books = Arc::new(Books {
        sources: std::array::from_fn(|_| Source {
            id: TensorVersion::unchanging(),
            version: AtomicU64::new(0),
            preparing: AtomicBool::new(false),
            begun: AtomicU64::new(0),
            handed_out: AtomicU64::new(0),
        }),
        policy: policy(),
        changes: thread_rng().gen_bool(0.6),
        fails: thread_rng().gen_bool(0.4),
        loses: registry.is_some() && thread_rng().gen_bool(0.5),
        found: AtomicU64::new(0),
        failed: AtomicU64::new(0),
        alive: AtomicI64::new(0),
        device: AtomicU64::new(0),
    });
    let mut cache = match &registry {
        Some(registry) => registry.tensor_preparation().expect("the name is free"),
        None => Cache::default(),
    };
    cache.set_eviction_policy(books.policy);
    let view = cache.clone();
    let mut caches: Vec<_> = (1..THREADS).map(|_| cache.clone()).collect();
    caches.push(cache);
    let threads: Vec<_> = caches
        .into_iter()
        .enumerate()
        .map(|(number, cache)| {
            let (books, registry) = (books.clone(), registry.clone());
            shuttle::thread::spawn(move || books.work(cache, registry.as_ref(), number))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    view.validate();
    let metrics = view.metrics();
    let load = |count: &AtomicU64| count.load(SeqCst);
    let begun: u64 = books.sources.iter().map(|source| load(&source.begun)).sum();
    assert_eq!(metrics.misses, begun, "each preparation is a miss, and nothing else is");
    let created = metrics.misses - metrics.failed_creations;
    if !books.loses {
        assert_eq!(metrics.failed_creations, load(&books.failed));
    }
    if !books.changes {
        assert_eq!(metrics.hits + created, load(&books.found), "each look-up that found is counted once");
    }
    assert!(metrics.hits + created >= load(&books.found));
    assert_eq!(metrics.size as u64, created - metrics.evictions - metrics.removals);
    assert!(view.stale_removals() <= metrics.removals && (books.changes || view.stale_removals() == 0));
    assert_eq!(metrics.bytes, metrics.size as u64 * 8);
    assert!(books.policy.capacity().is_none_or(|capacity| metrics.size <= capacity));
    assert_eq!(books.alive.load(SeqCst), metrics.size as i64, "what is not in the cache is dropped");
    drop((view, registry));
    assert_eq!(books.alive.load(SeqCst), 0, "what was in the cache is dropped with it");
}
