//! Creations in the background: no wake is lost, nothing is created twice at a time, all threads end.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};
use std::task::{Context, Waker};

use metallic::caching::{Answer, CacheableKernel, Creation, OnFailure, SharedRegistry, Ticket};
use metallic::error::Error;
use shuttle::rand::{Rng, thread_rng};

const KEYS: u32 = 3;
const ASKERS: usize = 2;
const OPERATIONS: usize = 4;

#[derive(Clone)]
struct Device {
    number: u64,
    books: Arc<Books>,
}

#[derive(Default)]
struct Books {
    /// Creations under way, by key.
    creating: [AtomicU64; KEYS as usize],
    creations: AtomicU64,
    /// Resources that are not dropped.
    alive: AtomicI64,
    /// Devices with a lower number are lost.
    device: AtomicU64,
}

struct Resource {
    key: u32,
    device: u64,
    books: Arc<Books>,
}

impl Drop for Resource {
    fn drop(&mut self) {
        self.books.alive.fetch_sub(1, SeqCst);
    }
}

/// Ends the creation of a key, even if it panics.
struct Creating<'a>(&'a AtomicU64);

impl Drop for Creating<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

struct Numbers;

impl CacheableKernel<Device> for Numbers {
    type Key = u32;
    type CachedResource = Arc<Resource>;
    type Params = u32;

    const CACHE_NAME: &'static str = "numbers";

    fn create_cache_key(key: &u32) -> u32 {
        *key
    }

    fn create_cached_resource(_: &u32, _: Option<&Device>) -> Result<Arc<Resource>, Error> {
        Err(Error::NoRegistry)
    }

    fn create(key: &u32, cx: &mut Creation<'_, Self, Device>) -> Result<Arc<Resource>, Error> {
        let device = cx.device().ok_or(Error::DeviceNotAvailable)?.clone();
        let books = device.books;
        let creating = &books.creating[*key as usize];
        assert_eq!(creating.fetch_add(1, SeqCst), 0, "two creations of one key at a time");
        books.creations.fetch_add(1, SeqCst);
        let creating = Creating(creating);
        shuttle::thread::yield_now();
        let nested = match thread_rng().gen_range(0..8) {
            0 => cx.get_or_create::<Self>(&thread_rng().gen_range(0..KEYS)).map(drop),
            1 => Err(Error::invalid_params("as it was told to")),
            2 => std::panic::resume_unwind(Box::new("as it was told to")),
            _ => Ok(()),
        };
        drop(creating);
        nested?;
        books.alive.fetch_add(1, SeqCst);
        Ok(Arc::new(Resource { key: *key, device: device.number, books: books.clone() }))
    }

    fn device_identity(device: &Device) -> Option<u64> {
        Some(device.number)
    }
}

type Registry = SharedRegistry<Device>;

fn settle(asked: (u32, u64), outcome: Result<Arc<Resource>, Error>) {
    match outcome {
        Ok(resource) => {
            assert_eq!(resource.key, asked.0);
            assert!(resource.device >= asked.1, "a lost device's resource was handed out");
        }
        Err(error) => assert!(
            matches!(
                error.root(),
                Error::InvalidParams { .. }
                    | Error::Panicked { .. }
                    | Error::RecursiveCreation { .. }
                    | Error::DeviceLost
                    | Error::ShutDown
            ),
            "{error:?}"
        ),
    }
}

/// Waits as a thread or as a task, lets go, or hands the ticket on.
fn redeem(books: &Books, key: u32, ticket: Ticket<Arc<Resource>>) {
    let asked = (key, books.device.load(SeqCst));
    match thread_rng().gen_range(0..8) {
        0 => drop(ticket),
        1 => ticket.detach(),
        2 => {
            let other = ticket.clone();
            let task = shuttle::thread::spawn(move || shuttle::future::block_on(other));
            settle(asked, ticket.wait());
            settle(asked, task.join().unwrap());
        }
        3 => {
            let others = [ticket.clone(), ticket];
            let tasks =
                others.map(|ticket| shuttle::thread::spawn(move || shuttle::future::block_on(ticket)));
            tasks.into_iter().for_each(|task| settle(asked, task.join().unwrap()));
        }
        4 => settle(asked, ticket.wait_timeout(std::time::Duration::MAX)),
        5 => settle(asked, ticket.wait()),
        _ => settle(asked, shuttle::future::block_on(ticket)),
    }
}

