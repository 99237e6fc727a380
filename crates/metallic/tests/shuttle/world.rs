//! A registry, what its threads do to it, and what must hold.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use metallic::caching::{
    CacheableKernel, Creation, EvictionPolicy, LocalRegistry, OnFailure, Pool, SharedRegistry,
};
use metallic::error::Error;
use metallic_instrumentation::{Event, EventData, EventKind, EventSink};
use shuttle::rand::{Rng, thread_rng};

const KEYS: u32 = 4;
const OPERATIONS: usize = 5;
const BYTES: u64 = 10;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) policy: EvictionPolicy,
    pub(crate) on_failure: OnFailure,
    pub(crate) hears_hits: bool,
    pub(crate) fails: bool,
    pub(crate) nests: bool,
    pub(crate) loses_devices: bool,
}

/// The context of a creation: the device by number, and the books that are kept.
#[derive(Clone)]
struct Device {
    number: u64,
    books: Arc<Books>,
}

struct Books {
    plan: Plan,
    /// Creations under way, by key.
    creating: [AtomicU64; KEYS as usize],
    creations: AtomicU64,
    /// Look-ups that returned a resource.
    found: AtomicU64,
    /// Resources that are not dropped.
    alive: AtomicI64,
    /// Items of the pool that are not dropped.
    items: AtomicI64,
    /// A clock that each look-up and each removal advances.
    now: AtomicU64,
    /// Devices with a lower number are lost.
    device: AtomicU64,
}

struct Resource {
    key: u32,
    device: u64,
    /// When a removal of it had returned; 0 before.
    removed: AtomicU64,
    books: Arc<Books>,
}

impl Drop for Resource {
    fn drop(&mut self) {
        self.books.alive.fetch_sub(1, SeqCst);
    }
}

/// An item of the pool.
struct Item {
    key: u32,
    device: u64,
    is_held: AtomicBool,
    books: Arc<Books>,
}

impl Item {
    fn new(key: u32, device: u64, books: &Arc<Books>) -> Self {
        books.items.fetch_add(1, SeqCst);
        Self { key, device, is_held: AtomicBool::new(false), books: books.clone() }
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.books.items.fetch_sub(1, SeqCst);
    }
}

impl Books {
    /// Looks up by `look_up`, and checks what it returns.
    fn look_up(
        self: &Arc<Self>,
        key: u32,
        look_up: impl FnOnce() -> Result<Arc<Resource>, Error>,
    ) -> Result<Arc<Resource>, Error> {
        let (begun, device) = (self.now.fetch_add(1, SeqCst), self.device.load(SeqCst));
        let found = look_up()?;
        self.found.fetch_add(1, SeqCst);
        assert_eq!(found.key, key);
        assert!(found.device >= device, "a lost device's resource was handed out");
        let removed = found.removed.load(SeqCst);
        assert!(removed == 0 || removed > begun, "a removed resource was handed out");
        Ok(found)
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
        let before = books.creating[*key as usize].fetch_add(1, SeqCst);
        assert_eq!(before, 0, "two creations of one key at a time");
        books.creations.fetch_add(1, SeqCst);
        shuttle::thread::yield_now();
        let nested = if books.plan.nests && thread_rng().gen_bool(0.3) {
            let other = thread_rng().gen_range(0..KEYS);
            books.look_up(other, || cx.get_or_create::<Self>(&other)).map(drop)
        } else {
            Ok(())
        };
        let failed = books.plan.fails && thread_rng().gen_bool(0.3);
        books.creating[*key as usize].fetch_sub(1, SeqCst);
        nested?;
        if failed {
            return Err(Error::invalid_params("as it was told to"));
        }
        books.alive.fetch_add(1, SeqCst);
        Ok(Arc::new(Resource {
            key: *key,
            device: device.number,
            removed: AtomicU64::new(0),
            books: books.clone(),
        }))
    }

    fn resource_bytes(_: &Arc<Resource>) -> u64 {
        BYTES
    }

    fn device_identity(device: &Device) -> Option<u64> {
        Some(device.number)
    }
}

/// Counts events by kind, and calls back now and then.
struct Counter {
    hears_hits: bool,
    counts: Mutex<[u64; EVENTS]>,
}

const EVENTS: usize = 5;
const HITS: usize = 0;
const MISSES: usize = 1;
const CREATED: usize = 2;
const FAILED: usize = 3;
const REMOVED: usize = 4;

impl EventSink for Counter {
    fn enabled(&self, kind: EventKind) -> bool {
        let is_of_hits = matches!(kind, EventKind::ResourceCacheAccess | EventKind::ResourceCacheSummary);
        self.hears_hits || !is_of_hits
    }

    fn record(&self, event: &Event) {
        let is_of_items = match &event.data {
            EventData::ResourceCacheAccess(access) => access.cache_key.starts_with("items:"),
            EventData::ResourceCreated(created) => &*created.cache == "items",
            EventData::EntryRemoved(removed) => &*removed.cache == "items",
            _ => false,
        };
        let kind = match &event.data {
            _ if is_of_items => return,
            EventData::ResourceCacheAccess(access) if access.hit => HITS,
            EventData::ResourceCacheAccess(_) => MISSES,
            EventData::ResourceCreated(created) if created.error.is_none() => CREATED,
            EventData::ResourceCreated(_) => FAILED,
            EventData::EntryRemoved(_) => REMOVED,
            _ => return,
        };
        self.counts.lock().unwrap()[kind] += 1;
    }
}

