//! Events as counters, gauges and histograms of the `metrics` facade.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use crate::cache_names::CacheNames;
use crate::event::{CreationOutcome, Event, EventData, EventKind};
use crate::sink::EventSink;

mod artifact;
mod cache;
mod kv_cache;

use cache::Handles;
use kv_cache::KvCacheHandles;

/// Keeps metrics of every cache up to date in the recorder of the `metrics` facade.
///
/// | metric | labels besides `cache` | from |
/// |---|---|---|
/// | `metallic_cache_hits_total`, `metallic_cache_misses_total` | | each access (or each summary, see [`from_summaries`](Self::from_summaries)) |
/// | `metallic_cache_evictions_total` | `strategy`, `cause` (`size_limit`, `idle_timeout` or `other`) | `CacheEviction` |
/// | `metallic_cache_removals_total` | | `CacheCleared`: entries the caller removed, without evictions |
/// | `metallic_cache_creations_total` | `outcome` (`created`, `failed` or `panicked`) | `ResourceCreated` |
/// | `metallic_cache_creation_seconds` (histogram) | `outcome` | `ResourceCreated`: its own time, so that a sum counts nothing twice that was asked for through `Creation` |
/// | `metallic_cache_entries` (gauge) | | up with creations, down with evictions and removals |
/// | `metallic_kv_cache_bytes`, `metallic_kv_cache_capacity_positions` (gauges), `metallic_kv_cache_resizes_total` | | `KvCacheResized` |
/// | `metallic_kv_cache_rollbacks_total` | | `KvCacheTruncated` |
/// | `metallic_kv_cache_refusals_total` | | `KvCacheRefused` |
/// | `metallic_artifacts_found_total`, `metallic_artifact_found_bytes_total`, `metallic_artifact_load_seconds` (histogram) | `level` | `ArtifactFound` |
/// | `metallic_artifacts_missed_total` | `cause` | `ArtifactMissed` |
/// | `metallic_artifacts_written_total`, `metallic_artifact_written_bytes_total`, `metallic_artifact_write_seconds` (histogram) | | `ArtifactWritten` |
/// | `metallic_artifacts_not_written_total` | `level`, `cause` (`cache` is empty for writes in the background) | `ArtifactNotWritten` |
/// | `metallic_artifacts_rejected_total` | `level`, `cause` | `ArtifactRejected` |
/// | `metallic_artifacts_evicted_total`, `metallic_artifact_evicted_bytes_total` | (no `cache`) | `ArtifactEvicted` |
/// | `metallic_remote_failures_total` | `level`, `operation` (no `cache`) | `RemoteFailed` |
/// | `metallic_creation_violations_total` | `scope`, `mode`, `verdict` | `CreationViolation` |
/// | `metallic_incomplete_keys_total` | | `IncompleteKey` |
///
/// All registries that report here are counted together, cache by cache: every number is a sum of what events tell to
/// have changed. So `metallic_cache_entries` counts from the moment the exporter was attached, and entries that go with
/// their registry, without an event, stay counted unless the registry is cleared first. The hit ratio is a query:
/// `rate(hits) / (rate(hits) + rate(misses))`. A KV cache's gauges are those of its latest event, so each KV cache
/// needs another name.
///
/// Of an access, the cache is the longest name that other events gave and that its `cache_key` begins with, or else the
/// part before the first colon. Behind a [`Sampling`](crate::Sampling) sink accesses would be counted too low: use
/// [`from_summaries`](Self::from_summaries) there.
///
/// Install the recorder first: the handles of a cache are registered once, with the recorder in force at its first
/// event, and from then on a hit costs a look-up of the cache's name and an increment, and allocates nothing.
pub struct MetricsExporter {
    /// True if hits and misses are counted from accesses; from summaries otherwise.
    accesses: bool,
    caches: RwLock<Caches>,
    kv_caches: Mutex<HashMap<Box<str>, KvCacheHandles>>,
}

#[derive(Default)]
struct Caches {
    names: CacheNames,
    handles: HashMap<Box<str>, Handles>,
}

impl MetricsExporter {
    /// Creates an exporter that counts every access, exactly; describes the metrics to the recorder in force.
    pub fn new() -> Self {
        Self::counting(true)
    }

