//! The flow for one kernel: look up, and on a miss make room, create, insert.

use std::fmt;
use std::sync::Arc;

use metallic_instrumentation::{EventSink, RemovalCause, SinkGuard};

use super::clock::{Clock, TimeSource};
use super::entries::{Entries, Entry};
use super::kernel::CacheableKernel;
use super::label::label;
use super::metrics::{CacheEvent, CacheMetrics, Counters, LastEvent};
use super::order::{EntryId, Order, all_told};
use super::policy::EvictionPolicy;
use super::reporter::Reporter;
use crate::device::Device;
use crate::error::MetalError;

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
    pub(super) entries: Entries<K::Key, K::CachedResource>,
    pub(super) order: Order,
    pub(super) time: TimeSource,
    /// Before this stamp no entry can have been idle for too long.
    pub(super) nothing_expires_before: u64,
    /// Before this stamp of the processor's counter a look-up has nothing to do but to look up: no entry may be idle, no sink
    /// wants to hear of it, and the counter is the cache's clock. One comparison instead of three, for whoever has none
    /// of them; a cache with a sink or a clock of its own is never quiet.
    pub(super) quiet_until: u64,
    pub(super) counters: Counters,
    pub(super) reporter: Option<Box<Reporter>>,
    pub(super) policy: EvictionPolicy,
    /// The policy's capacity, or `usize::MAX` if it sets none.
    pub(super) capacity: usize,
    pub(super) device: Option<Arc<D>>,
    pub(super) failed_key: Option<K::Key>,
    /// The kernel that has this kernel's name. A cache with a name that is taken creates nothing.
    pub(super) name_taken_by: Option<&'static str>,
}

impl<K: CacheableKernel<D>, D> KernelCache<K, D> {
    /// Has resources made on `device` when a caller names none.
    pub fn with_device(self, device: D) -> Self {
        Self { device: Some(Arc::new(device)), ..self }
    }

    /// Takes the time from `clock`. To be called before the first use: stamps of two clocks do not compare.
    pub fn with_clock(self, clock: impl Clock + 'static) -> Self {
        self.with_time(TimeSource::Clock(Arc::new(clock)))
    }

    /// Sends events to `sink`.
    pub fn with_sink(mut self, sink: Arc<dyn EventSink>) -> Self {
        self.set_sink(Some(SinkGuard::new(sink)));
        self
    }

    /// The resource for these parameters: from the cache, or else made and inserted. `device` is what it is made on;
    /// `None` means the cache's own device.
    ///
    /// # Errors
    /// The kernel's, if the creation failed. Then nothing was inserted, the miss is counted, and entries that made room
    /// stay gone. [`MetalError::DuplicateCacheName`] if another kernel of the registry has the name; then nothing
    /// happened at all.
    ///
    /// # Panics
    /// If the kernel does: nothing was inserted then, and the miss is counted. If the `Drop` of a resource does that makes
    /// room: it has left, nothing was created, and the miss is counted. If a key's `Debug` does, which is called only for a
    /// sink that wants the key: the entry may be there or not. In each case the cache can be used as before.
    #[inline(always)]
    pub fn get_or_create(
        &mut self,
        params: &K::Params,
        device: Option<&D>,
    ) -> Result<&mut K::CachedResource, MetalError> {
        let key = K::create_cache_key(params);
        let hash = Entries::<K::Key, K::CachedResource>::hash(&key);
        let now = TimeSource::counter_stamp();
        if now >= self.quiet_until {
            return self.get_or_create_attentively(key, hash, device);
        }
        match self.entries.find(hash, &key) {
            Some(id) => Ok(self.hit(id, now)),
            None => self.create(key, hash, now, device),
        }
    }

    /// The resource with this key, if it is there. This is no operation of the cache: it counts nothing, makes nothing
    /// leave, and is no use of the entry.
    pub fn peek(&self, key: &K::Key) -> Option<&K::CachedResource> {
        let id = self.entries.find(Entries::<K::Key, K::CachedResource>::hash(key), key)?;
        Some(&self.entries.get(id).resource)
    }

    /// Takes the resource with this key out, after idle entries have left.
    pub fn remove(&mut self, key: &K::Key) -> Option<K::CachedResource> {
        let now = self.time.stamp();
        let id = self.lookup(key, Entries::<K::Key, K::CachedResource>::hash(key), now)?;
        self.detach(id, RemovalCause::Removed, now);
        self.count_removals(1, now);
        Some(self.entries.take(id).resource)
    }

    /// Removes all entries and gives their memory back. Counters and policy stay.
    pub fn clear(&mut self) {
        let now = self.time.stamp();
        let ids = self.order.by_creation();
        // Dropped when all is done: a resource's `Drop` may panic. Taken out one by one: a key's `Debug` may, too.
        let mut removed = Vec::with_capacity(ids.len());
        for id in ids {
            self.detach(id, RemovalCause::Cleared, now);
            removed.push(self.entries.take(id));
        }
        self.entries = Entries::default();
        self.order.clear();
        self.watch();
        self.count_removals(removed.len() as u64, now);
    }

