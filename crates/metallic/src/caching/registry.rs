//! All caches of one engine in one place.

use std::fmt;
use std::sync::Arc;

use metallic_instrumentation::{EventSink, SinkGuard};

use super::clock::{Clock, TimeSource};
use super::confinement::{Confined, Confinement, HoldsKernel, HoldsSlot, Sendable};
use super::erased::{ErasedCache, TypeTable};
use super::kernel::CacheableKernel;
use super::kernel_cache::KernelCache;
use super::metrics::CacheMetrics;
use super::policy::EvictionPolicy;
use super::slot::{CacheRegistrySlot, SlotContext};
use crate::device::Device;
use crate::error::MetalError;

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
pub struct CacheRegistry<D = Device, C: Confinement = Confined> {
    caches: TypeTable<C::Cache, NEAR_CACHES>,
    slots: TypeTable<C::Slot, NEAR_SLOTS>,
    device: Option<Arc<D>>,
    time: TimeSource,
    sink: Option<SinkGuard>,
}

/// A registry that can be sent to another thread, or stand behind a lock. It takes only kernels whose key and resource can
/// be sent, and is `Send` itself if its device is `Send` and `Sync`.
///
/// ```
/// use metallic::caching::{CacheRegistry, SendRegistry};
/// use metallic::device::system_default_device;
///
/// let registry: SendRegistry = CacheRegistry::sendable(system_default_device().ok());
/// std::thread::spawn(move || drop(registry)).join().unwrap();
/// ```
///
/// A kernel whose key or resource cannot be sent is refused when the program is compiled, and so is a slot:
///
/// ```compile_fail,E0277
/// # use std::rc::Rc;
/// # use metallic::caching::{CacheRegistry, CacheableKernel, SendRegistry};
/// # use metallic::{Device, error::MetalError};
/// struct Shape;
///
/// impl CacheableKernel for Shape {
///     type Key = u32;
///     type CachedResource = Rc<str>; // counts its owners without locks
///     # type Params = u32;
///     # const CACHE_NAME: &'static str = "shape";
///     # fn create_cache_key(n: &u32) -> u32 { *n }
///     # fn create_cached_resource(n: &u32, _: Option<&Device>) -> Result<Rc<str>, MetalError> {
///     #     Ok(n.to_string().into())
///     # }
///     // ...
/// }
///
/// let mut registry: SendRegistry = CacheRegistry::sendable(None);
/// let shape = registry.get_or_create::<Shape>(&1, None); // `Rc<str>` cannot be sent between threads safely
/// ```
///
/// ```compile_fail,E0277
/// # use std::rc::Rc;
/// # use metallic::caching::{CacheRegistry, CacheRegistrySlot, SendRegistry};
/// struct Shapes(Vec<Rc<str>>);
/// # impl CacheRegistrySlot for Shapes { fn clear_slot(&mut self) { self.0.clear() } }
///
/// let mut registry: SendRegistry = CacheRegistry::sendable(None);
/// registry.slot_mut(|| Shapes(Vec::new())); // `Rc<str>` cannot be sent between threads safely
/// ```
///
/// A registry of the default kind holds them, and stays on its thread:
///
/// ```compile_fail,E0277
/// # use metallic::caching::CacheRegistry;
/// let registry = CacheRegistry::new();
/// std::thread::spawn(move || drop(registry)); // `dyn ErasedCache` cannot be sent between threads safely
/// ```
pub type SendRegistry<D = Device> = CacheRegistry<D, Sendable>;

impl CacheRegistry {
    /// A registry without a device of its own: kernels that need one get it with each call.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<D: 'static> CacheRegistry<D> {
    /// A registry that makes resources on `device` when a caller names none.
    pub fn with_device(device: D) -> Self {
        Self { device: Some(Arc::new(device)), ..Self::default() }
    }
}

impl<D: 'static> CacheRegistry<D, Sendable> {
    /// A registry that can be sent to another thread, with or without a device of its own.
    pub fn sendable(device: Option<D>) -> Self {
        Self { device: device.map(Arc::new), ..Self::default() }
    }
}