    /// Creates an exporter that declines accesses, so that a hit builds no event, and takes hits and misses from the
    /// summaries: they lag by up to 99 operations.
    ///
    /// Registries are told apart by the numbers in their events; those without a number count as one registry.
    pub fn from_summaries() -> Self {
        Self::counting(false)
    }

    fn counting(accesses: bool) -> Self {
        Handles::describe();
        KvCacheHandles::describe();
        artifact::describe();
        Self { accesses, caches: RwLock::default(), kv_caches: Mutex::default() }
    }

    /// Calls `update` with the handles of the cache that the label of a key is of.
    fn update_of_label(&self, label: &str, update: impl FnOnce(&Handles)) {
        let caches = self.caches.read().unwrap_or_else(PoisonError::into_inner);
        let (cache, _) = caches.names.split(label);
        if let Some(handles) = caches.handles.get(cache) {
            return update(handles);
        }
        drop(caches);
        self.update(cache, update);
    }

    /// Calls `update` with the handles of this cache, registered when it is the first time.
    fn update(&self, cache: &str, update: impl FnOnce(&Handles)) {
        let caches = self.caches.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(handles) = caches.handles.get(cache) {
            return update(handles);
        }
        drop(caches);
        let handles = Handles::register(cache);
        let mut caches = self.caches.write().unwrap_or_else(PoisonError::into_inner);
        caches.names.learn(cache);
        update(caches.handles.entry(cache.into()).or_insert(handles));
    }

    /// Does what [`update`](Self::update) does for a KV cache, whose events are too rare to be worth a lock for readers.
    fn update_kv_cache(&self, cache: &str, update: impl FnOnce(&KvCacheHandles)) {
        let mut caches = self.kv_caches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handles) = caches.get(cache) {
            return update(handles);
        }
        update(caches.entry(cache.into()).or_insert(KvCacheHandles::register(cache)));
    }
}

impl Default for MetricsExporter {
    fn default() -> Self {
        Self::new()
    }
}

impl EventSink for MetricsExporter {
    fn enabled(&self, kind: EventKind) -> bool {
        match kind {
            EventKind::ResourceCacheAccess => self.accesses,
            EventKind::ResourceCacheSummary => !self.accesses,
            EventKind::EntryRemoved
            | EventKind::CachePolicyChanged
            | EventKind::EventsDropped
            | EventKind::LogOpened
            | EventKind::RegistryOpened
            | EventKind::WarmUpFinished
            | EventKind::SpanEnded => false,
            _ => true,
        }
    }

    fn record(&self, event: &Event) {
        match &event.data {
            EventData::ResourceCacheAccess(access) if self.accesses => {
                self.update_of_label(&access.cache_key, |handles| {
                    if access.hit { &handles.hits } else { &handles.misses }.increment(1);
                });
            }
            EventData::ResourceCacheSummary(summary) if !self.accesses => {
                self.update(&summary.cache, |handles| {
                    handles.count_summary(event.registry, summary.hits, summary.misses);
                });
            }
            // Its name is known, and its series are there, before its first look-up.
            EventData::CacheOpened(opened) => self.update(&opened.cache, |_| {}),
            EventData::CacheEviction(eviction) => self.update(&eviction.cache, |handles| {
                handles.entries.decrement(eviction.count as f64);
                handles.count_evictions(
                    &eviction.cache,
                    &eviction.strategy,
                    &eviction.reason,
                    eviction.count,
                );
            }),
            EventData::CacheCleared(cleared) => self.update(&cleared.cache, |handles| {
                handles.entries.decrement(cleared.count as f64);
                handles.removals.increment(cleared.count);
            }),
            EventData::ResourceCreated(created) => self.update(&created.cache, |handles| {
                if created.outcome == CreationOutcome::Created {
                    handles.entries.increment(1.0);
                }
                let (creations, seconds) = handles.of_outcome(created.outcome);
                creations.increment(1);
                seconds.record(Duration::from_nanos(created.own_duration_ns).as_secs_f64());
            }),
            EventData::KvCacheResized(resized) => {
                self.update_kv_cache(&resized.cache, |handles| {
                    handles.resized(resized.bytes, resized.capacity)
                });
            }
            EventData::KvCacheTruncated(truncated) => {
                self.update_kv_cache(&truncated.cache, KvCacheHandles::rolled_back);
            }
            EventData::KvCacheRefused(refused) => {
                self.update_kv_cache(&refused.cache, KvCacheHandles::refused);
            }
            data => artifact::count(data),
        }
    }
}