    /// Makes the entries leave that were idle for longer than the policy allows. Every look-up and every removal of a key
    /// begins with this; call it for a cache that is no longer used and should still let go.
    pub fn expire_idle(&mut self) {
        self.expire(self.time.stamp());
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The policy in force.
    pub fn eviction_policy(&self) -> EvictionPolicy {
        self.policy
    }

    /// Changes the policy from the next operation on. Entries and counters stay, and so does what is known of the order in
    /// which entries were created and used. O(1), but O(n log n) if an order begins to matter that did not before, and O(n)
    /// if the order of use ceases to.
    pub fn set_eviction_policy(&mut self, policy: EvictionPolicy) {
        self.policy = policy;
        self.capacity = policy.capacity().unwrap_or(usize::MAX);
        self.order.set_policy(&policy);
        self.watch();
        if let Some(reporter) = &self.reporter {
            reporter.policy_changed(&policy, self.time.stamp());
        }
    }

    /// A snapshot of the counters and of the entries' ages. O(n): one look at each entry's history.
    pub fn metrics(&self) -> CacheMetrics {
        CacheMetrics { last_event: self.last_event(), ..self.counters.snapshot(&self.order, &self.time) }
    }

    /// Panics if the structures of this cache disagree with each other. O(n), for tests.
    #[doc(hidden)]
    pub fn validate(&self) {
        self.order.validate();
        self.entries.validate(self.len());
    }

    pub(super) fn with_shared_device(self, device: Option<Arc<D>>) -> Self {
        Self { device, ..self }
    }

    pub(super) fn with_time(mut self, time: TimeSource) -> Self {
        self.set_time(time);
        self
    }

    pub(super) fn set_time(&mut self, time: TimeSource) {
        if let Some(reporter) = &mut self.reporter {
            reporter.set_time(time.clone());
        }
        self.time = time;
        self.watch();
    }

    pub(super) fn set_sink(&mut self, sink: Option<SinkGuard>) {
        // A refused cache is silent: its events would pass for those of the cache that has the name.
        let sink = sink.filter(|_| !self.is_refused());
        self.reporter = sink.map(|sink| Box::new(Reporter::new(sink, K::CACHE_NAME, self.time.clone())));
        self.watch();
    }

    /// Makes every creation fail, because the kernel `first` has this one's name.
    pub(super) fn refuse(&mut self, first: &'static str) {
        self.name_taken_by = Some(first);
    }

    pub(super) fn is_refused(&self) -> bool {
        self.name_taken_by.is_some()
    }

    /// [`get_or_create`](Self::get_or_create) where there is more to it than a look-up.
    #[cold]
    #[inline(never)]
    fn get_or_create_attentively(
        &mut self,
        key: K::Key,
        hash: u32,
        device: Option<&D>,
    ) -> Result<&mut K::CachedResource, MetalError> {
        let now = self.time.stamp();
        match self.lookup(&key, hash, now) {
            Some(id) => {
                self.hit(id, now);
                self.report_hit(id, now);
                Ok(self.entries.resource_mut(id))
            }
            None => self.create(key, hash, now, device),
        }
    }

    /// Tells the sink, if there is one, of a hit that was counted.
    #[inline]
    pub(super) fn report_hit(&mut self, id: EntryId, now: u64) {
        if let Some(reporter) = &mut self.reporter {
            let Entry { key, resource } = self.entries.get(id);
            reporter.hit(id, key, K::resource_bytes(resource), now);
            reporter.operation_complete(&self.counters, self.order.len(), now);
        }
    }

    /// The entry with this key, after idle entries have left.
    pub(super) fn lookup(&mut self, key: &K::Key, hash: u32, now: u64) -> Option<EntryId> {
        self.expire(now);
        self.entries.find(hash, key)
    }

    /// The rest of a look-up that found its entry.
    #[inline(always)]
    pub(super) fn hit(&mut self, id: EntryId, now: u64) -> &mut K::CachedResource {
        // Taken before anything is written: the compiler then still knows that `id` was just found.
        let resource = self.entries.resource_mut(id);
        self.order.touch(id, now);
        self.counters.hits += 1;
        resource
    }

    /// Finds out how long look-ups are nothing but look-ups. To be called after whatever may shorten that.
    pub(super) fn watch(&mut self) {
        self.nothing_expires_before =
            self.order.nothing_expires_before(&self.policy, &self.time, &mut all_told);
        let quiet = self.reporter.is_none() && self.time.is_counter();
        self.quiet_until = if quiet { self.nothing_expires_before } else { 0 };
    }

    fn last_event(&self) -> Option<CacheEvent> {
        let label_of = |id| self.entries.try_get(id).map(|entry| label(K::CACHE_NAME, &entry.key));
        let Some(event) = self.counters.last_event() else {
            let cache_key = self.order.most_recent().and_then(label_of)?;
            return Some(CacheEvent::Hit { cache_key });
        };
        match event {
            LastEvent::None => None,
            LastEvent::Miss(id) => label_of(id).map(|cache_key| CacheEvent::Miss { cache_key }),
            LastEvent::CreationFailed => self
                .failed_key
                .as_ref()
                .map(|key| CacheEvent::CreationFailed { cache_key: label(K::CACHE_NAME, key) }),
            LastEvent::Evicted { count, reason } => Some(CacheEvent::Evicted { count, reason }),
            LastEvent::Cleared { count } => Some(CacheEvent::Cleared { count }),
        }
    }
}

impl<K: CacheableKernel<D>, D> Default for KernelCache<K, D> {
    fn default() -> Self {
        let mut cache = Self {
            entries: Entries::default(),
            order: Order::new(),
            time: TimeSource::default(),
            nothing_expires_before: 0,
            quiet_until: 0,
            counters: Counters::default(),
            reporter: None,
            policy: EvictionPolicy::none(),
            capacity: usize::MAX,
            device: None,
            failed_key: None,
            name_taken_by: None,
        };
        cache.watch();
        cache
    }
}

impl<K: CacheableKernel<D>, D> fmt::Debug for KernelCache<K, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelCache")
            .field("name", &K::CACHE_NAME)
            .field("policy", &self.policy)
            .field("metrics", &self.metrics())
            .finish_non_exhaustive()
    }
}
