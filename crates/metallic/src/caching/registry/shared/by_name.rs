//! Shared caches by their names, for callers that do not know their types, and those that have nothing but a name.

use std::any::{Any, type_name};
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use metallic_instrumentation::{CacheKind, CacheName};

use super::{SharedRegistry, lock};
use crate::caching::clock::TimeSource;
use crate::caching::policy::EvictionPolicy;
use crate::caching::registry::keyed::{Home, SharedCache};
use crate::caching::registry::shared_kernel::ErasedShared;
use crate::caching::reporting::CacheMetrics;
use crate::caching::shared::JudgedCache;
use crate::error::Error;

impl<D: 'static> SharedRegistry<D> {
    /// Snapshots of all caches, in the order of their names.
    pub fn metrics_by_name(&self) -> impl Iterator<Item = (CacheName, CacheMetrics)> + use<D> {
        let mut all: Vec<_> =
            self.all_caches().iter().map(|cache| (cache.name().clone(), cache.metrics())).collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all.into_iter()
    }

    /// A snapshot of the cache of this name; `None` if there is none.
    pub fn metrics_of(&self, name: &str) -> Option<CacheMetrics> {
        self.named_cache(name).map(|cache| cache.metrics())
    }

    /// The policy of the cache of this name; `None` if there is none.
    pub fn eviction_policy_of(&self, name: &str) -> Option<EvictionPolicy> {
        self.named_cache(name).map(|cache| cache.eviction_policy())
    }

    /// Changes the policy of the cache of this name, and returns `true` if there is one. Otherwise the first cache that comes
    /// into being with this name has it from the start.
    pub fn set_eviction_policy_of(&self, name: &str, policy: EvictionPolicy) -> bool {
        // Held so that no cache of the name comes into being meanwhile.
        let sink = lock(&self.0.sink);
        let Some(cache) = self.named_cache(name) else {
            lock(&self.0.policies_to_come).insert(name.to_owned(), policy);
            return false;
        };
        drop(sink);
        cache.set_eviction_policy(policy);
        true
    }

    /// Removes all entries of the cache of this name, and returns `true` if there is one.
    pub fn clear_of(&self, name: &str) -> bool {
        self.named_cache(name).map(|cache| cache.clear()).is_some()
    }

    /// The cache of this name for resources of a type without a kernel, made at the first call: what creates a resource is given
    /// with each look-up. The handle is to be kept; finding it takes a lock.
    ///
    /// # Errors
    /// [`Error::DuplicateCacheName`] if a cache of other types, or of a kernel, has the name.
    pub fn cache<Key, R>(&self, name: impl Into<CacheName>) -> Result<SharedCache<Key, R>, Error>
    where
        Key: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static,
        R: Send + Sync + 'static,
    {
        let second = type_name::<SharedCache<Key, R>>();
        self.get_or_place(name.into(), second, |name, policy, time| {
            SharedCache::of_kind(CacheKind::Keyed, name, policy, time, self.home())
        })
    }

    /// The cache of this name that a slot has, made at the first call, as one thread sees it. `owner` is the slot's type.
    ///
    /// # Errors
    /// As [`cache`](Self::cache).
    pub(crate) fn judged_cache<Key, R>(
        &self,
        name: &'static str,
        owner: &'static str,
    ) -> Result<JudgedCache<Key, R>, Error>
    where
        Key: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static,
        R: Send + Sync + 'static,
    {
        let name = CacheName::from_static(name);
        let cache = self.get_or_place(name, owner, |name, policy, time| {
            SharedCache::<Key, R>::of_kind(CacheKind::Slot, name, policy, time, self.home())
        })?;
        Ok(JudgedCache::view(cache.core().clone()))
    }

    fn home(&self) -> Home {
        Home { creators: self.0.creators.clone(), attachment: self.0.attachment.clone() }
    }

    /// The handle that has this name, which `new` makes if the name is free. `second` is the caller's type, for messages.
    pub(in crate::caching::registry) fn get_or_place<T: ErasedShared + Clone>(
        &self,
        name: CacheName,
        second: &'static str,
        new: impl FnOnce(CacheName, EvictionPolicy, TimeSource) -> T,
    ) -> Result<T, Error> {
        let sink = lock(&self.0.sink);
        let known = lock(&self.0.keyed).get(&name).cloned();
        if let Some(known) = known {
            drop(sink);
            let first = known.owner();
            let known: &dyn Any = &*known;
            let known = known.downcast_ref::<T>().cloned();
            return known.ok_or(Error::DuplicateCacheName { name, first, second });
        }
        if let Some(first) = self.owner_of_name(&name) {
            return Err(Error::DuplicateCacheName { name, first, second });
        }
        let policy = self.policy_to_come(&name).unwrap_or_else(EvictionPolicy::none);
        let new = new(name.clone(), policy, self.0.time.clone());
        new.connect(sink.clone());
        new.set_gate(self.gate());
        lock(&self.0.keyed).insert(name, Arc::new(new.clone()));
        drop(sink);
        new.announce();
        Ok(new)
    }

    pub(super) fn named_cache(&self, name: &str) -> Option<Arc<dyn ErasedShared>> {
        self.all_caches().into_iter().find(|cache| **cache.name() == *name)
    }

    pub(super) fn owner_of_name(&self, name: &str) -> Option<&'static str> {
        self.named_cache(name).map(|cache| cache.owner())
    }

    pub(super) fn policy_to_come(&self, name: &str) -> Option<EvictionPolicy> {
        lock(&self.0.policies_to_come).remove(name)
    }
}
