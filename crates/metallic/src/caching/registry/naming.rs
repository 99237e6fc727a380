//! Caches come into being, each under its own name.

use std::any::{Any, type_name};
use std::fmt;
use std::hash::Hash;

use metallic_instrumentation::{CacheKind, CacheName};

use super::erased::ErasedCache;
use super::keyed::Home;
use super::{CacheRegistry, SharedCache};
use crate::caching::clock::TimeSource;
use crate::caching::kernel::CacheableKernel;
use crate::caching::kernel_cache::KernelCache;
use crate::caching::keyed_cache::KeyedCache;
use crate::caching::policy::EvictionPolicy;
use crate::caching::shared::Creators;
use crate::caching::slot::CacheRegistrySlot;
use crate::error::Error;

impl<D: 'static> CacheRegistry<D> {
    /// The cache of this name for resources of a type without a kernel, made at the first call: what creates a resource is given
    /// with each look-up.
    ///
    /// # Errors
    /// [`Error::DuplicateCacheName`] if a cache of other types, of a kernel or of a slot has the name.
    pub fn keyed_cache<Key, R>(
        &mut self,
        name: impl Into<CacheName>,
    ) -> Result<&mut KeyedCache<Key, R>, Error>
    where
        Key: Eq + Hash + fmt::Debug + 'static,
        R: 'static,
    {
        let format = <Key as fmt::Debug>::fmt;
        self.get_or_place(name.into(), |name, policy, time| {
            KeyedCache::new(name, CacheKind::Keyed, format, policy, time)
        })
    }

    /// The cache of this name for resources of a type without a kernel, as a handle that borrows nothing of the registry: what
    /// creates a resource may use other caches, and this one for other keys. A handle of a
    /// [`SharedRegistry`](super::SharedRegistry) is of the same type; this one stays on its thread if keys or resources do.
    ///
    /// # Errors
    /// As [`keyed_cache`](Self::keyed_cache), which is another cache.
    pub fn shared_cache<Key, R>(&mut self, name: impl Into<CacheName>) -> Result<SharedCache<Key, R>, Error>
    where
        Key: Clone + Eq + Hash + fmt::Debug + 'static,
        R: 'static,
    {
        let home = Home { creators: Creators::none(), attachment: self.attachment.clone() };
        self.get_or_place(name.into(), |name, policy, time| {
            SharedCache::of_kind(CacheKind::Keyed, name, policy, time, home)
        })
        .cloned()
    }

    /// The cache that has this name, which `new` makes if the name is free.
    pub(super) fn get_or_place<T: ErasedCache>(
        &mut self,
        name: CacheName,
        new: impl FnOnce(CacheName, EvictionPolicy, TimeSource) -> T,
    ) -> Result<&mut T, Error> {
        let second = type_name::<T>();
        if !self.keyed.contains_key(&name) {
            if let Some(first) = self.owner_of_name(&name) {
                return Err(Error::DuplicateCacheName { name, first, second });
            }
            let policy = self.policies_to_come.remove(name.as_str()).unwrap_or_else(EvictionPolicy::none);
            let mut cache = new(name.clone(), policy, self.time.clone());
            cache.set_sink(self.sink.clone());
            cache.set_gate(self.gate.clone());
            self.keyed.insert(name.clone(), Box::new(cache));
        }
        let cache: &mut dyn ErasedCache = &mut **self.keyed.get_mut(&name).expect("it was inserted just now");
        let first = cache.owner();
        let cache: &mut dyn Any = cache;
        cache.downcast_mut().ok_or(Error::DuplicateCacheName { name, first, second })
    }

    /// Names the cache of kernel `K`, in place of its [`CACHE_NAME`](CacheableKernel::CACHE_NAME): a kernel that is generic over
    /// a type has a cache for each, and all of them one constant. To be called before the cache is used.
    ///
    /// # Errors
    /// [`Error::DuplicateCacheName`] if the name belongs to another cache. [`Error::InvalidParams`] if the cache was used: its
    /// events have its old name.
    pub fn set_cache_name<K: CacheableKernel<D>>(&mut self, name: impl Into<CacheName>) -> Result<(), Error> {
        let name = name.into();
        let second = type_name::<K>();
        if let Some(first) = self.owner_of_name(&name).filter(|first| *first != second) {
            return Err(Error::DuplicateCacheName { name, first, second });
        }
        let sink = self.sink.clone();
        let cache = self.cache_unnamed::<K>(Some(name.clone()));
        let counters = cache.counters();
        if counters.hits.saturating_add(counters.misses) > 0 {
            let reason = format!("the cache `{}` is in use and cannot be named `{name}`", cache.name());
            return Err(Error::invalid_params(reason));
        }
        if *cache.name() != name {
            cache.keyed_mut().set_name(name);
            cache.set_sink(sink);
        }
        Ok(())
    }

    /// The cache of kernel `K`. A new one is given this name.
    pub(super) fn cache_unnamed<K: CacheableKernel<D>>(
        &mut self,
        name: Option<CacheName>,
    ) -> &mut KernelCache<K, D> {
        if self.caches.get::<KernelCache<K, D>>().is_none() {
            let mut cache = KernelCache::<K, D>::new(self.time.clone(), Option::clone(&self.device));
            if let Some(name) = name {
                cache.keyed_mut().set_name(name);
            }
            if let Some(first) = self.owner_of_name(cache.name()) {
                cache.keyed_mut().refuse(first);
            } else if let Some(policy) = self.policies_to_come.remove(cache.name().as_str()) {
                cache.set_eviction_policy(policy);
            }
            cache.set_sink(self.sink.clone());
            cache.keyed_mut().set_gate(self.gate.clone());
            self.caches.insert(Box::new(cache));
        }
        self.caches.get_mut().expect("it was inserted just now")
    }

    /// The type of the cache or slot that has this name.
    pub(super) fn owner_of_name(&self, name: &str) -> Option<&'static str> {
        let cache = self.all_caches().find(|cache| **cache.name() == *name && !cache.is_refused());
        let slot = || self.slots.iter().find(|slot| slot.cache_name() == Some(name));
        cache.map(ErasedCache::owner).or_else(|| slot().map(CacheRegistrySlot::slot_type))
    }
}
