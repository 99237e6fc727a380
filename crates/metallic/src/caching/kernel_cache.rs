//! The cache of one kernel, and the road from a miss to its resource.

mod create;

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use metallic_instrumentation::{CacheKind, CacheName, EventSink, SinkGuard};

use super::clock::{Clock, TimeSource};
use super::drops::{Foreign, ask_of};
use super::entries::hash_of;
use super::gate::{Caller, kernel_key};
use super::kernel::CacheableKernel;
use super::keyed_cache::KeyedCache;
use super::order::EntryId;
use super::policy::EvictionPolicy;
use super::reporting::{CacheCounters, CacheMetrics};
use crate::device::Device;
use crate::error::Error;

pub(super) use self::create::{Asker, Holds, get_or_create};

/// The resources of one kernel.
///
/// A registry holds one for each kernel it has met and hands it out as
/// [`CacheRegistry::cache_mut`](super::CacheRegistry::cache_mut). It can also stand alone:
///
/// ```
/// # use metallic::caching::{CacheableKernel, EvictionPolicy, KernelCache};
/// # use metallic::{Device, error::MetalError};
/// # struct Square;
/// # impl CacheableKernel for Square {
/// #     type Key = u64;
/// #     type CachedResource = u64;
/// #     type Params = u64;
/// #     const CACHE_NAME: &'static str = "square";
/// #     fn create_cache_key(n: &u64) -> u64 { *n }
/// #     fn create_cached_resource(n: &u64, _: Option<&Device>) -> Result<u64, MetalError> { Ok(n * n) }
/// # }
/// # fn main() -> Result<(), MetalError> {
/// let mut squares = KernelCache::<Square>::default();
/// squares.set_eviction_policy(EvictionPolicy::size_limited_lru(100));
/// assert_eq!(*squares.get_or_create(&12, None)?, 144);
/// assert_eq!(squares.metrics().misses, 1);
/// # Ok(())
/// # }
/// ```
pub struct KernelCache<K: CacheableKernel<D>, D = Device> {
    keyed: KeyedCache<K::Key, K::CachedResource>,
    device: Option<Arc<D>>,
    /// The identity of the device that resources are made on, where the kernel tells devices apart: the cache's own device, or
    /// else that of the first creation since the cache was empty.
    made_on: Option<u64>,
}

impl<K: CacheableKernel<D>, D> KernelCache<K, D> {
    /// Has resources made on `device` when a caller names none.
    pub fn with_device(self, device: D) -> Self {
        self.with_shared_device(Some(Arc::new(device)))
    }

