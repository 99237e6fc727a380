//! Removals from a shared registry: at a caller's wish, or with its device.

use std::sync::{Arc, PoisonError};

use super::SharedRegistry;
use crate::caching::drops::run_each;
use crate::caching::kernel::CacheableKernel;
use crate::caching::shared::Node;

impl<D: 'static> SharedRegistry<D> {
    /// Removes one resource of kernel `K` from its cache and returns a clone of it. Locals that have it let go at their next
    /// operation on that cache.
    pub fn remove<K>(&self, key: &K::Key) -> Option<K::CachedResource>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        self.find::<K>()?.core.remove(key).map(Node::cloned)
    }

    /// Removes all entries of kernel `K`. Its counters and policy stay.
    pub fn clear_cache<K>(&self)
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        if let Some(kernel) = self.find::<K>() {
            kernel.core.clear();
        }
    }

    /// Removes all entries of all caches. Counters and policies stay.
    ///
    /// # Panics
    /// If the `Drop` of a resource does: when all caches are empty, with the first such panic.
    pub fn clear(&self) {
        run_each(self.all_caches(), |cache| cache.clear());
    }

    /// Evicts the entries of all caches that were idle for longer than their policy allows. Each cache does this by itself at
    /// every look-up; call it now and then for caches that are no longer used.
    ///
    /// # Panics
    /// If the `Drop` of a resource does: when this was done for all caches, with the first such panic.
    pub fn expire_idle(&self) {
        run_each(self.all_caches(), |cache| cache.expire_idle());
    }

    /// Removes all entries of all caches, forgets what failed, and makes resources on `replacement` from now on. What is being
    /// created on the lost device is not inserted: its callers get [`Error::DeviceLost`](crate::error::Error::DeviceLost).
    ///
    /// # Panics
    /// If the `Drop` of a resource does: when all caches are empty, with the first such panic.
    pub fn device_lost(&self, replacement: Option<D>) {
        // Before the lock: a clock may use the registry, or panic.
        let now = self.0.time.stamp();
        let mut device = self.0.device.write().unwrap_or_else(PoisonError::into_inner);
        let caches = self.all_caches();
        // Under the lock: whoever finds the new device finds caches that are ready for it.
        let farewells: Vec<_> = caches.iter().map(|cache| cache.device_lost(now)).collect();
        let lost = std::mem::replace(&mut **device, replacement.map(Arc::new));
        drop(device);
        let lost = Box::new(|| drop(lost)) as Box<dyn FnOnce()>;
        run_each(farewells.into_iter().chain([lost]), |step| step());
    }
}
