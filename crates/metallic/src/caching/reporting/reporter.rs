//! The events of one cache: built only for a sink that wants them, with each key formatted once.

use std::sync::Arc;

use metallic_instrumentation::{
    CacheCleared, CacheEviction, CacheKind, CacheName, CacheOpened, CachePolicyChanged, CreationOutcome,
    CreationViolation, EntryRemoved, Event, EventData, EventKind, ResourceCacheAccess, ResourceCacheSummary,
    ResourceCreated, SinkGuard,
};

use super::metrics::{CacheCounters, SUMMARY_INTERVAL};
use crate::caching::clock::{TimeSource, saturating_ns};
use crate::caching::order::{EntryHistory, EntryId, Renumbering};
use crate::caching::policy::{EvictionPolicy, EvictionReason};
use metallic_instrumentation::RemovalCause;

/// Tells a sink what one cache does. Moments and times are stamps and ticks of the cache's time source. The labels of keys
/// are asked for only if an event needs them.
pub(in crate::caching) struct Reporter {
    sink: SinkGuard,
    cache: CacheName,
    time: TimeSource,
}

/// How a creation went, and when.
#[derive(Clone, Copy)]
pub(in crate::caching) struct Ended {
    /// When the look-up began that missed.
    pub(in crate::caching) began: u64,
    pub(in crate::caching) done: u64,
    pub(in crate::caching) ticks: u64,
    pub(in crate::caching) own_ticks: u64,
    /// `true` if the resource is made of what was loaded, and not of what was compiled.
    pub(in crate::caching) loaded: bool,
    pub(in crate::caching) outcome: CreationOutcome,
    /// The bytes that the resource holds.
    pub(in crate::caching) bytes: u64,
}

impl Reporter {
    pub(in crate::caching) fn set_time(&mut self, time: TimeSource) {
        self.time = time;
    }

    pub(in crate::caching) fn new(sink: SinkGuard, cache: CacheName, time: TimeSource) -> Self {
        Self { sink, cache, time }
    }

    #[cfg(feature = "store")]
    pub(in crate::caching) fn sink(&self) -> &SinkGuard {
        &self.sink
    }

    /// Returns `true` if the sink wants to hear of hits, or of the totals that a hit may complete a hundred of.
    pub(in crate::caching) fn wants_hits(&self) -> bool {
        self.wants(EventKind::ResourceCacheAccess) || self.wants(EventKind::ResourceCacheSummary)
    }

    /// A cache came into being.
    pub(in crate::caching) fn opened(&self, kind: CacheKind, policy: &EvictionPolicy, now: u64) {
        if self.wants(EventKind::CacheOpened) {
            let opened = CacheOpened {
                cache: self.cache.clone(),
                kind,
                strategy: policy.strategy().name().into(),
                max_entries: policy.max_entries().map(|max| max as u64),
                max_idle_ns: policy.max_idle_duration().map(saturating_ns),
                max_idle_generations: policy.max_idle_generations().map(u64::from),
                min_entries: policy.min_entries() as u64,
            };
            self.send(now, opened);
        }
    }

    /// A look-up found its entry.
    pub(in crate::caching) fn hit(&self, label: impl FnOnce() -> Arc<str>, bytes: u64, now: u64) {
        if self.wants(EventKind::ResourceCacheAccess) {
            self.send(now, ResourceCacheAccess { cache_key: label(), hit: true, bytes });
        }
    }

    /// A look-up found nothing, and the creation is over.
    pub(in crate::caching) fn miss(
        &self,
        mut label: impl FnMut() -> Arc<str>,
        ended: Ended,
        error: Option<&str>,
    ) {
        let Ended { began, done, ticks, own_ticks, loaded, outcome, bytes } = ended;
        if self.wants(EventKind::ResourceCreated) {
            let created = ResourceCreated {
                cache: self.cache.clone(),
                cache_key: label(),
                duration_ns: self.time.ns_between(0, ticks),
                own_duration_ns: self.time.ns_between(0, own_ticks),
                loaded,
                outcome,
                error: error.map(str::to_owned),
                bytes,
            };
            self.send(done, created);
        }
        if self.wants(EventKind::ResourceCacheAccess) {
            self.send(began, ResourceCacheAccess { cache_key: label(), hit: false, bytes });
        }
    }

    /// An operation is complete, and counted.
    pub(in crate::caching) fn operation_complete(&self, totals: CacheCounters, now: u64) {
        if totals.hits.saturating_add(totals.misses).is_multiple_of(SUMMARY_INTERVAL) {
            self.summary(totals, now);
        }
    }