    /// Takes the time from `clock`. To be called before the first use: stamps of two clocks do not compare.
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.keyed.set_time(TimeSource::of(clock));
        self
    }

    /// Sends events to `sink`.
    pub fn with_sink(mut self, sink: Arc<dyn EventSink>) -> Self {
        self.set_sink(Some(SinkGuard::new(sink)));
        self
    }

    /// Returns the resource for these parameters: from the cache, or else made and inserted. `device` is what it is made on;
    /// `None` means the cache's device.
    ///
    /// # Errors
    /// [`Error::Creation`], with the kernel's error as its source, if the creation failed. Then nothing was inserted, the miss
    /// is counted, and entries that made room stay evicted. [`Error::DuplicateCacheName`] if another kernel of the registry has
    /// the name, and [`Error::AnotherDevice`] if the cache has resources of another device; then nothing happened at all.
    ///
    /// # Panics
    /// If the kernel does: nothing was inserted then, and the miss is counted as a failed one. If the `Drop` of a resource that
    /// makes room does: it is evicted, nothing was created, and the miss is counted as a failed one. In each case the cache can
    /// be used as before.
    #[inline(always)]
    #[track_caller]
    pub fn get_or_create(
        &mut self,
        params: &K::Params,
        device: Option<&D>,
    ) -> Result<&mut K::CachedResource, Error> {
        match self.keyed.fast_stamp() {
            Some(now) => self.get_or_create_at(now, K::create_cache_key(params), device),
            None => {
                self.get_or_create_slow(K::create_cache_key(params), None, device, Some(Location::caller()))
            }
        }
    }

    /// [`get_or_create`](Self::get_or_create) for a caller that has the key.
    ///
    /// # Errors
    /// As [`get_or_create`](Self::get_or_create).
    ///
    /// # Panics
    /// As [`get_or_create`](Self::get_or_create).
    #[inline(always)]
    #[track_caller]
    pub fn get_or_create_by_key(
        &mut self,
        key: K::Key,
        device: Option<&D>,
    ) -> Result<&mut K::CachedResource, Error> {
        match self.keyed.fast_stamp() {
            Some(now) => self.get_or_create_at(now, key, device),
            None => self.get_or_create_slow(key, None, device, Some(Location::caller())),
        }
    }

    /// [`get_or_create_by_key`](Self::get_or_create_by_key) of a look-up that began at `now` and may take the fast path.
    #[inline(always)]
    #[track_caller]
    fn get_or_create_at(
        &mut self,
        now: u64,
        key: K::Key,
        device: Option<&D>,
    ) -> Result<&mut K::CachedResource, Error> {
        let key = Foreign::new(key);
        match self.find_now(hash_of(&*key), &key, device) {
            Found::Hit(id) => {
                // No panic is under way: it is not to be asked for at its end.
                drop(key.into_inner());
                Ok(self.keyed.hit(id, now))
            }
            Found::Nothing => {
                self.get_or_create_slow(key.into_inner(), Some(now), device, Some(Location::caller()))
            }
            Found::Slow => self.get_or_create_slow(key.into_inner(), None, device, Some(Location::caller())),
        }
    }

    /// [`get_or_create_by_key`](Self::get_or_create_by_key) where there is more to do than to find an entry. `missed_at` is when
    /// the look-up began, if it found nothing.
    #[cold]
    #[inline(never)]
    fn get_or_create_slow(
        &mut self,
        mut key: K::Key,
        missed_at: Option<u64>,
        device: Option<&D>,
        caller: Option<Caller>,
    ) -> Result<&mut K::CachedResource, Error> {
        // Again: to keep it would cost every hit a register.
        let hash = ask_of!(K::Key, key, hash_of);
        let by = Asker { outer: None, caller };
        let id = get_or_create(self, key, hash, missed_at, device, by)?;
        Ok(self.keyed.resource_mut(id))
    }

    /// Returns the resource with this key, if a look-up would find it: an entry that was idle for too long is hidden. Does not
    /// count as a hit, does not affect recency, and evicts nothing.
    pub fn peek(&self, key: &K::Key) -> Option<&K::CachedResource> {
        self.keyed.peek(key)
    }

    /// Removes the resource with this key and returns it, after idle entries have been evicted.
    pub fn remove(&mut self, key: &K::Key) -> Option<K::CachedResource> {
        self.keyed.remove(key)
    }

    /// Removes all entries and gives their memory back. Counters and policy stay.
    pub fn clear(&mut self) {
        self.keyed.clear();
    }

    /// Evicts the entries that were idle for longer than the policy allows. Every look-up and every removal of a key begins
    /// with this; call it for a cache that is no longer used and should still let go.
    pub fn expire_idle(&mut self) {
        self.keyed.expire_idle();
    }

    /// Begins the next generation of a cache that stands alone. A cache of a registry is told by
    /// [`CacheRegistry::next_generation`](super::CacheRegistry::next_generation).
    pub fn next_generation(&mut self) {
        self.keyed.next_generation();
    }

    /// The name of the cache in events and metrics.
    pub fn name(&self) -> &CacheName {
        self.keyed.name()
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.keyed.len()
    }

    /// Returns `true` if there are no entries.
    pub fn is_empty(&self) -> bool {
        self.keyed.is_empty()
    }

    /// The policy in force.
    pub fn eviction_policy(&self) -> EvictionPolicy {
        self.keyed.eviction_policy()
    }

    /// Changes the policy from the next operation on. Entries and counters stay, and so does what is known of the order in
    /// which entries were created and used. O(1), but O(n log n) if an order begins to matter that did not before, and O(n)
    /// if the order of use ceases to.
    pub fn set_eviction_policy(&mut self, policy: EvictionPolicy) {
        self.keyed.set_eviction_policy(policy);
    }

    /// The counters. O(1).
    pub fn counters(&self) -> CacheCounters {
        self.keyed.counters()
    }

    /// A snapshot of the counters and of the entries' ages. O(n): one look at each entry's history.
    pub fn metrics(&self) -> CacheMetrics {
        self.keyed.metrics()
    }

    /// The labels of all entries, and how often each was found.
    #[cfg(feature = "manifest")]
    pub(crate) fn entry_labels(&self) -> impl Iterator<Item = (Arc<str>, u64)> + '_ {
        self.keyed.entry_labels()
    }

    /// All entries, with their labels.
    pub(crate) fn labelled_entries(&self) -> impl Iterator<Item = (&K::Key, Arc<str>, &K::CachedResource)> {
        self.keyed.labelled_entries()
    }

    /// Panics if the structures of this cache disagree with each other. O(n), for tests.
    #[doc(hidden)]
    pub fn validate(&self) {
        self.keyed.validate();
    }

    pub(super) fn new(time: TimeSource, device: Option<Arc<D>>) -> Self {
        let name = CacheName::from_static(K::CACHE_NAME);
        let mut keyed = KeyedCache::new(name, CacheKind::Kernel, K::fmt_key, K::default_policy(), time);
        keyed.set_kernel(kernel_key::<K, K::Key>);
        Self { keyed, device: None, made_on: None }.with_shared_device(device)
    }

    pub(super) fn with_shared_device(mut self, device: Option<Arc<D>>) -> Self {
        self.made_on = device.as_deref().and_then(K::device_identity);
        self.device = device;
        self
    }

    pub(super) fn keyed(&self) -> &KeyedCache<K::Key, K::CachedResource> {
        &self.keyed
    }

    #[inline(always)]
    pub(super) fn keyed_mut(&mut self) -> &mut KeyedCache<K::Key, K::CachedResource> {
        &mut self.keyed
    }

    pub(super) fn set_sink(&mut self, sink: Option<SinkGuard>) {
        self.keyed.set_sink(sink);
    }

    /// Finds an entry where a look-up is nothing but a look-up, and returns the moment it began.
    #[inline(always)]
    pub(super) fn find_fast(&self, hash: u64, key: &K::Key, device: Option<&D>) -> (Found, u64) {
        match self.keyed.fast_stamp() {
            Some(now) => (self.find_now(hash, key, device), now),
            None => (Found::Slow, 0),
        }
    }

    /// [`find_fast`](Self::find_fast) of a look-up whose stamp was taken already.
    #[inline(always)]
    pub(super) fn find_at(&self, now: u64, hash: u64, key: &K::Key, device: Option<&D>) -> Found {
        if self.keyed.is_fast_at(now) { self.find_now(hash, key, device) } else { Found::Slow }
    }

    #[inline(always)]
    fn find_now(&self, hash: u64, key: &K::Key, device: Option<&D>) -> Found {
        if !self.is_made_on(device) {
            return Found::Slow;
        }
        self.keyed.find(hash, key).map_or(Found::Nothing, Found::Hit)
    }

    /// Returns `true` if the entries were made on this device, as far as the kernel tells devices apart.
    #[inline(always)]
    fn is_made_on(&self, device: Option<&D>) -> bool {
        device.and_then(K::device_identity).is_none_or(|identity| self.made_on == Some(identity))
    }
}

/// The outcome of a look-up on the fast path.
pub(super) enum Found {
    Hit(EntryId),
    Nothing,
    /// There may be more to do than looking up.
    Slow,
}

impl<K: CacheableKernel<D>, D> Default for KernelCache<K, D> {
    fn default() -> Self {
        Self::new(TimeSource::default(), None)
    }
}

impl<K: CacheableKernel<D>, D> fmt::Debug for KernelCache<K, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelCache")
            .field("name", self.name())
            .field("policy", &self.eviction_policy())
            .field("metrics", &self.metrics())
            .finish_non_exhaustive()
    }
}

impl<K: CacheableKernel<D>, D> Drop for KernelCache<K, D> {
    fn drop(&mut self) {
        // After the entries, of which one may panic. A field of this type would cost every miss a question.
        let device = Foreign::new(self.device.take());
        self.keyed.drop_entries();
        drop(device);
    }
}
