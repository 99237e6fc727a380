//! One thread's view of a shared registry.

mod fallback;
mod slots;

use std::any::Any;
use std::fmt;
use std::hash::Hash;
use std::panic::Location;
use std::sync::Arc;

use metallic_instrumentation::CacheName;

pub use self::fallback::Batch;
use super::keyed::LocalSharedCache;
use super::shared::SharedRegistry;
use super::shared_kernel::SharedKernel;
use super::type_table::{Erased, TypeTable};
use crate::caching::clock::TimeSource;
use crate::caching::drops::{Foreign, drop_first, run_each};
use crate::caching::entries::hash_of;
use crate::caching::gate::Caller;
use crate::caching::kernel::CacheableKernel;
use crate::caching::shared::{LocalCache, Request};
use crate::caching::slot::CacheRegistrySlot;
use crate::device::Device;
use crate::error::Error;

/// Places for kernels that are found by one comparison.
const NEAR: usize = 64;
const NEAR_SLOTS: usize = 16;

/// A registry for one thread or encoder over the caches of a [`SharedRegistry`]: what it has used once, it finds again without a
/// lock and without a write that other threads would wait for.
///
/// It can be sent to another thread. What is evicted, removed or lost with its device is let go of at its next operation on that
/// cache, and meanwhile kept alive by it; [`park`](Self::park) lets go of everything, for a thread that idles. Uses are known
/// to all threads to a millisecond, which is how exact the order of eviction is.
pub struct LocalRegistry<D: 'static = Device> {
    shared: SharedRegistry<D>,
    /// As [`CacheRegistry`](super::CacheRegistry) has it.
    hit_limit: u64,
    caches: TypeTable<dyn ErasedLocal, NEAR>,
    slots: TypeTable<dyn CacheRegistrySlot + Send, NEAR_SLOTS>,
}

struct LocalKernel<K: CacheableKernel<D>, D: 'static> {
    local: LocalCache<K::Key, K::CachedResource>,
    kernel: Arc<SharedKernel<K, D>>,
}

/// A local cache of a forgotten kernel.
trait ErasedLocal: Any + Send {
    fn park(&mut self);
}

impl Erased for dyn ErasedLocal {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl<K, D> ErasedLocal for LocalKernel<K, D>
where
    K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    D: 'static,
{
    fn park(&mut self) {
        self.local.park();
    }
}

impl<D: 'static> LocalRegistry<D> {
    pub(super) fn new(shared: SharedRegistry<D>) -> Self {
        let hit_limit = shared.hit_limit();
        Self { shared, hit_limit, caches: TypeTable::default(), slots: TypeTable::default() }
    }

    /// The registry that this is a view of.
    pub fn shared(&self) -> &SharedRegistry<D> {
        &self.shared
    }

