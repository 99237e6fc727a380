//! The flow for one kernel: look up, and on a miss make room, create, insert.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use metallic_instrumentation::{CreationOutcome, EventSink, RemovalCause, SinkGuard};

use super::clock::{Clock, TimeSource};
use super::entries::{Entries, Entry};
use super::eviction::{EvictionReason, next_expired, next_victim, nothing_expires_before};
use super::kernel::CacheableKernel;
use super::label::label;
use super::metrics::{CacheEvent, CacheMetrics, Counters, LastEvent};
use super::order::{EntryId, EntryOrder};
use super::policy::EvictionPolicy;
use super::reporter::{Creation, Reporter};
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
    entries: Entries<K::Key, K::CachedResource>,
    order: EntryOrder,
    time: TimeSource,
    /// Before this stamp no entry can have been idle for too long.
    nothing_expires_before: u64,
    /// Before this stamp of the processor's counter a look-up has nothing to do but to look up: no entry may be idle, no sink
    /// wants to hear of it, and the counter is the cache's clock. One comparison instead of three, for whoever has none
    /// of them; a cache with a sink or a clock of its own is never quiet.
    quiet_until: u64,
    counters: Counters,
    reporter: Option<Box<Reporter>>,
    policy: EvictionPolicy,
    /// The policy's capacity, or `usize::MAX` if it sets none.
    capacity: usize,
    device: Option<Arc<D>>,
    failed_key: Option<K::Key>,
    /// The kernel that has this kernel's name. A cache with a name that is taken creates nothing.
    name_taken_by: Option<&'static str>,
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
    /// If the kernel does. Nothing was inserted then, the miss is counted, and the cache can be used as before.
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
        self.expire(now);
        let id = self.entries.find(Entries::<K::Key, K::CachedResource>::hash(key), key)?;
        self.detach(id, RemovalCause::Removed, now);
        self.count_removals(1, now);
        Some(self.entries.take(id).resource)
    }

    /// Removes all entries and gives their memory back. Counters and policy stay.
    pub fn clear(&mut self) {
        let now = self.time.stamp();
        let ids = self.order.by_creation();
        for id in &ids {
            self.detach(*id, RemovalCause::Cleared, now);
        }
        self.order.shrink_if_empty();
        self.watch();
        self.count_removals(ids.len() as u64, now);
        // Dropped when all is done: a resource's `Drop` may panic.
        drop(mem::take(&mut self.entries));
    }

    /// Makes the entries leave that were idle for longer than the policy allows. Every operation begins with this; call it
    /// for a cache that is no longer used and should still let go.
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
    /// which entries were created and used. O(1), but O(n log n) if use begins to matter that did not before, and O(n) if
    /// it ceases to.
    pub fn set_eviction_policy(&mut self, policy: EvictionPolicy) {
        self.policy = policy;
        self.capacity = policy.capacity().unwrap_or(usize::MAX);
        self.order.keep_recency(policy.needs_recency());
        self.order.keep_creation(policy.needs_creation());
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
        if let Some(reporter) = &mut self.reporter {
            reporter.set_time(time.clone());
        }
        self.time = time;
        self.watch();
        self
    }

    pub(super) fn set_sink(&mut self, sink: Option<SinkGuard>) {
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
        self.expire(now);
        let Some(id) = self.entries.find(hash, &key) else {
            return self.create(key, hash, now, device);
        };
        self.hit(id, now);
        if let Some(reporter) = &mut self.reporter {
            let Entry { key, resource } = self.entries.get(id);
            reporter.hit(id, key, K::resource_bytes(resource), now);
            reporter.operation_complete(&self.counters, self.order.len(), now);
        }
        Ok(self.entries.resource_mut(id))
    }

    /// The rest of a look-up that found its entry.
    #[inline(always)]
    fn hit(&mut self, id: EntryId, now: u64) -> &mut K::CachedResource {
        // Taken before anything is written: the compiler then still knows that `id` was just found.
        let resource = self.entries.resource_mut(id);
        self.order.touch(id, now);
        self.counters.hits += 1;
        resource
    }

    /// Finds out how long look-ups are nothing but look-ups. To be called after whatever may shorten that.
    fn watch(&mut self) {
        self.nothing_expires_before = nothing_expires_before(&self.policy, &self.order, &self.time);
        let quiet = self.reporter.is_none() && self.time.is_counter();
        self.quiet_until = if quiet { self.nothing_expires_before } else { 0 };
    }

    /// The rest of a look-up that found nothing.
    #[inline(never)]
    fn create(
        &mut self,
        key: K::Key,
        hash: u32,
        now: u64,
        device: Option<&D>,
    ) -> Result<&mut K::CachedResource, MetalError> {
        if let Some(first) = self.name_taken_by {
            let second = std::any::type_name::<K>();
            return Err(MetalError::DuplicateCacheName { name: K::CACHE_NAME, first, second });
        }
        self.make_room(now);
        self.counters.misses += 1;
        let device = device.or(self.device.as_deref());
        let begun = self.time.stamp();
        // Whatever the kernel was doing with state of its own, the cache has nothing half done while it is called.
        let made = catch_unwind(AssertUnwindSafe(|| K::create_cached_resource(&key, device)));
        let done = self.time.stamp();
        let ticks = done.saturating_sub(begun);
        self.counters.creation_ticks = self.counters.creation_ticks.saturating_add(ticks);
        let creation = |outcome| Creation { began: now, done, ticks, outcome };
        match made {
            Ok(Ok(resource)) => {
                self.counters.bytes = self.counters.bytes.saturating_add(K::resource_bytes(&resource));
                let id = self.order.insert(done, ticks, self.capacity);
                self.counters.note(LastEvent::Miss(id));
                if self.policy.max_idle_duration().is_some() {
                    self.watch();
                }
                if self.reporter.is_none() {
                    return Ok(self.entries.insert(id, hash, key, resource, self.capacity));
                }
                self.entries.insert(id, hash, key, resource, self.capacity);
                self.report_miss(Some(id), creation(CreationOutcome::Created), None);
                Ok(self.entries.resource_mut(id))
            }
            Ok(Err(error)) => {
                self.note_failure(key, creation(CreationOutcome::Failed), Some(&error));
                Err(error)
            }
            Err(panic) => {
                self.note_failure(key, creation(CreationOutcome::Panicked), None);
                resume_unwind(panic)
            }
        }
    }

    /// Evicts what the policy says must leave before there is room for one more.
    #[inline(always)]
    fn make_room(&mut self, now: u64) {
        let mut count = 0;
        while self.len() >= self.capacity
            && let Some(id) = next_victim(&self.policy, &self.order)
        {
            self.evict(id, RemovalCause::SizeLimit, now);
            count += 1;
            if self.policy.evicts_one_at_a_time() {
                break;
            }
        }
        if count > 0 && self.reporter.is_some() {
            self.report_eviction(count, EvictionReason::SizeLimit(self.capacity), now);
        }
    }

    /// Evicts the entries that were idle for too long.
    fn expire(&mut self, now: u64) {
        if now < self.nothing_expires_before {
            return;
        }
        let Some(max_idle) = self.policy.max_idle_duration() else { return };
        let mut count = 0;
        while let Some(id) = next_expired(&self.policy, &self.order, &self.time, now) {
            self.evict(id, RemovalCause::IdleTimeout, now);
            count += 1;
        }
        self.watch();
        if count > 0 {
            let reason = EvictionReason::IdleTimeout(max_idle);
            self.counters.note(LastEvent::Evicted { count, reason });
            self.report_eviction(count, reason, now);
        }
    }

    #[inline(always)]
    fn evict(&mut self, id: EntryId, cause: RemovalCause, now: u64) {
        self.detach(id, cause, now);
        self.counters.evictions += 1;
        // Dropped last, when the structures are whole again: a resource's `Drop` may panic.
        self.entries.vacate(id);
    }

    /// Takes an entry out of all structures but the array it stands in, after it was reported to leave.
    #[inline(always)]
    fn detach(&mut self, id: EntryId, cause: RemovalCause, now: u64) {
        if self.reporter.is_some() {
            self.report_departure(id, cause, now);
        }
        if self.order.reuse_count(id) > 0 {
            self.counters.departed_saved_ticks += self.order.history(id).saved_ticks();
        }
        let bytes = self.entries.try_get(id).map_or(0, |entry| K::resource_bytes(&entry.resource));
        self.counters.bytes = self.counters.bytes.saturating_sub(bytes);
        self.entries.unindex(id);
        self.order.remove(id);
    }

    #[cold]
    fn report_departure(&mut self, id: EntryId, cause: RemovalCause, now: u64) {
        let Some(reporter) = &mut self.reporter else { return };
        let Entry { key, resource } = self.entries.get(id);
        reporter.departure(id, key, &self.order.history(id), K::resource_bytes(resource), cause, now);
    }

    #[cold]
    fn report_eviction(&self, count: u64, reason: EvictionReason, now: u64) {
        if let Some(reporter) = &self.reporter {
            reporter.eviction(&self.policy, count, reason, self.len(), now);
        }
    }

    fn count_removals(&mut self, count: u64, now: u64) {
        self.counters.removals = self.counters.removals.saturating_add(count);
        self.counters.note(LastEvent::Cleared { count });
        if let Some(reporter) = &self.reporter {
            reporter.cleared(count, self.order.len(), now);
        }
    }

    #[cold]
    fn note_failure(&mut self, key: K::Key, creation: Creation, error: Option<&MetalError>) {
        self.counters.failed_creations += 1;
        self.counters.note(LastEvent::CreationFailed);
        self.failed_key = Some(key);
        self.report_miss(None, creation, error);
    }

    /// Reports the miss that made the entry `id`, or that failed with the key kept in `failed_key`.
    #[cold]
    fn report_miss(&mut self, id: Option<EntryId>, creation: Creation, error: Option<&MetalError>) {
        let Some(reporter) = &mut self.reporter else { return };
        let error = error.map(|error| error as &dyn std::error::Error);
        let made = id.map(|id| self.entries.get(id));
        if let Some(key) = made.map(|entry| &entry.key).or(self.failed_key.as_ref()) {
            let bytes = made.map_or(0, |entry| K::resource_bytes(&entry.resource));
            reporter.miss(id, key, bytes, creation, error);
        }
        reporter.operation_complete(&self.counters, self.order.len(), creation.began);
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
            order: EntryOrder::new(),
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
