//! The flow for one kernel: look up, and on a miss make room, create, insert.

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
    /// Until this stamp no entry is idle for too long. It spares all policies but those with an idle time, and those
    /// most of the time, any further look.
    nothing_expires_before: u64,
    counters: Counters,
    reporter: Option<Box<Reporter>>,
    policy: EvictionPolicy,
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
        self.with_time(TimeSource::Custom(Arc::new(clock)))
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
    #[inline]
    pub fn get_or_create(
        &mut self,
        params: &K::Params,
        device: Option<&D>,
    ) -> Result<&mut K::CachedResource, MetalError> {
        let key = K::create_cache_key(params);
        let now = self.time.stamp();
        let hash = Entries::<K::Key, K::CachedResource>::hash(&key);
        match self.lookup(&key, hash, now) {
            Some(id) => Ok(self.entries.resource_mut(id)),
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
        let entry = self.take(id, RemovalCause::Removed, now);
        self.count_removals(1, now);
        Some(entry.resource)
    }

    /// Removes all entries and gives their memory back. Counters and policy stay.
    pub fn clear(&mut self) {
        let now = self.time.stamp();
        let mut gone = Vec::with_capacity(self.len());
        while let Some(id) = self.order.oldest() {
            gone.push(self.take(id, RemovalCause::Cleared, now));
        }
        self.entries = Entries::default();
        self.order.shrink_if_empty();
        self.count_removals(gone.len() as u64, now);
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
        self.order.keep_recency(policy.needs_recency());
        self.nothing_expires_before = nothing_expires_before(&self.policy, &self.order, &self.time);
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
        self
    }

    pub(super) fn set_sink(&mut self, sink: Option<SinkGuard>) {
        self.reporter = sink.map(|sink| Box::new(Reporter::new(sink, K::CACHE_NAME, self.time.clone())));
    }

    /// Makes every creation fail, because the kernel `first` has this one's name.
    pub(super) fn refuse(&mut self, first: &'static str) {
        self.name_taken_by = Some(first);
    }

    pub(super) fn is_refused(&self) -> bool {
        self.name_taken_by.is_some()
    }

    /// The entry with this key, used and counted as a hit. A miss is counted by whoever goes on to create.
    #[inline]
    fn lookup(&mut self, key: &K::Key, hash: u64, now: u64) -> Option<EntryId> {
        if now > self.nothing_expires_before {
            self.expire(now);
        }
        let id = self.entries.find(hash, key)?;
        self.order.touch(id, now);
        self.counters.hits += 1;
        self.counters.last_event = LastEvent::Hit(id);
        if self.reporter.is_some() {
            self.report_hit(id, now);
        }
        Some(id)
    }

    /// The rest of a look-up that found nothing.
    #[inline(never)]
    fn create(
        &mut self,
        key: K::Key,
        hash: u64,
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
                let id = self.insert(hash, Entry { key, resource }, done, ticks);
                self.counters.last_event = LastEvent::Miss(id);
                if self.reporter.is_some() {
                    self.report_miss(Some(id), creation(CreationOutcome::Created), None);
                }
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
    fn make_room(&mut self, now: u64) {
        let mut count = 0;
        while let Some(id) = next_victim(&self.policy, &self.order) {
            // Dropped here, when the structures are whole again: a resource's `Drop` may panic.
            drop(self.evict(id, RemovalCause::SizeLimit, now));
            count += 1;
            if self.policy.evicts_one_at_a_time() {
                break;
            }
        }
        if let (1.., Some(capacity)) = (count, self.policy.capacity()) {
            self.note_eviction(count, EvictionReason::SizeLimit(capacity), now);
        }
    }

    /// Inserts an entry that is known to be absent, and for which there is room.
    fn insert(
        &mut self,
        hash: u64,
        entry: Entry<K::Key, K::CachedResource>,
        now: u64,
        creation_ticks: u64,
    ) -> EntryId {
        let limit = self.policy.capacity();
        self.counters.bytes = self.counters.bytes.saturating_add(K::resource_bytes(&entry.resource));
        let id = self.order.insert(now, creation_ticks, limit);
        self.entries.insert(id, hash, entry, limit);
        if self.policy.max_idle_duration().is_some() {
            self.nothing_expires_before = nothing_expires_before(&self.policy, &self.order, &self.time);
        }
        id
    }

    /// Evicts the entries that were idle for too long.
    #[cold]
    fn expire(&mut self, now: u64) {
        let Some(max_idle) = self.policy.max_idle_duration() else { return };
        let mut count = 0;
        while let Some(id) = next_expired(&self.policy, &self.order, &self.time, now) {
            drop(self.evict(id, RemovalCause::IdleTimeout, now));
            count += 1;
        }
        self.nothing_expires_before = nothing_expires_before(&self.policy, &self.order, &self.time);
        if count > 0 {
            self.note_eviction(count, EvictionReason::IdleTimeout(max_idle), now);
        }
    }

    fn evict(&mut self, id: EntryId, cause: RemovalCause, now: u64) -> Entry<K::Key, K::CachedResource> {
        let entry = self.take(id, cause, now);
        self.counters.evictions += 1;
        entry
    }

    /// Takes an entry out of all structures and reports that it left.
    fn take(&mut self, id: EntryId, cause: RemovalCause, now: u64) -> Entry<K::Key, K::CachedResource> {
        let entry = self.entries.remove(id);
        let history = self.order.remove(id);
        self.counters.departed_saved_ticks =
            self.counters.departed_saved_ticks.saturating_add(history.saved_ticks());
        self.counters.last_event = LastEvent::None;
        let bytes = K::resource_bytes(&entry.resource);
        self.counters.bytes = self.counters.bytes.saturating_sub(bytes);
        if let Some(reporter) = &mut self.reporter {
            reporter.departure(id, &entry.key, &history, bytes, cause, now);
        }
        entry
    }

    fn note_eviction(&mut self, count: u64, reason: EvictionReason, now: u64) {
        self.counters.last_event = LastEvent::Evicted { count, reason };
        if let Some(reporter) = &self.reporter {
            reporter.eviction(&self.policy, count, reason, self.order.len(), now);
        }
    }

    fn count_removals(&mut self, count: u64, now: u64) {
        self.counters.removals = self.counters.removals.saturating_add(count);
        self.counters.last_event = LastEvent::Cleared { count };
        if let Some(reporter) = &self.reporter {
            reporter.cleared(count, self.order.len(), now);
        }
    }

    #[cold]
    fn note_failure(&mut self, key: K::Key, creation: Creation, error: Option<&MetalError>) {
        self.counters.failed_creations += 1;
        self.counters.last_event = LastEvent::CreationFailed;
        self.failed_key = Some(key);
        self.report_miss(None, creation, error);
    }

    #[cold]
    fn report_hit(&mut self, id: EntryId, now: u64) {
        let Some(reporter) = &mut self.reporter else { return };
        let Entry { key, resource } = self.entries.get(id);
        reporter.hit(id, key, K::resource_bytes(resource), now);
        reporter.operation_complete(&self.counters, self.order.len(), now);
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
        let label_of = |id| label(K::CACHE_NAME, &self.entries.get(id).key);
        match self.counters.last_event {
            LastEvent::None => None,
            LastEvent::Hit(id) => Some(CacheEvent::Hit { cache_key: label_of(id) }),
            LastEvent::Miss(id) => Some(CacheEvent::Miss { cache_key: label_of(id) }),
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
        Self {
            entries: Entries::default(),
            order: EntryOrder::new(),
            time: TimeSource::default(),
            nothing_expires_before: u64::MAX,
            counters: Counters::default(),
            reporter: None,
            policy: EvictionPolicy::none(),
            device: None,
            failed_key: None,
            name_taken_by: None,
        }
    }
}