    /// Returns the resource of kernel `K` for these parameters. A hit on what this local has used before takes no lock; otherwise
    /// as [`SharedRegistry::get_or_create`].
    ///
    /// # Errors
    /// As [`SharedRegistry::get_or_create`].
    ///
    /// # Panics
    /// As [`SharedRegistry::get_or_create`].
    #[inline]
    #[track_caller]
    pub fn get_or_create<K>(
        &mut self,
        params: &K::Params,
        device: Option<&D>,
    ) -> Result<&K::CachedResource, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        // First of all, as in `CacheRegistry::get_or_create`.
        match TimeSource::unlimited_hit_stamp(self.hit_limit) {
            Some(now) => self.get_or_create_at::<K>(now, params, device, Location::caller()),
            None => self.get_or_create_by_system::<K>(params, device, Location::caller()),
        }
    }

    #[inline(never)]
    fn get_or_create_by_system<K>(
        &mut self,
        params: &K::Params,
        device: Option<&D>,
        caller: Caller,
    ) -> Result<&K::CachedResource, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        match TimeSource::hit_stamp_before(self.hit_limit) {
            Some(now) => self.get_or_create_at::<K>(now, params, device, caller),
            None => {
                let key = Foreign::new(K::create_cache_key(params));
                self.get_or_create_slow::<K>(hash_of(&*key), key.into_inner(), device, caller)
            }
        }
    }

    /// [`get_or_create`](Self::get_or_create) of a look-up that begins at `now`.
    #[inline(always)]
    fn get_or_create_at<K>(
        &mut self,
        now: u64,
        params: &K::Params,
        device: Option<&D>,
        caller: Caller,
    ) -> Result<&K::CachedResource, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        let key = Foreign::new(K::create_cache_key(params));
        let hash = hash_of(&*key);
        if let Some(LocalKernel { local, kernel }) = self.caches.near::<LocalKernel<K, D>>() {
            kernel.check_device(device)?;
            if let Some(id) = local.find_at(now, hash, &*key) {
                // No panic is under way: it is not to be asked for at its end.
                drop(key.into_inner());
                let near = self.caches.near::<LocalKernel<K, D>>().expect("it was there just now");
                return Ok(near.local.hit(id, now));
            }
        }
        self.get_or_create_slow::<K>(hash, key.into_inner(), device, caller)
    }

    #[inline(never)]
    fn get_or_create_slow<K>(
        &mut self,
        hash: u64,
        key: K::Key,
        device: Option<&D>,
        caller: Caller,
    ) -> Result<&K::CachedResource, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        let key = Foreign::new(key);
        let found = self.look_up_or_create::<K>(hash, &key, device, caller);
        // An error may be the kernel's own.
        drop_first(key, found)
    }

    fn look_up_or_create<K>(
        &mut self,
        hash: u64,
        key: &K::Key,
        device: Option<&D>,
        caller: Caller,
    ) -> Result<&K::CachedResource, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        let LocalKernel { local, kernel } = Self::kernel::<K>(&self.shared, &mut self.caches)?;
        kernel.check_device(device)?;
        if let Some((id, now)) = local.find_again(hash, key) {
            return Ok(local.hit(id, now));
        }
        let request = Request { has_key: true, ..kernel.core.request().by(caller) };
        let own = Foreign::new(if device.is_none() { self.shared.device() } else { None });
        let device = device.or(own.as_deref());
        let got = kernel.get_or_create(key, hash, device, request, None, &mut self.shared.clone())?;
        Ok(local.keep(hash, key, || key.clone(), got.node))
    }

    /// The local cache of kernel `K`, made at the first call.
    fn kernel<'a, K>(
        shared: &SharedRegistry<D>,
        caches: &'a mut TypeTable<dyn ErasedLocal, NEAR>,
    ) -> Result<&'a mut LocalKernel<K, D>, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        if caches.get::<LocalKernel<K, D>>().is_none() {
            let kernel = shared.kernel::<K>()?;
            let local = LocalCache::new(kernel.core.clone());
            caches.insert(Box::new(LocalKernel::<K, D> { local, kernel }));
        }
        Ok(caches.get_mut::<LocalKernel<K, D>>().expect("it was inserted just now"))
    }

    /// The cache of this name for resources of a type without a kernel, as this thread sees it. The view is to be kept: it has
    /// what this thread has used.
    ///
    /// # Errors
    /// As [`SharedRegistry::cache`].
    pub fn cache<Key, R>(&self, name: impl Into<CacheName>) -> Result<LocalSharedCache<Key, R>, Error>
    where
        Key: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static,
        R: Send + Sync + 'static,
    {
        Ok(self.shared.cache(name)?.local())
    }

    /// Lets go of everything, for a thread that idles. What is asked for next is found in the shared caches again.
    pub fn park(&mut self) {
        run_each([false, true], |is_of_slots| {
            if is_of_slots {
                return run_each(self.slots.iter_mut(), |slot| slot.park());
            }
            run_each(self.caches.iter_mut(), |cache| cache.park());
        });
    }
}

impl<D: 'static> fmt::Debug for LocalRegistry<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalRegistry").field("shared", &self.shared).finish()
    }
}
