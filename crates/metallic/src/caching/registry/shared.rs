//! All caches of one engine, for all of its threads.

mod attached;
mod background;
mod by_name;
mod gated;
mod get_or_create;
mod removal;
mod slots;
mod table;

use std::any::type_name;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError};

use metallic_instrumentation::{CacheName, Event, EventKind, EventSink, RegistryOpened, SinkGuard};
use rustc_hash::FxBuildHasher;

use super::local::LocalRegistry;
use super::next_number;
use super::shared_kernel::{ErasedShared, SharedKernel};
use crate::caching::clock::{Clock, TimeSource};
use crate::caching::drops::Foreign;
use crate::caching::gate::CurrentGate;
use crate::caching::kernel::{CacheableKernel, CurrentAttachment};
use crate::caching::policy::EvictionPolicy;
use crate::caching::reporting::{CacheCounters, CacheMetrics};
use crate::caching::shared::{Creators, OnFailure};
use crate::caching::sync::{Mutex, MutexGuard, RwLock};
use crate::device::Device;
use crate::error::Error;

use self::table::SharedTable;

/// The caches of any number of kernels, for any number of threads: each resource is created once for all of them.
///
/// A clone is a handle to the same caches. [`get_or_create`](Self::get_or_create) hands out clones of resources and holds a lock
/// for the time of a look-up, never for that of a creation. Threads that look up often take a [`local`](Self::local) each, whose
/// hits take no lock.
///
/// ```
/// # use metallic::caching::{CacheableKernel, EvictionPolicy, SharedRegistry};
/// # use metallic::{Device, error::MetalError};
/// # struct Square;
/// # impl CacheableKernel for Square {
/// #     type Key = u64;
/// #     type CachedResource = u64;
/// #     type Params = u64;
/// #     const CACHE_NAME: &'static str = "square";
/// #     fn create_cache_key(n: &u64) -> u64 { *n }
/// #     fn create_cached_resource(n: &u64, _: Option<&Device>) -> Result<u64, MetalError> { Ok(n * n) }
/// # }
/// let registry: SharedRegistry = SharedRegistry::new();
/// registry.set_eviction_policy::<Square>(EvictionPolicy::size_limited_lru(1000));
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| {
///             let mut local = registry.local();
///             assert_eq!(*local.get_or_create::<Square>(&12, None).unwrap(), 144);
///         });
///     }
/// });
/// assert_eq!(registry.metrics::<Square>().map(|metrics| (metrics.hits, metrics.misses)), Some((3, 1)));
/// ```
///
/// A child of `fork` has the registry as it was at that moment, and none of the other threads: a lock that one of them held stays
/// locked, and a creation that it was at never ends. Of what a child inherits it can use a [`LocalRegistry`] for what that has used
/// before, as no lock is taken; for all else it makes a registry of its own, and does not drop the one that it inherited.
pub struct SharedRegistry<D: 'static = Device>(Arc<Inner<D>>);

struct Inner<D> {
    kernels: SharedTable,
    /// In a map that drops them all, should one of them panic.
    keyed: Mutex<BTreeMap<CacheName, Arc<dyn ErasedShared>>>,
    /// Taken while a cache comes into being or the sink changes, so that every cache has the registry's sink.
    sink: Mutex<Option<SinkGuard>>,
    /// Changed only while the lock of the sink is held.
    gate: Arc<CurrentGate>,
    device: RwLock<Foreign<Option<Arc<D>>>>,
    /// Policies of caches that do not exist yet, by name.
    policies_to_come: Mutex<HashMap<String, EvictionPolicy, FxBuildHasher>>,
    attachment: CurrentAttachment,
    time: TimeSource,
    name: Option<CacheName>,
    number: u32,
    creators: Arc<Creators>,
}

impl SharedRegistry {
    /// A registry without a device: kernels that need one get it with each call.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<D: 'static> SharedRegistry<D> {
    /// A registry that makes resources on `device` when a caller names none.
    pub fn with_device(device: D) -> Self {
        Self::build(Some(Arc::new(device)), TimeSource::default(), None)
    }

    /// A registry with a custom clock, and a device or none.
    pub fn with_clock(device: Option<D>, clock: impl Clock + 'static) -> Self {
        Self::build(device.map(Arc::new), TimeSource::of(clock), None)
    }

    /// A registry with a name in the event log, and a device or none.
    pub fn named(name: impl Into<CacheName>, device: Option<D>) -> Self {
        Self::build(device.map(Arc::new), TimeSource::default(), Some(name.into()))
    }

    /// As [`CacheRegistry`](super::CacheRegistry) has it: what stamps the hits of a local.
    pub(super) fn hit_limit(&self) -> u64 {
        self.0.time.hit_limit(u64::MAX)
    }

    fn build(device: Option<Arc<D>>, time: TimeSource, name: Option<CacheName>) -> Self {
        Self(Arc::new(Inner {
            kernels: SharedTable::default(),
            keyed: Mutex::default(),
            sink: Mutex::default(),
            gate: Arc::default(),
            device: RwLock::new(Foreign::new(device)),
            policies_to_come: Mutex::default(),
            attachment: CurrentAttachment::default(),
            time,
            name,
            number: next_number(),
            creators: Creators::new(),
        }))
    }

    /// Sends the events of all caches to `sink`, those that exist included; `None` sends them nowhere.
    ///
    /// The sink is called on the thread whose operation it hears of, outside of all locks of the registry.
    pub fn set_sink(&self, sink: Option<Arc<dyn EventSink>>) {
        let inner = &*self.0;
        let sink = sink.map(|sink| SinkGuard::new(sink).with_registry(inner.number));
        if let Some(sink) = sink.as_ref().filter(|sink| sink.enabled(EventKind::RegistryOpened)) {
            let device = self.device().map(|_| type_name::<D>().to_owned());
            let opened = RegistryOpened { name: inner.name.clone(), device, shared: true };
            sink.record(Event::at(inner.time.unix_ns(inner.time.stamp()), opened));
        }
        let mut current = lock(&inner.sink);
        let caches = self.all_caches();
        // Under the lock, so that all caches have one sink, whoever else sets one; dropped after it.
        let before: Vec<_> = caches.iter().map(|cache| cache.connect(sink.clone())).collect();
        let last = std::mem::replace(&mut *current, sink);
        drop(current);
        drop((before, last));
        caches.iter().for_each(|cache| cache.announce());
    }

    /// The number that events of this registry carry, which no other registry of the process has.
    pub fn number(&self) -> u32 {
        self.0.number
    }

    /// The device that resources are made on when a caller names none.
    pub fn device(&self) -> Option<Arc<D>> {
        Option::clone(&self.0.device.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A registry for one thread or encoder over the same caches, whose hits return borrows and take no lock.
    pub fn local(&self) -> LocalRegistry<D> {
        LocalRegistry::new(self.clone())
    }

    /// Changes the policy of kernel `K`.
    ///
    /// # Panics
    /// Never; a kernel whose name is taken is refused at its first look-up.
    pub fn set_eviction_policy<K>(&self, policy: EvictionPolicy)
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        if let Ok(kernel) = self.kernel::<K>() {
            kernel.core.set_policy(policy);
        }
    }

    /// The policy of kernel `K`.
    pub fn eviction_policy<K>(&self) -> EvictionPolicy
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        self.find::<K>().map_or_else(K::default_policy, |kernel| kernel.core.policy())
    }

    /// Changes the treatment of keys of kernel `K` whose creation failed.
    pub fn set_failure_policy<K>(&self, on_failure: OnFailure)
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        if let Ok(kernel) = self.kernel::<K>() {
            kernel.core.set_on_failure(on_failure);
        }
    }

    /// A snapshot of the cache of kernel `K`, the hits of all locals included; `None` if the kernel was never named. Exact when no
    /// thread is in the middle of a hit. O(n).
    pub fn metrics<K>(&self) -> Option<CacheMetrics>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        self.find::<K>().map(|kernel| kernel.core.metrics())
    }

    /// The counters of the cache of kernel `K`, the hits of all locals included; `None` if the kernel was never named. O(1) but
    /// for a look at each local, where [`metrics`](Self::metrics) looks at each entry.
    pub fn counters<K>(&self) -> Option<CacheCounters>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        self.find::<K>().map(|kernel| kernel.core.counters())
    }

    /// The cache of kernel `K`, made at the first call.
    ///
    /// # Errors
    /// [`Error::DuplicateCacheName`].
    pub(super) fn kernel<K>(&self) -> Result<Arc<SharedKernel<K, D>>, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        if let Some(kernel) = self.find::<K>() {
            return Ok(kernel);
        }
        // Before the lock: the kernel is asked for its policy.
        let kernel = Arc::new(SharedKernel::<K, D>::new(self.0.time.clone()));
        // Held until the cache is in its place, so that there is one of each kernel, and each has the sink.
        let sink = lock(&self.0.sink);
        if let Some(kernel) = self.find::<K>() {
            return Ok(kernel);
        }
        if let Some(first) = self.owner_of_name(K::CACHE_NAME) {
            let name = CacheName::from_static(K::CACHE_NAME);
            return Err(Error::DuplicateCacheName { name, first, second: type_name::<K>() });
        }
        if let Some(policy) = self.policy_to_come(K::CACHE_NAME) {
            kernel.core.begin_with(policy);
        }
        kernel.core.connect(sink.clone());
        kernel.core.set_gate(self.gate());
        self.0.kernels.insert(kernel.clone());
        drop(sink);
        kernel.core.announce();
        Ok(kernel)
    }

    fn find<K>(&self) -> Option<Arc<SharedKernel<K, D>>>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        self.0.kernels.find()
    }

    pub(super) fn all_caches(&self) -> Vec<Arc<dyn ErasedShared>> {
        let mut all = self.0.kernels.all_placed();
        all.extend(lock(&self.0.keyed).values().cloned());
        all
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<D: 'static> Clone for SharedRegistry<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<D: 'static> Default for SharedRegistry<D> {
    fn default() -> Self {
        Self::build(None, TimeSource::default(), None)
    }
}

impl<D: 'static> fmt::Debug for SharedRegistry<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.metrics_by_name()).finish()
    }
}