#[derive(Clone)]
pub(crate) struct World {
    registry: SharedRegistry<Device>,
    pool: Pool<u32, Item>,
    books: Arc<Books>,
    counter: Arc<Counter>,
}

impl World {
    pub(crate) fn new(plan: Plan) -> Self {
        let books = Arc::new(Books {
            plan,
            creating: Default::default(),
            creations: AtomicU64::new(0),
            found: AtomicU64::new(0),
            alive: AtomicI64::new(0),
            items: AtomicI64::new(0),
            now: AtomicU64::new(1),
            device: AtomicU64::new(1),
        });
        let registry = SharedRegistry::with_device(Device { number: 1, books: books.clone() });
        let counter = Arc::new(Counter { hears_hits: plan.hears_hits, counts: Mutex::default() });
        registry.set_sink(Some(counter.clone()));
        registry.set_eviction_policy::<Numbers>(plan.policy);
        registry.set_failure_policy::<Numbers>(plan.on_failure);
        let pool = registry.pool("items").expect("the name is free");
        pool.set_eviction_policy(plan.policy);
        Self { registry, pool, books, counter }
    }

    pub(crate) fn run_thread(&self, number: usize) {
        let mut local = self.registry.local();
        for _ in 0..OPERATIONS {
            let (dice, key) = (thread_rng().gen_range(0..24), thread_rng().gen_range(0..KEYS));
            match dice {
                0..11 => self
                    .settle(self.books.look_up(key, || local.get_or_create::<Numbers>(&key, None).cloned())),
                11..14 => self
                    .settle(self.books.look_up(key, || self.registry.get_or_create::<Numbers>(&key, None))),
                14..16 => {
                    if let Some(removed) = self.registry.remove::<Numbers>(&key) {
                        removed.removed.store(self.books.now.fetch_add(1, SeqCst) + 1, SeqCst);
                    }
                }
                16 => self.registry.clear_cache::<Numbers>(),
                17 if number == 0 && self.books.plan.loses_devices => self.lose_device(),
                18 => local.park(),
                19 => self.registry.next_generation(),
                20..23 => self.hold(key),
                _ => local = self.registry.local(),
            }
        }
        drop::<LocalRegistry<_>>(local);
    }

    /// By one thread alone: devices are numbered in the order that they are lost in.
    fn lose_device(&self) {
        let number = self.books.device.load(SeqCst) + 1;
        self.registry.device_lost(Some(Device { number, books: self.books.clone() }));
        self.books.device.store(number, SeqCst);
    }

    /// Has an item of the pool for a while.
    fn hold(&self, key: u32) {
        let device = self.books.device.load(SeqCst);
        let item = self.pool.checkout(&key, || {
            shuttle::thread::yield_now();
            // The device of this moment: were it read before, an item of a lost device could come into the pool.
            let device = self.registry.device().map_or(0, |device| device.number);
            Item::new(key, device, &self.books)
        });
        assert!(item.key == key && item.device >= device, "a lost device's item was lent");
        assert!(!item.is_held.swap(true, SeqCst), "an item was lent twice");
        shuttle::thread::yield_now();
        item.is_held.store(false, SeqCst);
        if thread_rng().gen_bool(0.2) {
            drop(metallic::caching::Lent::detach(item));
        }
    }

    fn settle(&self, found: Result<Arc<Resource>, Error>) {
        let Err(error) = found else { return };
        let plan = &self.books.plan;
        assert!(
            match error.root() {
                Error::InvalidParams { .. } => plan.fails,
                Error::RecursiveCreation { .. } => plan.nests,
                Error::DeviceLost => plan.loses_devices,
                _ => false,
            },
            "{error:?}"
        );
    }

    /// To be called when all threads have ended.
    pub(crate) fn check_and_drop(self) {
        let Self { registry, pool, books, counter } = self;
        let counters = pool.counters();
        assert_eq!((pool.lent(), books.items.load(SeqCst)), (0, counters.size as i64));
        assert!(books.plan.policy.capacity().is_none_or(|capacity| counters.size <= capacity));
        let metrics = registry.metrics::<Numbers>().expect("its policy was set");
        let load = |count: &AtomicU64| count.load(SeqCst);
        let created = metrics.misses - metrics.failed_creations;
        assert_eq!(metrics.misses, load(&books.creations));
        assert_eq!(metrics.hits + created, load(&books.found), "each look-up that found is counted once");
        assert_eq!(metrics.size as u64, created - metrics.evictions - metrics.removals);
        assert_eq!(metrics.bytes, metrics.size as u64 * BYTES);
        assert!(books.plan.policy.capacity().is_none_or(|capacity| metrics.size <= capacity));
        let counts = *counter.counts.lock().unwrap();
        assert_eq!((counts[CREATED], counts[FAILED]), (created, metrics.failed_creations));
        assert_eq!(counts[REMOVED], metrics.evictions + metrics.removals);
        if books.plan.hears_hits {
            assert_eq!((counts[HITS], counts[MISSES]), (metrics.hits, metrics.misses));
        }
        assert_eq!(books.alive.load(SeqCst), metrics.size as i64, "what is not in the cache is dropped");
        registry.set_sink(None);
        drop((registry, pool));
        assert_eq!(books.items.load(SeqCst), 0, "what was in the pool is dropped with it");
        // The device that the registry had holds the books, too.
        assert_eq!(books.alive.load(SeqCst), 0, "what was in the cache is dropped with it");
    }
}
