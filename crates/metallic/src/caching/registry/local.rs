//! One thread's view of a shared registry.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::shared::SharedRegistry;
use super::shared_kernel::SharedKernel;
use super::type_table::{Erased, TypeTable};
use crate::caching::entries::hash_of;
use crate::caching::kernel::CacheableKernel;
use crate::caching::shared::{LocalCache, Request};
use crate::device::Device;
use crate::error::Error;

/// Places for kernels that are found by one comparison.
const NEAR: usize = 64;

/// A registry for one thread or encoder over the caches of a [`SharedRegistry`]: what it has used once, it finds again without a
/// lock and without a write that other threads would wait for.
///
/// It can be sent to another thread. What is evicted, removed or lost with its device is let go of at its next operation on that
/// cache, and meanwhile kept alive by it; [`park`](Self::park) lets go of everything, for a thread that idles. Uses are known
/// to all threads to a millisecond, which is how exact the order of eviction is.
pub struct LocalRegistry<D: 'static = Device> {
    shared: SharedRegistry<D>,
    caches: TypeTable<dyn ErasedLocal, NEAR>,
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
        Self { shared, caches: TypeTable::default() }
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
    pub fn get_or_create<K>(
        &mut self,
        params: &K::Params,
        device: Option<&D>,
    ) -> Result<&K::CachedResource, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        let key = K::create_cache_key(params);
        let hash = hash_of(&key);
        let near = self.caches.near::<LocalKernel<K, D>>();
        if let Some(LocalKernel { local, kernel }) = near {
            kernel.check_device(device)?;
            if let Some((id, now)) = local.find(hash, &key) {
                let near = self.caches.near::<LocalKernel<K, D>>().expect("it was there just now");
                return Ok(near.local.hit(id, now));
            }
        }
        self.get_or_create_slow::<K>(&key, hash, device)
    }

    #[inline(never)]
    fn get_or_create_slow<K>(
        &mut self,
        key: &K::Key,
        hash: u64,
        device: Option<&D>,
    ) -> Result<&K::CachedResource, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        if self.caches.get::<LocalKernel<K, D>>().is_none() {
            let kernel = self.shared.kernel::<K>()?;
            let local = LocalCache::new(kernel.core.clone());
            self.caches.insert(Box::new(LocalKernel::<K, D> { local, kernel }));
        }
        let LocalKernel { local, kernel } =
            self.caches.get_mut::<LocalKernel<K, D>>().expect("it was inserted just now");
        kernel.check_device(device)?;
        if let Some((id, now)) = local.find_again(hash, key) {
            return Ok(local.hit(id, now));
        }
        let request = Request { has_key: true, ..kernel.core.request() };
        let own = if device.is_none() { self.shared.device() } else { None };
        let device = device.or(own.as_deref());
        let got = kernel.get_or_create(key, hash, device, request, None, &mut self.shared.clone())?;
        Ok(local.keep(hash, key, || key.clone(), got.node))
    }

    /// Lets go of everything, for a thread that idles. What is asked for next is found in the shared caches again.
    pub fn park(&mut self) {
        self.caches.iter_mut().for_each(ErasedLocal::park);
    }
}

impl<D: 'static> fmt::Debug for LocalRegistry<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalRegistry").field("shared", &self.shared).finish()
    }
}