fn ask(registry: &Registry, books: &Arc<Books>) {
    let mut local = registry.local();
    for _ in 0..OPERATIONS {
        let key = thread_rng().gen_range(0..KEYS);
        match thread_rng().gen_range(0..16) {
            0..6 => redeem(books, key, registry.prefetch::<Numbers>(&key)),
            6..8 => redeem(books, key, registry.rebuild::<Numbers>(&key)),
            8..10 => {
                let asked = (key, books.device.load(SeqCst));
                let look_up = || registry.get_or_create::<Numbers>(&key, None);
                // A panic of its own creation is the caller's.
                if let Ok(outcome) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(look_up)) {
                    settle(asked, outcome);
                }
            }
            10..13 => {
                let mut batch = local.batch();
                let fallback = || {
                    books.alive.fetch_add(1, SeqCst);
                    Arc::new(Resource { key, device: u64::MAX, books: books.clone() })
                };
                let mut ask = || match batch.get_or_fallback::<Numbers>(&key, fallback) {
                    Ok(answer) => Some(answer.clone()),
                    Err(error) => {
                        assert!(matches!(error, Error::AnotherDevice { .. }), "{error:?}");
                        None
                    }
                };
                let first = ask();
                shuttle::thread::yield_now();
                if let (Some(first), Some(again)) = (first, ask()) {
                    assert_eq!(first.generation(), again.generation());
                    assert!(Arc::ptr_eq(first.get(), again.get()));
                    assert_eq!(matches!(first, Answer::Fallback(_)), first.get().device == u64::MAX);
                }
            }
            13 => drop(registry.remove::<Numbers>(&key)),
            14 => registry.set_creator_threads(thread_rng().gen_range(0..3)),
            _ => match thread_rng().gen_range(0..3) {
                0 => registry.shut_down(),
                _ => registry.clear(),
            },
        }
    }
}

pub(crate) fn scenario() {
    let books = Arc::<Books>::default();
    books.device.store(1, SeqCst);
    let registry = Registry::with_device(Device { number: 1, books: books.clone() });
    registry.set_creator_threads(thread_rng().gen_range(0..3));
    let idle = std::time::Duration::from_secs(3600);
    let treatments = [OnFailure::Share, OnFailure::Retry, OnFailure::Remember { backoff: idle }];
    registry.set_failure_policy::<Numbers>(treatments[thread_rng().gen_range(0..treatments.len())]);
    let askers: Vec<_> = (0..ASKERS)
        .map(|_| {
            let (registry, books) = (registry.clone(), books.clone());
            shuttle::thread::spawn(move || ask(&registry, &books))
        })
        .collect();
    if thread_rng().gen_bool(0.3) {
        registry.device_lost(Some(Device { number: 2, books: books.clone() }));
        books.device.store(2, SeqCst);
    }
    let stays = thread_rng().gen_bool(0.5).then(|| registry.clone());
    // The last handle may be an asker's, or a creator's.
    drop(registry);
    askers.into_iter().for_each(|asker| asker.join().unwrap());
    let Some(registry) = stays else { return };
    registry.shut_down();
    let metrics = registry.metrics::<Numbers>().expect("its treatment of failures was set");
    assert_eq!(metrics.misses, books.creations.load(SeqCst));
    let created = metrics.misses - metrics.failed_creations;
    assert_eq!(metrics.size as u64, created - metrics.evictions - metrics.removals);
    assert_eq!(books.alive.load(SeqCst), metrics.size as i64, "what is not in the cache is dropped");
    drop(registry);
    assert_eq!(books.alive.load(SeqCst), 0, "what was in the cache is dropped with it");
}

/// A thread that is too many ends, while others wait for tickets, and then a shut-down: when that is over, no thread has anything.
pub(crate) fn surplus() {
    let registry = Registry::default();
    registry.set_creator_threads(1);
    let cache = registry.cache::<u32, Arc<()>>("cache").unwrap();
    let resource = Arc::new(());
    let waiters: Vec<_> = (0..ASKERS as u32)
        .map(|key| {
            let (cache, resource) = (cache.clone(), resource.clone());
            shuttle::thread::spawn(move || {
                let ticket = cache.prefetch_with(key, move || Ok(resource));
                ticket.wait_timeout(std::time::Duration::MAX).unwrap();
            })
        })
        .collect();
    registry.set_creator_threads(0);
    waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    registry.shut_down();
    drop((cache, registry));
    assert_eq!(Arc::strong_count(&resource), 1);
}

/// A resource whose ticket is detached where there are no creator threads is there when that is over, also if it was another's
/// creation that failed.
pub(crate) fn detached() {
    let registry = Registry::default();
    registry.set_creator_threads(0);
    let cache = registry.cache::<u32, u32>("cache").unwrap();
    let other = shuttle::thread::spawn({
        let cache = cache.clone();
        move || {
            let fail = || {
                shuttle::thread::yield_now();
                Err(Error::NoRegistry)
            };
            drop(cache.get_or_create_with(&1, fail));
        }
    });
    let mut ticket = cache.prefetch_with(1, || Ok(7));
    // Finds out whether another creates it.
    drop(Pin::new(&mut ticket).poll(&mut Context::from_waker(Waker::noop())));
    ticket.detach();
    assert_eq!(cache.get(&1), Some(7));
    other.join().unwrap();
}
