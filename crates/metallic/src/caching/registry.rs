//! All caches of one engine in one place.

mod answer;
mod answers;
mod attached;
mod by_name;
mod erased;
mod facade;
mod gated;
mod generations;
mod get_or_create;
mod keyed;
mod local;
mod naming;
mod nested;
mod pools;
mod shared;
mod shared_kernel;
mod slots;
mod this_thread;
mod type_table;

use std::any::{Any, type_name};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use metallic_instrumentation::{CacheName, Event, EventKind, EventSink, RegistryOpened, SinkGuard};
use rustc_hash::FxBuildHasher;

use super::clock::{Clock, TimeSource};
use super::drops::{Foreign, run_each};
use super::gate::CreationGate;
use super::kernel::{CacheableKernel, CurrentAttachment};
use super::kernel_cache::{Holds, KernelCache};
use super::keyed_cache::KeyedCache;
use super::policy::EvictionPolicy;
use super::reporting::CacheMetrics;
use super::slot::CacheRegistrySlot;
use crate::device::Device;

pub use self::answer::Answer;
use self::erased::ErasedCache;
pub use self::facade::{EitherRegistry, Registry, ResourceCache};
#[cfg(feature = "manifest")]
pub(crate) use self::gated::key_label;
#[cfg(feature = "store")]
pub(crate) use self::keyed::KeyedCreation;
pub use self::keyed::{CacheBatch, LocalSharedCache, SharedCache};
pub use self::local::{Batch, LocalRegistry};
pub use self::shared::SharedRegistry;
use self::type_table::TypeTable;

/// Twice the kernels of a large engine, so that few share a place.
const NEAR_CACHES: usize = 64;
const NEAR_SLOTS: usize = 16;

/// The caches of any number of kernels, and slots for other state, found by type.
///
/// A cache comes into being when its kernel is first named, with the policy [`EvictionPolicy::none`]. A registry is for one
/// thread at a time, without locks: an engine has one for each thread that encodes work.
///
/// ```
/// # use metallic::caching::{CacheableKernel, CacheRegistry, EvictionPolicy};
/// # use metallic::{Device, device::system_default_device, error::MetalError};
/// # struct Square;
/// # impl CacheableKernel for Square {
/// #     type Key = u64;
/// #     type CachedResource = u64;
/// #     type Params = u64;
/// #     const CACHE_NAME: &'static str = "square";
/// #     fn create_cache_key(n: &u64) -> u64 { *n }
/// #     fn create_cached_resource(n: &u64, device: Option<&Device>) -> Result<u64, MetalError> {
/// #         device.ok_or(MetalError::DeviceNotAvailable).map(|_| n * n)
/// #     }
/// # }
/// # fn main() -> Result<(), MetalError> {
/// let mut registry = CacheRegistry::with_device(system_default_device()?);
/// registry.set_eviction_policy::<Square>(EvictionPolicy::size_limited_lru(1000));
///
/// let resource = registry.get_or_create::<Square>(&12, None)?; // None: on the registry's own device
/// assert_eq!(*resource, 144);
///
/// for (name, metrics) in registry.metrics_by_name() {
///     println!("{name}: {} entries, {} hits, {} misses", metrics.size, metrics.hits, metrics.misses);
/// }
/// # Ok(())
/// # }
/// ```
pub struct CacheRegistry<D = Device> {
    /// Of kernels.
    caches: TypeTable<dyn ErasedCache, NEAR_CACHES>,
    /// Of keys and resources whose types alone are known.
    /// In a map that drops them all, should one of them panic.
    keyed: BTreeMap<CacheName, Box<dyn ErasedCache>>,
    slots: TypeTable<dyn CacheRegistrySlot, NEAR_SLOTS>,
    device: Foreign<Option<Arc<D>>>,
    time: TimeSource,
    /// The limit of [`TimeSource::hit_stamp_before`] for stamps of `time`.
    hit_limit: u64,
    sink: Option<SinkGuard>,
    gate: Option<Arc<dyn CreationGate>>,
    name: Option<CacheName>,
    /// Policies of caches that do not exist yet, by name.
    policies_to_come: HashMap<String, EvictionPolicy, FxBuildHasher>,
    attachment: CurrentAttachment,
    /// Tells this registry from all others of the process.
    number: u32,
}

