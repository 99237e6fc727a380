//! Entries come and go: the part of a cache's flow that a hit does not touch.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use metallic_instrumentation::{CreationOutcome, RemovalCause};

use super::entries::Entry;
use super::kernel::CacheableKernel;
use super::kernel_cache::KernelCache;
use super::metrics::LastEvent;
use super::order::{EntryId, all_told};
use super::policy::EvictionReason;
use super::reporter::Creation;
use crate::error::MetalError;

impl<K: CacheableKernel<D>, D> KernelCache<K, D> {
    /// The rest of a look-up that found nothing.
    #[inline(never)]
    pub(super) fn create(
        &mut self,
        key: K::Key,
        hash: u32,
        now: u64,
        device: Option<&D>,
    ) -> Result<&mut K::CachedResource, MetalError> {
        self.create_with(key, hash, now, |key, own| K::create_cached_resource(key, device.or(own)))
    }

    /// [`create`](Self::create) by a function that is given the key and the cache's own device.
    #[inline(always)]
    pub(super) fn create_with(
        &mut self,
        key: K::Key,
        hash: u32,
        now: u64,
        make: impl FnOnce(&K::Key, Option<&D>) -> Result<K::CachedResource, MetalError>,
    ) -> Result<&mut K::CachedResource, MetalError> {
        if let Some(first) = self.name_taken_by {
            let second = std::any::type_name::<K>();
            return Err(MetalError::DuplicateCacheName { name: K::CACHE_NAME, first, second });
        }
        self.counters.misses += 1;
        self.make_room(now);
        let device = self.device.as_deref();
        let begun = self.time.stamp();
        // Whatever the kernel was doing with state of its own, the cache has nothing half done while it is called.
        let made = catch_unwind(AssertUnwindSafe(|| make(&key, device)));
        let done = self.time.stamp();
        let ticks = done.saturating_sub(begun);
        self.counters.creation_ticks = self.counters.creation_ticks.saturating_add(ticks);
        let creation = |outcome| Creation { began: now, done, ticks, outcome };
        match made {
            Ok(Ok(resource)) => Ok(self.insert(key, hash, resource, creation(CreationOutcome::Created))),
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
    pub(super) fn make_room(&mut self, now: u64) {
        let mut count = 0;
        while self.len() > self.policy.min_entries()
            && (self.len() >= self.capacity || self.order.is_mid_eviction())
        {
            let Some(id) = self.order.next_victim(&mut all_told) else { break };
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

    /// Inserts an entry that is known to be absent, and for which there is room.
    #[inline(always)]
    pub(super) fn insert(
        &mut self,
        key: K::Key,
        hash: u32,
        resource: K::CachedResource,
        creation: Creation,
    ) -> &mut K::CachedResource {
        self.counters.bytes += u128::from(K::resource_bytes(&resource));
        let id = self.order.insert(creation.done, creation.ticks, hash.into(), self.capacity);
        self.counters.note(LastEvent::Miss(id));
        if self.policy.max_idle_duration().is_some() {
            self.watch();
        }
        if self.reporter.is_none() {
            return self.entries.insert(id, hash, key, resource, self.capacity);
        }
        self.entries.insert(id, hash, key, resource, self.capacity);
        self.report_miss(Some(id), creation, None);
        self.entries.resource_mut(id)
    }

    /// Evicts the entries that were idle for too long.
    pub(super) fn expire(&mut self, now: u64) {
        if now < self.nothing_expires_before {
            return;
        }
        let Some(max_idle) = self.policy.max_idle_duration() else { return };
        let mut count = 0;
        while let Some(id) = self.order.next_expired(&self.policy, &self.time, now, &mut all_told) {
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
    pub(super) fn detach(&mut self, id: EntryId, cause: RemovalCause, now: u64) {
        if self.reporter.is_some() {
            self.report_departure(id, cause, now);
        }
        if self.order.reuse_count(id) > 0 {
            self.counters.departed_saved_ticks += self.order.history(id).saved_ticks();
        }
        let bytes = self.entries.try_get(id).map_or(0, |entry| K::resource_bytes(&entry.resource));
        self.counters.bytes = self.counters.bytes.saturating_sub(bytes.into());
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

    pub(super) fn count_removals(&mut self, count: u64, now: u64) {
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
}
