//! Caches by their names, for callers that do not know their types.

use super::CacheRegistry;
use super::erased::ErasedCache;
use crate::caching::policy::EvictionPolicy;
use crate::caching::reporting::CacheMetrics;
use crate::caching::slot::CacheRegistrySlot;

/// Caches by name, those in slots included. A cache that was refused for its name is not among them.
impl<D: 'static> CacheRegistry<D> {
    /// Snapshots of all caches, in the order of their names.
    pub fn metrics_by_name(&self) -> impl Iterator<Item = (&str, CacheMetrics)> {
        let caches = self.all_caches().filter(|cache| !cache.is_refused());
        let caches = caches.map(|cache| (cache.name().as_str(), cache.metrics()));
        let in_slots = self.slots.iter().filter_map(|slot| slot.cache_name().zip(slot.cache_metrics()));
        let mut all: Vec<_> = caches.chain(in_slots).collect();
        all.sort_by_key(|(name, _)| *name);
        all.into_iter()
    }

    /// A snapshot of the cache of this name; `None` if there is none.
    pub fn metrics_of(&self, name: &str) -> Option<CacheMetrics> {
        let slot = || self.named_slot(name).and_then(CacheRegistrySlot::cache_metrics);
        self.named_cache(name).map(ErasedCache::metrics).or_else(slot)
    }

    /// The policy of the cache of this name; `None` if there is none, or if it has no policy.
    pub fn eviction_policy_of(&self, name: &str) -> Option<EvictionPolicy> {
        let slot = || self.named_slot(name).and_then(CacheRegistrySlot::cache_policy);
        self.named_cache(name).map(ErasedCache::eviction_policy).or_else(slot)
    }

    /// Changes the policy of the cache of this name, and returns `true` if there is one that has a policy. Otherwise the first
    /// cache that comes into being with this name has it from the start.
    pub fn set_eviction_policy_of(&mut self, name: &str, policy: EvictionPolicy) -> bool {
        let mut caches = self.all_caches_mut();
        if let Some(cache) = caches.find(|cache| **cache.name() == *name && !cache.is_refused()) {
            cache.set_eviction_policy(policy);
            return true;
        }
        drop(caches);
        let mut slots = self.slots.iter_mut();
        if let Some(slot) = slots.find(|slot| slot.cache_name() == Some(name)) {
            return slot.set_cache_policy(policy);
        }
        drop(slots);
        self.policies_to_come.insert(name.to_owned(), policy);
        false
    }

    /// Removes all entries of the cache of this name, and returns `true` if there is one.
    pub fn clear_of(&mut self, name: &str) -> bool {
        let mut caches = self.all_caches_mut();
        if let Some(cache) = caches.find(|cache| **cache.name() == *name && !cache.is_refused()) {
            cache.clear();
            return true;
        }
        drop(caches);
        let slot = self.slots.iter_mut().find(|slot| slot.cache_name() == Some(name));
        slot.map(CacheRegistrySlot::clear_slot).is_some()
    }

    fn named_cache(&self, name: &str) -> Option<&dyn ErasedCache> {
        self.all_caches().find(|cache| **cache.name() == *name && !cache.is_refused())
    }

    fn named_slot(&self, name: &str) -> Option<&dyn CacheRegistrySlot> {
        self.slots.iter().find(|slot| slot.cache_name() == Some(name))
    }
}
