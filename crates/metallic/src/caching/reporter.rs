//! The events of one cache: built only for a sink that wants them, with each key formatted once.

use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;

use metallic_instrumentation::{
    CacheCleared, CacheEviction, CachePolicyChanged, CreationOutcome, EntryRemoved, Event, EventData,
    EventKind, RemovalCause, ResourceCacheAccess, ResourceCacheSummary, ResourceCreated, SinkGuard,
};

use super::clock::{TimeSource, saturating_ns};
use super::label::label;
use super::metrics::Counters;
use super::order::{EntryHistory, EntryId};
use super::policy::{EvictionPolicy, EvictionReason};
use crate::error::chain;

/// Operations of one cache from one summary to the next.
const SUMMARY_INTERVAL: u64 = 100;

/// Stands between a cache and its sink. Moments are stamps of the cache's time source.
pub(super) struct Reporter {
    sink: SinkGuard,
    cache: &'static str,
    time: TimeSource,
    /// The labels of the entries that were in an event, by id.
    labels: Vec<Option<Arc<str>>>,
}

/// How a creation went, and when.
#[derive(Clone, Copy)]
pub(super) struct Creation {
    /// When the look-up began that missed.
    pub(super) began: u64,
    pub(super) done: u64,
    /// Time spent in the kernel.
    pub(super) ticks: u64,
    pub(super) outcome: CreationOutcome,
}

impl Reporter {
    pub(super) fn new(sink: SinkGuard, cache: &'static str, time: TimeSource) -> Self {
        Self { sink, cache, time, labels: Vec::new() }
    }

    pub(super) fn set_time(&mut self, time: TimeSource) {
        self.time = time;
    }

    /// A look-up found its entry.
    pub(super) fn hit(&mut self, id: EntryId, key: &dyn Debug, bytes: u64, now: u64) {
        if self.wants(EventKind::ResourceCacheAccess) {
            let cache_key = self.label(Some(id), key);
            self.send(now, ResourceCacheAccess { cache_key, hit: true, bytes });
        }
    }

    /// A look-up found nothing, and the creation is over. `id` is that of the new entry, if there is one.
    pub(super) fn miss(
        &mut self,
        id: Option<EntryId>,
        key: &dyn Debug,
        bytes: u64,
        creation: Creation,
        error: Option<&dyn Error>,
    ) {
        if self.wants(EventKind::ResourceCreated) {
            // A creation has no way to ask for another.
            let duration_ns = self.time.ns_between(0, creation.ticks);
            let created = ResourceCreated {
                cache: self.cache.into(),
                cache_key: self.label(id, key),
                duration_ns,
                own_duration_ns: duration_ns,
                outcome: creation.outcome,
                error: error.map(chain),
                bytes,
            };
            self.send(creation.done, created);
        }
        if self.wants(EventKind::ResourceCacheAccess) {
            let cache_key = self.label(id, key);
            self.send(creation.began, ResourceCacheAccess { cache_key, hit: false, bytes });
        }
    }

    /// An operation is complete, and counted.
    pub(super) fn operation_complete(&self, counters: &Counters, size: usize, now: u64) {
        let Counters { hits, misses, .. } = *counters;
        let operations = hits + misses;
        if operations.is_multiple_of(SUMMARY_INTERVAL) && self.wants(EventKind::ResourceCacheSummary) {
            let hit_rate = hits as f64 / operations as f64 * 100.0;
            let cache = self.cache.into();
            self.send(now, ResourceCacheSummary { cache, hits, misses, hit_rate, size: size as u64 });
        }
    }

    /// An entry left.
    pub(super) fn departure(
        &mut self,
        id: EntryId,
        key: &dyn Debug,
        history: &EntryHistory,
        bytes: u64,
        cause: RemovalCause,
        now: u64,
    ) {
        if self.wants(EventKind::EntryRemoved) {
            let removed = EntryRemoved {
                cache: self.cache.into(),
                cache_key: self.label(Some(id), key),
                cause,
                age_ns: self.time.ns_between(history.created_at, now),
                idle_ns: self.time.ns_between(history.last_used, now),
                reuse_count: history.reuse_count,
                creation_ns: self.time.ns_between(0, history.creation_ticks as u64),
                bytes,
            };
            self.send(now, removed);
        }
        if let Some(label) = self.labels.get_mut(id.index()) {
            *label = None;
        }
    }

    /// The policy made entries leave.
    pub(super) fn eviction(
        &self,
        policy: &EvictionPolicy,
        count: u64,
        reason: EvictionReason,
        size: usize,
        now: u64,
    ) {
        if self.wants(EventKind::CacheEviction) {
            let eviction = CacheEviction {
                cache: self.cache.into(),
                strategy: policy.strategy().name().into(),
                count,
                reason: reason.to_string().into(),
                size_after: size as u64,
            };
            self.send(now, eviction);
        }
    }

    /// The caller made entries leave.
    pub(super) fn cleared(&self, count: u64, size: usize, now: u64) {
        if self.wants(EventKind::CacheCleared) {
            self.send(now, CacheCleared { cache: self.cache.into(), count, size_after: size as u64 });
        }
    }

    /// Another policy is in force.
    pub(super) fn policy_changed(&self, policy: &EvictionPolicy, now: u64) {
        if self.wants(EventKind::CachePolicyChanged) {
            let changed = CachePolicyChanged {
                cache: self.cache.into(),
                strategy: policy.strategy().name().into(),
                max_entries: policy.max_entries().map(|max| max as u64),
                max_idle_ns: policy.max_idle_duration().map(saturating_ns),
                max_idle_generations: None,
                min_entries: policy.min_entries() as u64,
            };
            self.send(now, changed);
        }
    }

    fn wants(&self, kind: EventKind) -> bool {
        self.sink.enabled(kind)
    }

    /// The label of a key: that of its entry, formatted at the first call, or a fresh one if it has no entry.
    fn label(&mut self, id: Option<EntryId>, key: &dyn Debug) -> Arc<str> {
        let Some(at) = id.map(EntryId::index) else { return label(self.cache, key) };
        if self.labels.len() <= at {
            self.labels.resize(at + 1, None);
        }
        self.labels[at].get_or_insert_with(|| label(self.cache, key)).clone()
    }

    fn send(&self, at: u64, data: impl Into<EventData>) {
        self.sink.record(Event::at(self.time.unix_ns(at), data));
    }
}