impl CacheRegistry {
    /// A registry without a device: kernels that need one get it with each call.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<D: 'static> CacheRegistry<D> {
    /// A registry that makes resources on `device` when a caller names none.
    pub fn with_device(device: D) -> Self {
        Self { device: Foreign::new(Some(Arc::new(device))), ..Self::default() }
    }

    /// Takes the time from `clock` in all caches and slots that come into being from now on. Caches that exist keep the clock
    /// their entries were stamped by.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock + 'static) -> Self {
        let time = TimeSource::of(clock);
        Self { hit_limit: time.hit_limit(u64::MAX), time, ..self }
    }

    /// Names the registry in the event log. To be called before a sink is set.
    #[must_use]
    pub fn with_name(self, name: impl Into<CacheName>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// [`set_sink`](Self::set_sink), for a registry that is being built.
    #[must_use]
    pub fn with_sink(mut self, sink: Arc<dyn EventSink>) -> Self {
        self.set_sink(Some(sink));
        self
    }

    /// Sends the events of all caches and slots to `sink`, those that exist included; `None` sends them nowhere. Panics of a
    /// former sink are not counted any more, and each key is formatted anew at its next event.
    pub fn set_sink(&mut self, sink: Option<Arc<dyn EventSink>>) {
        let sink = sink.map(|sink| SinkGuard::new(sink).with_registry(self.number));
        if let Some(sink) = sink.as_ref().filter(|sink| sink.enabled(EventKind::RegistryOpened)) {
            let device = self.device.as_ref().map(|_| type_name::<D>().to_owned());
            let opened = RegistryOpened { name: self.name.clone(), device, shared: false };
            sink.record(Event::at(self.time.unix_ns(self.time.stamp()), opened));
        }
        self.all_caches_mut().for_each(|cache| cache.set_sink(sink.clone()));
        self.sink = sink;
        self.connect_slots();
    }

    /// The number that events of this registry carry, which no other registry of the process has.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The device that resources are made on when a caller names none.
    pub fn device(&self) -> Option<&D> {
        self.device.as_deref()
    }

    /// Counts the panics of the sink. They did no harm, but each cost an event.
    pub fn sink_panics(&self) -> u64 {
        self.sink.as_ref().map_or(0, SinkGuard::panics)
    }

    /// The cache of kernel `K`, for a hot loop that finds it once. It makes resources on the registry's device, as the registry
    /// does. A cache that is put in its place by assignment is not the registry's: it has no sink, clock or device, and it is not
    /// refused though another kernel has its name.
    #[inline]
    pub fn cache_mut<K: CacheableKernel<D>>(&mut self) -> &mut KernelCache<K, D> {
        if self.caches.near::<KernelCache<K, D>>().is_some() {
            return self.caches.near_mut().expect("it was there just now");
        }
        self.cache_far()
    }

    /// The cache of kernel `K`; `None` if the kernel was never named.
    pub fn cache<K: CacheableKernel<D>>(&self) -> Option<&KernelCache<K, D>> {
        self.caches.get()
    }

    /// Changes the policy of kernel `K`: see [`KernelCache::set_eviction_policy`].
    pub fn set_eviction_policy<K: CacheableKernel<D>>(&mut self, policy: EvictionPolicy) {
        self.cache_mut::<K>().set_eviction_policy(policy);
    }

    /// The policy of kernel `K`.
    pub fn eviction_policy<K: CacheableKernel<D>>(&self) -> EvictionPolicy {
        self.cache::<K>().map_or_else(K::default_policy, KernelCache::eviction_policy)
    }

    /// A snapshot of the cache of kernel `K`; `None` if the kernel was never named.
    pub fn metrics<K: CacheableKernel<D>>(&self) -> Option<CacheMetrics> {
        self.cache::<K>().map(KernelCache::metrics)
    }

    /// Removes one resource of kernel `K` from its cache and returns it.
    pub fn remove<K: CacheableKernel<D>>(&mut self, key: &K::Key) -> Option<K::CachedResource> {
        self.caches.get_mut::<KernelCache<K, D>>()?.remove(key)
    }

    /// Removes all entries of kernel `K`. Its counters and policy stay. An empty cache is cleared too, and reported so with a
    /// count of 0.
    pub fn clear_cache<K: CacheableKernel<D>>(&mut self) {
        if let Some(cache) = self.caches.get_mut::<KernelCache<K, D>>() {
            cache.clear();
        }
    }

    /// Removes all entries of all caches, and clears all slots. Counters and policies stay.
    ///
    /// # Panics
    /// If the `Drop` of a resource does, or the `clear_slot` of a slot: when all is cleared, with the first such panic.
    pub fn clear(&mut self) {
        self.for_each(ErasedCache::clear, CacheRegistrySlot::clear_slot);
    }

    /// Evicts the entries of all caches and slots that were idle for longer than their policy allows. Each cache does this by
    /// itself at every look-up; call it now and then for caches that are no longer used.
    ///
    /// # Panics
    /// As [`clear`](Self::clear).
    pub fn expire_idle(&mut self) {
        self.for_each(ErasedCache::expire_idle, CacheRegistrySlot::expire_idle);
    }

    /// Does this to every cache and slot, whichever of them panic; the first panic goes on then.
    fn for_each(
        &mut self,
        to_cache: fn(&mut (dyn ErasedCache + 'static)),
        to_slot: fn(&mut (dyn CacheRegistrySlot + 'static)),
    ) {
        let Self { caches, keyed, slots, .. } = self;
        run_each([false, true], |is_of_slots| {
            if is_of_slots {
                return run_each(slots.iter_mut(), to_slot);
            }
            let keyed = keyed.values_mut().map(|cache| &mut **cache);
            run_each(caches.iter_mut().chain(keyed), to_cache);
        });
    }

    /// [`cache_mut`](Self::cache_mut) of a cache that is new, or in another than its first place.
    #[cold]
    #[inline(never)]
    fn cache_far<K: CacheableKernel<D>>(&mut self) -> &mut KernelCache<K, D> {
        self.cache_unnamed(None)
    }

    fn all_caches(&self) -> impl Iterator<Item = &dyn ErasedCache> {
        self.caches.iter().chain(self.keyed.values().map(|cache| &**cache))
    }

    fn all_caches_mut(&mut self) -> impl Iterator<Item = &mut dyn ErasedCache> {
        self.caches.iter_mut().chain(self.keyed.values_mut().map(|cache| &mut **cache))
    }
}

impl<K: CacheableKernel<D>, D: 'static> Holds<K, D> for CacheRegistry<D> {
    #[inline(always)]
    fn cache(&mut self) -> &mut KernelCache<K, D> {
        self.cache_mut::<K>()
    }

    #[inline(always)]
    fn keyed(&mut self) -> &mut KeyedCache<K::Key, K::CachedResource> {
        self.cache_mut::<K>().keyed_mut()
    }

    fn registry(&mut self) -> Option<&mut dyn Any> {
        Some(self)
    }
}

/// A number that no other registry of the process has.
fn next_number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl<D> Default for CacheRegistry<D> {
    fn default() -> Self {
        let time = TimeSource::default();
        Self {
            caches: TypeTable::default(),
            keyed: BTreeMap::new(),
            slots: TypeTable::default(),
            device: Foreign::new(None),
            hit_limit: time.hit_limit(u64::MAX),
            time,
            sink: None,
            gate: None,
            name: None,
            policies_to_come: HashMap::default(),
            attachment: CurrentAttachment::default(),
            number: next_number(),
        }
    }
}

impl<D: 'static> fmt::Debug for CacheRegistry<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.metrics_by_name()).finish()
    }
}