impl<D: 'static, C: Confinement> CacheRegistry<D, C> {
    /// Takes the time from `clock` in all caches and slots that come into being from now on. Caches that exist keep the clock
    /// their entries were stamped by.
    pub fn with_clock(self, clock: impl Clock + 'static) -> Self {
        Self { time: TimeSource::Clock(Arc::new(clock)), ..self }
    }

    /// Sends the events of all caches and slots to `sink`, those that exist included.
    pub fn with_sink(mut self, sink: Arc<dyn EventSink>) -> Self {
        let sink = SinkGuard::new(sink);
        self.caches.iter_mut().for_each(|cache| cache.set_sink(Some(sink.clone())));
        let context = SlotContext::new(Some(sink.clone()), self.time.clone(), None);
        self.slots.iter_mut().for_each(|slot| slot.connect(&context));
        self.sink = Some(sink);
        self
    }

    /// The device that resources are made on when a caller names none.
    pub fn device(&self) -> Option<&D> {
        self.device.as_deref()
    }

    /// How often the sink panicked. The panics did no harm, but each cost an event.
    pub fn sink_panics(&self) -> u64 {
        self.sink.as_ref().map_or(0, SinkGuard::panics)
    }

    /// The resource of kernel `K` for these parameters: from its cache, or else made and inserted. `device` is what it is
    /// made on; `None` means the registry's own device.
    ///
    /// # Errors
    /// The kernel's, if the creation failed. Then nothing was inserted, the miss is counted, and entries that made room
    /// stay gone. [`MetalError::DuplicateCacheName`] if another kernel used before has the same `CACHE_NAME`; then nothing
    /// happened at all.
    ///
    /// # Panics
    /// As [`KernelCache::get_or_create`]; the registry can be used as before.
    #[inline]
    pub fn get_or_create<K>(
        &mut self,
        params: &K::Params,
        device: Option<&D>,
    ) -> Result<&mut K::CachedResource, MetalError>
    where
        K: CacheableKernel<D>,
        C: HoldsKernel<K, D>,
    {
        self.cache_mut::<K>().get_or_create(params, device)
    }

    /// The cache of kernel `K`, for a hot loop that finds it once. It makes resources on the registry's device, as the
    /// registry does.
    #[inline]
    pub fn cache_mut<K>(&mut self) -> &mut KernelCache<K, D>
    where
        K: CacheableKernel<D>,
        C: HoldsKernel<K, D>,
    {
        if self.caches.is_near::<KernelCache<K, D>>() {
            return self.caches.near_mut().expect("it was there just now");
        }
        self.cache_far()
    }

    /// The cache of kernel `K`; `None` if the kernel was never named.
    pub fn cache<K: CacheableKernel<D>>(&self) -> Option<&KernelCache<K, D>> {
        self.caches.get()
    }

    /// Changes the policy of kernel `K`: see [`KernelCache::set_eviction_policy`].
    pub fn set_eviction_policy<K>(&mut self, policy: EvictionPolicy)
    where
        K: CacheableKernel<D>,
        C: HoldsKernel<K, D>,
    {
        self.cache_mut::<K>().set_eviction_policy(policy);
    }

    /// The policy of kernel `K`.
    pub fn eviction_policy<K: CacheableKernel<D>>(&self) -> EvictionPolicy {
        self.cache::<K>().map_or_else(EvictionPolicy::none, KernelCache::eviction_policy)
    }

    /// A snapshot of the cache of kernel `K`; `None` if the kernel was never named.
    pub fn metrics<K: CacheableKernel<D>>(&self) -> Option<CacheMetrics> {
        self.cache::<K>().map(KernelCache::metrics)
    }

    /// Snapshots of all caches, in the order of their names, those in slots included. A cache that was refused for its name
    /// is not among them.
    pub fn metrics_by_name(&self) -> impl Iterator<Item = (&'static str, CacheMetrics)> {
        let caches = self.caches.iter().filter(|cache| !cache.is_refused());
        let caches = caches.map(|cache| (cache.name(), cache.metrics()));
        let in_slots = self.slots.iter().filter_map(|slot| slot.cache_name().zip(slot.cache_metrics()));
        let mut all: Vec<_> = caches.chain(in_slots).collect();
        all.sort_by_key(|(name, _)| *name);
        all.into_iter()
    }

    /// Takes one resource of kernel `K` out of its cache.
    pub fn remove<K: CacheableKernel<D>>(&mut self, key: &K::Key) -> Option<K::CachedResource> {
        self.caches.get_mut::<KernelCache<K, D>>()?.remove(key)
    }

    /// Removes all entries of kernel `K`. Its counters and policy stay.
    pub fn clear_cache<K: CacheableKernel<D>>(&mut self) {
        if let Some(cache) = self.caches.get_mut::<KernelCache<K, D>>() {
            cache.clear();
        }
    }

    /// Removes all entries of all caches, and clears all slots. Counters and policies stay. If a resource's `Drop` panics,
    /// some caches and slots are not cleared yet; all can be used as before.
    pub fn clear(&mut self) {
        self.caches.iter_mut().for_each(ErasedCache::clear);
        self.slots.iter_mut().for_each(CacheRegistrySlot::clear_slot);
    }

    /// Makes the entries of all caches and slots leave that were idle for longer than their policy allows. Each cache does this on its
    /// own at every look-up; call it now and then for caches that are no longer used.
    pub fn expire_idle(&mut self) {
        self.caches.iter_mut().for_each(ErasedCache::expire_idle);
        self.slots.iter_mut().for_each(CacheRegistrySlot::expire_idle);
    }

    /// The slot of type `T`, made by `init` if there is none yet, and connected with the registry's sink and clock.
    pub fn slot_mut<T>(&mut self, init: impl FnOnce() -> T) -> &mut T
    where
        T: CacheRegistrySlot,
        C: HoldsSlot<T>,
    {
        self.slot_and_device(init).0
    }

    /// [`slot_mut`](Self::slot_mut), and the registry's own device beside it.
    pub(crate) fn slot_and_device<T>(&mut self, init: impl FnOnce() -> T) -> (&mut T, Option<&D>)
    where
        T: CacheRegistrySlot,
        C: HoldsSlot<T>,
    {
        if !self.slots.is_near::<T>() {
            return self.slot_far(init);
        }
        let slot = self.slots.near_mut().expect("it was there just now");
        (slot, self.device.as_deref())
    }

    /// The slot of type `T`, if there is one.
    pub fn slot<T: CacheRegistrySlot>(&self) -> Option<&T> {
        self.slots.get()
    }

    /// Clears the slot of type `T` and says whether there is one.
    pub fn clear_slot<T: CacheRegistrySlot>(&mut self) -> bool {
        self.slots.get_mut::<T>().map(CacheRegistrySlot::clear_slot).is_some()
    }

    /// [`cache_mut`](Self::cache_mut) of a cache that is new, or shares its place with another.
    #[cold]
    #[inline(never)]
    fn cache_far<K>(&mut self) -> &mut KernelCache<K, D>
    where
        K: CacheableKernel<D>,
        C: HoldsKernel<K, D>,
    {
        let Self { caches, slots, device, time, sink } = self;
        caches.get_or_insert(
            |caches| {
                let mut cache =
                    KernelCache::default().with_time(time.clone()).with_shared_device(device.clone());
                if let Some(first) = Self::owner_of_name(K::CACHE_NAME, caches, slots) {
                    cache.refuse(first);
                }
                cache.set_sink(sink.clone());
                cache
            },
            C::erase_cache,
        )
    }

    /// [`slot_and_device`](Self::slot_and_device) of a slot that is new, or shares its place with another.
    #[cold]
    #[inline(never)]
    fn slot_far<T>(&mut self, init: impl FnOnce() -> T) -> (&mut T, Option<&D>)
    where
        T: CacheRegistrySlot,
        C: HoldsSlot<T>,
    {
        let Self { caches, slots, device, time, sink } = self;
        let slot = slots.get_or_insert(
            |slots| {
                let mut slot = init();
                let taken_by = slot.cache_name().and_then(|name| Self::owner_of_name(name, caches, slots));
                slot.connect(&SlotContext::new(sink.clone(), time.clone(), taken_by));
                slot
            },
            C::erase_slot,
        );
        (slot, device.as_deref())
    }

    /// The type of the kernel or slot that has this name.
    fn owner_of_name(
        name: &str,
        caches: &TypeTable<C::Cache, NEAR_CACHES>,
        slots: &TypeTable<C::Slot, NEAR_SLOTS>,
    ) -> Option<&'static str> {
        let cache = caches.iter().find(|cache| cache.name() == name && !cache.is_refused());
        let slot = || slots.iter().find(|slot| slot.cache_name() == Some(name));
        cache.map(ErasedCache::kernel).or_else(|| slot().map(CacheRegistrySlot::slot_type))
    }
}

impl<D, C: Confinement> Default for CacheRegistry<D, C> {
    fn default() -> Self {
        Self {
            caches: TypeTable::default(),
            slots: TypeTable::default(),
            device: None,
            time: TimeSource::default(),
            sink: None,
        }
    }
}

impl<D: 'static, C: Confinement> fmt::Debug for CacheRegistry<D, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.metrics_by_name()).finish()
    }
}