    /// Operations were counted, as many as it takes to sum them up.
    pub(in crate::caching) fn summary(&self, totals: CacheCounters, now: u64) {
        if self.wants(EventKind::ResourceCacheSummary) {
            let CacheCounters { hits, misses, size, .. } = totals;
            let operations = hits.saturating_add(misses);
            // In this order, so that a rate with few digits is one of few digits.
            let hit_rate = hits as f64 * 100.0 / operations as f64;
            let cache = self.cache.clone();
            self.send(now, ResourceCacheSummary { cache, hits, misses, hit_rate, size: size as u64 });
        }
    }

    /// A creation was one that an armed scope should not have seen.
    pub(in crate::caching) fn violated(&self, violation: CreationViolation, now: u64) {
        if self.wants(EventKind::CreationViolation) {
            self.send(now, violation);
        }
    }

    /// An entry was removed.
    pub(in crate::caching) fn removed(
        &self,
        label: impl FnOnce() -> Arc<str>,
        history: &EntryHistory,
        bytes: u64,
        cause: RemovalCause,
        now: u64,
    ) {
        if self.wants(EventKind::EntryRemoved) {
            let removed = EntryRemoved {
                cache: self.cache.clone(),
                cache_key: label(),
                cause,
                age_ns: self.time.ns_between(history.created_at, now),
                idle_ns: self.time.ns_between(history.last_used, now),
                reuse_count: history.reuse_count,
                creation_ns: self.time.ns_between(0, history.creation_ticks as u64),
                bytes,
            };
            self.send(now, removed);
        }
    }

    /// Returns `true` if removed entries are reported one by one.
    pub(in crate::caching) fn wants_removals(&self) -> bool {
        self.wants(EventKind::EntryRemoved)
    }

    /// The policy evicted entries.
    pub(in crate::caching) fn evicted(
        &self,
        policy: &EvictionPolicy,
        count: usize,
        reason: EvictionReason,
        size_after: usize,
        now: u64,
    ) {
        if self.wants(EventKind::CacheEviction) {
            let eviction = CacheEviction {
                cache: self.cache.clone(),
                strategy: policy.strategy().name().into(),
                count: count as u64,
                reason: reason.to_string().into(),
                size_after: size_after as u64,
            };
            self.send(now, eviction);
        }
    }

    /// The caller removed entries.
    pub(in crate::caching) fn cleared(&self, count: usize, size_after: usize, now: u64) {
        if self.wants(EventKind::CacheCleared) {
            let cleared = CacheCleared {
                cache: self.cache.clone(),
                count: count as u64,
                size_after: size_after as u64,
            };
            self.send(now, cleared);
        }
    }

    /// Another policy is in force.
    pub(in crate::caching) fn policy_changed(&self, policy: &EvictionPolicy, now: u64) {
        if self.wants(EventKind::CachePolicyChanged) {
            let changed = CachePolicyChanged {
                cache: self.cache.clone(),
                strategy: policy.strategy().name().into(),
                max_entries: policy.max_entries().map(|max| max as u64),
                max_idle_ns: policy.max_idle_duration().map(saturating_ns),
                max_idle_generations: policy.max_idle_generations().map(u64::from),
                min_entries: policy.min_entries() as u64,
            };
            self.send(now, changed);
        }
    }

    fn wants(&self, kind: EventKind) -> bool {
        self.sink.enabled(kind)
    }

    fn send(&self, at: u64, data: impl Into<EventData>) {
        self.sink.record(Event::at(self.time.unix_ns(at), data));
    }
}

/// The labels of the entries that were in an event, by id.
#[derive(Default)]
pub(in crate::caching) struct Labels(Vec<Option<Arc<str>>>);

impl Labels {
    /// The label of an entry, formatted by `format` at the first call.
    pub(in crate::caching) fn get(&mut self, id: EntryId, format: impl FnOnce() -> Arc<str>) -> Arc<str> {
        if self.0.len() <= id.index() {
            self.0.resize(id.index() + 1, None);
        }
        self.0[id.index()].get_or_insert_with(format).clone()
    }

    /// The label of an entry that was removed, if it was ever formatted.
    pub(in crate::caching) fn take(&mut self, id: EntryId) -> Option<Arc<str>> {
        self.0.get_mut(id.index())?.take()
    }

    /// Follows entries to their new ids, and gives back memory.
    pub(in crate::caching) fn renumber(&mut self, map: &Renumbering) {
        let mut old = std::mem::take(self);
        for (place, id) in map.moves() {
            if let Some(label) = old.take(place) {
                self.get(id, || label);
            }
        }
    }
}
