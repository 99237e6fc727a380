//! Look-ups of a kernel in the registry of one thread.

use std::panic::Location;

use super::CacheRegistry;
use crate::caching::clock::TimeSource;
use crate::caching::drops::{Foreign, ask_of};
use crate::caching::entries::hash_of;
use crate::caching::gate::Caller;
use crate::caching::kernel::{CacheableKernel, Frame};
use crate::caching::kernel_cache::{Asker, Found, KernelCache, get_or_create};
use crate::error::Error;

impl<D: 'static> CacheRegistry<D> {
    /// Returns the resource of kernel `K` for these parameters: from its cache, or else made and inserted. `device` is what it
    /// is made on; `None` means the registry's device.
    ///
    /// # Errors
    /// As [`KernelCache::get_or_create`].
    ///
    /// # Panics
    /// As [`KernelCache::get_or_create`]; the registry can be used as before.
    #[inline(always)]
    #[track_caller]
    pub fn get_or_create<K>(
        &mut self,
        params: &K::Params,
        device: Option<&D>,
    ) -> Result<&mut K::CachedResource, Error>
    where
        K: CacheableKernel<D>,
    {
        // First of all: the compiler believes that reading the time may change all that is in memory, and would keep less in
        // registers over it, and find the cache twice.
        match TimeSource::unlimited_hit_stamp(self.hit_limit) {
            Some(now) => self.get_or_create_at::<K>(now, params, device, Location::caller()),
            None => self.get_or_create_by_system::<K>(params, device, Location::caller()),
        }
    }

    /// [`get_or_create`](Self::get_or_create) where hits are stamped by another than the processor's counter. Out of line, as what
    /// reads such a clock would be, so that the counter's hits need not ask again which it was.
    #[inline(never)]
    fn get_or_create_by_system<K: CacheableKernel<D>>(
        &mut self,
        params: &K::Params,
        device: Option<&D>,
        caller: Caller,
    ) -> Result<&mut K::CachedResource, Error> {
        match TimeSource::hit_stamp_before(self.hit_limit) {
            Some(now) => self.get_or_create_at::<K>(now, params, device, caller),
            None => self.get_or_create_slow::<K>(K::create_cache_key(params), None, device, Some(caller)),
        }
    }

    /// [`get_or_create`](Self::get_or_create) of a look-up that begins at `now`.
    #[inline(always)]
    fn get_or_create_at<K: CacheableKernel<D>>(
        &mut self,
        now: u64,
        params: &K::Params,
        device: Option<&D>,
        caller: Caller,
    ) -> Result<&mut K::CachedResource, Error> {
        let key = Foreign::new(K::create_cache_key(params));
        let hash = hash_of(&*key);
        let Some(cache) = self.caches.near::<KernelCache<K, D>>() else {
            return self.get_or_create_slow::<K>(key.into_inner(), None, device, Some(caller));
        };
        match cache.find_at(now, hash, &*key, device) {
            Found::Hit(id) => {
                // No panic is under way: it is not to be asked for at its end.
                drop(key.into_inner());
                let cache = self.caches.near_mut::<KernelCache<K, D>>();
                Ok(cache.expect("it was there just now").keyed_mut().hit(id, now))
            }
            Found::Nothing => self.get_or_create_slow::<K>(key.into_inner(), Some(now), device, Some(caller)),
            Found::Slow => self.get_or_create_slow::<K>(key.into_inner(), None, device, Some(caller)),
        }
    }

    /// [`get_or_create`](Self::get_or_create) where there is more to do than to find an entry in the first place of its cache.
    /// `missed_at` is when the look-up began, if it found nothing.
    #[cold]
    #[inline(never)]
    pub(super) fn get_or_create_slow<K: CacheableKernel<D>>(
        &mut self,
        mut key: K::Key,
        missed_at: Option<u64>,
        device: Option<&D>,
        caller: Option<Caller>,
    ) -> Result<&mut K::CachedResource, Error> {
        // Again: to keep it would cost every hit a register.
        let hash = ask_of!(K::Key, key, hash_of);
        let by = Asker { outer: None, caller };
        if missed_at.is_none() {
            // It may be in another than its first place.
            if let Some(cache) = self.caches.get_mut::<KernelCache<K, D>>() {
                let found = ask_of!(K::Key, key, |key| cache.find_fast(hash, key, device));
                if let (Found::Hit(id), now) = found {
                    drop(key);
                    let cache = self.caches.get_mut::<KernelCache<K, D>>();
                    return Ok(cache.expect("it was there just now").keyed_mut().hit(id, now));
                }
            }
        }
        let id = get_or_create::<K, D, Self>(self, key, hash, missed_at, device, by)?;
        Ok(self.cache_mut::<K>().keyed_mut().resource_mut(id))
    }

    /// [`get_or_create`](Self::get_or_create) inside of other creations.
    pub(super) fn get_or_create_nested<K: CacheableKernel<D>>(
        &mut self,
        params: &K::Params,
        outer: &Frame<'_>,
        caller: Option<Caller>,
    ) -> Result<K::CachedResource, Error> {
        let mut key = K::create_cache_key(params);
        let hash = ask_of!(K::Key, key, hash_of);
        let by = Asker { outer: Some(outer), caller };
        let id = get_or_create::<K, D, Self>(self, key, hash, None, None, by)?;
        Ok(self.cache_mut::<K>().keyed().resource(id).clone())
    }
}
