//! Look-ups of a kernel by any thread.

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::SharedRegistry;
use crate::caching::drops::{Foreign, drop_first};
use crate::caching::entries::hash_of;
use crate::caching::kernel::CacheableKernel;
use crate::caching::kernel_cache::Asker;
use crate::caching::registry::shared_kernel::SharedKernel;
use crate::caching::shared::{Fast, Node, Request};
use crate::error::Error;

impl<D: 'static> SharedRegistry<D> {
    /// Returns a clone of the resource of kernel `K` for these parameters: from its cache, or else created and inserted, while
    /// other threads that ask for it wait. `device` is what it is made on; `None` means the registry's device.
    ///
    /// # Errors
    /// [`Error::Creation`], with the kernel's error as its source, if the creation failed, here or on the thread that this one
    /// waited for (see [`set_failure_policy`](Self::set_failure_policy)). [`Error::RecursiveCreation`] if the creation is under
    /// way and waits for this thread. [`Error::DeviceLost`] within an [`Error::Creation`], [`Error::AnotherDevice`],
    /// [`Error::DuplicateCacheName`].
    ///
    /// # Panics
    /// If the kernel does, on the thread that creates: nothing was inserted, the miss is counted, and one of those that waited
    /// creates in its place.
    #[track_caller]
    pub fn get_or_create<K>(&self, params: &K::Params, device: Option<&D>) -> Result<K::CachedResource, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        let by = Asker { outer: None, caller: Some(Location::caller()) };
        self.get_or_create_as::<K>(params, device, None, by)
    }

    /// [`get_or_create`](Self::get_or_create) that waits for another thread's creation at most for `timeout`. A creation by
    /// this thread takes the time it takes.
    ///
    /// # Errors
    /// As [`get_or_create`](Self::get_or_create); [`Error::TimedOut`].
    #[track_caller]
    pub fn get_or_create_within<K>(
        &self,
        params: &K::Params,
        device: Option<&D>,
        timeout: Duration,
    ) -> Result<K::CachedResource, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        let by = Asker { outer: None, caller: Some(Location::caller()) };
        self.get_or_create_as::<K>(params, device, Some(timeout), by)
    }

    pub(in crate::caching::registry) fn get_or_create_as<K>(
        &self,
        params: &K::Params,
        device: Option<&D>,
        timeout: Option<Duration>,
        by: Asker<'_>,
    ) -> Result<K::CachedResource, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        let key = Foreign::new(K::create_cache_key(params));
        let hash = hash_of(&*key);
        let near = self.0.kernels.near::<SharedKernel<K, D>>();
        // The kernel is asked before the lock.
        let found = near.map(|near| near.core.find_fast(hash, &*key, device.and_then(K::device_identity)));
        // Cloned in one place, wherever it is from: a clone that came from several would go through memory.
        let node = match found {
            Some(Fast::Hit(node)) => drop_first(key.into_inner(), node),
            Some(Fast::Missing) => {
                self.get_or_create_slow::<K>(key.into_inner(), hash, device, timeout, by, true)?
            }
            Some(Fast::Declined) | None => {
                self.get_or_create_slow::<K>(key.into_inner(), hash, device, timeout, by, false)?
            }
        };
        Ok(Node::cloned(node))
    }

    /// The rest of a look-up that was no hit, or nothing but a miss if `was_missing`.
    #[cold]
    #[inline(never)]
    fn get_or_create_slow<K>(
        &self,
        key: K::Key,
        hash: u64,
        device: Option<&D>,
        timeout: Option<Duration>,
        by: Asker<'_>,
        was_missing: bool,
    ) -> Result<Arc<Node<K::CachedResource>>, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        let key = Foreign::new(key);
        let found = if was_missing { Ok(None) } else { self.find_slow::<K>(&key, hash, device) };
        let found = match found {
            Ok(None) => self.create_as::<K>(&key, hash, device, timeout, by, true),
            Ok(Some(node)) => Ok(node),
            Err(error) => Err(error),
        };
        drop_first(key, found)
    }

    fn find_slow<K>(
        &self,
        key: &K::Key,
        hash: u64,
        device: Option<&D>,
    ) -> Result<Option<Arc<Node<K::CachedResource>>>, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        let Some(kernel) = self.find::<K>() else { return Ok(None) };
        let asked_for = device.and_then(K::device_identity);
        kernel.core.find(hash, key, asked_for, || kernel.core.check_device(asked_for))
    }

    /// The rest of a look-up that found nothing. `was_missing` is `true` if that was just now.
    #[inline(never)]
    pub(super) fn create_as<K>(
        &self,
        key: &K::Key,
        hash: u64,
        device: Option<&D>,
        timeout: Option<Duration>,
        by: Asker<'_>,
        was_missing: bool,
    ) -> Result<Arc<Node<K::CachedResource>>, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        let kernel = self.kernel::<K>()?;
        let request = Request { timeout, caller: by.caller, has_key: was_missing, ..kernel.core.request() };
        let own = Foreign::new(if device.is_none() { self.device() } else { None });
        let device = device.or(own.as_deref());
        let got = kernel.get_or_create(key, hash, device, request, by.outer, &mut self.clone());
        // It may be the last of its device, if that was lost meanwhile.
        drop_first(own, got.map(|got| got.node))
    }

    /// Returns a clone of the resource of kernel `K` with this key, if it is there: a hit, or nothing.
    pub fn get<K>(&self, key: &K::Key) -> Option<K::CachedResource>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        self.find::<K>()?.core.get(key).map(Node::cloned)
    }

    /// Returns a clone of the resource of kernel `K` with this key, if it is there and not past its idle time. Does not count as
    /// a hit, does not affect recency, and evicts nothing.
    pub fn peek<K>(&self, key: &K::Key) -> Option<K::CachedResource>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        self.find::<K>()?.core.peek(key).map(Node::cloned)
    }
}
