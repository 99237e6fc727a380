//! Events as counters, gauges and a histogram of the `metrics` facade.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Unit};

use crate::event::{CreationOutcome, Event, EventData, EventKind};
use crate::kv_cache_metrics::KvCacheHandles;
use crate::sink::EventSink;

/// Keeps metrics of every cache up to date in the recorder of the `metrics` facade.
///
/// | metric | labels beside `cache` | from |
/// |---|---|---|
/// | `metallic_cache_hits_total`, `metallic_cache_misses_total` | | each access (or each summary, see [`from_summaries`](Self::from_summaries)) |
/// | `metallic_cache_evictions_total` | `strategy`, `cause` (`size_limit`, `idle_timeout` or `other`) | `CacheEviction` |
/// | `metallic_cache_removals_total` | | `CacheCleared`: entries the caller removed, evictions not among them |
/// | `metallic_cache_creations_total` | `outcome` (`created`, `failed` or `panicked`) | `ResourceCreated` |
/// | `metallic_cache_creation_seconds` (histogram) | `outcome` | `ResourceCreated` |
/// | `metallic_cache_entries` (gauge) | | evictions, removals, creations; every summary sets it right |
/// | `metallic_cache_hit_ratio` (gauge, 0 to 1) | | `ResourceCacheSummary` |
/// | `metallic_kv_cache_bytes`, `metallic_kv_cache_capacity_positions` (gauges), `metallic_kv_cache_resizes_total` | | `KvCacheResized` |
/// | `metallic_kv_cache_rollbacks_total` | | `KvCacheTruncated` |
/// | `metallic_kv_cache_refusals_total` | | `KvCacheRefused` |
///
/// Each number has one source, so no event is counted twice whichever kinds arrive. Of an access, the cache is the part
/// of its `cache_key` before the first colon. Behind a [`Sampling`](crate::Sampling) sink accesses would be counted too
/// low: use [`from_summaries`](Self::from_summaries) there.
///
/// Install the recorder first: the handles of a cache are registered once, with the recorder in force at its first
/// event, and from then on a hit costs a look-up of the cache's name and an increment, and allocates nothing.
pub struct MetricsExporter {
    /// Whether hits and misses are counted from accesses; from summaries otherwise.
    accesses: bool,
    caches: RwLock<HashMap<Box<str>, Handles>>,
    kv_caches: Mutex<HashMap<Box<str>, KvCacheHandles>>,
}

impl MetricsExporter {
    /// An exporter that counts every access, exactly; describes the metrics to the recorder in force.
    pub fn new() -> Self {
        Self::counting(true)
    }

    /// An exporter that costs nothing on a hit: it declines accesses and takes hits and misses from the summaries.
    ///
    /// They lag by up to 99 operations then. Two registries that have caches of the same name would overwrite each
    /// other's numbers.
    pub fn from_summaries() -> Self {
        Self::counting(false)
    }

    fn counting(accesses: bool) -> Self {
        use metrics::{describe_counter, describe_gauge, describe_histogram};
        describe_counter!("metallic_cache_hits_total", Unit::Count, "Look-ups answered from the cache");
        describe_counter!(
            "metallic_cache_misses_total",
            Unit::Count,
            "Look-ups that had to create the resource"
        );
        describe_counter!("metallic_cache_evictions_total", Unit::Count, "Entries a policy made leave");
        describe_counter!(
            "metallic_cache_removals_total",
            Unit::Count,
            "Entries the caller removed or cleared"
        );
        describe_counter!("metallic_cache_creations_total", Unit::Count, "Creations that ended");
        describe_histogram!(
            "metallic_cache_creation_seconds",
            Unit::Seconds,
            "Time spent creating a resource"
        );
        describe_gauge!("metallic_cache_entries", Unit::Count, "Entries in the cache");
        describe_gauge!("metallic_cache_hit_ratio", "Hits among all look-ups, from 0 to 1");
        KvCacheHandles::describe();
        Self { accesses, caches: RwLock::default(), kv_caches: Mutex::default() }
    }

    /// Calls `update` with the handles of this cache, registered when it is the first time.
    fn update(&self, cache: &str, update: impl FnOnce(&Handles)) {
        if let Some(handles) = self.caches.read().unwrap_or_else(PoisonError::into_inner).get(cache) {
            return update(handles);
        }
        let handles = Handles::register(cache);
        let mut caches = self.caches.write().unwrap_or_else(PoisonError::into_inner);
        update(caches.entry(cache.into()).or_insert(handles));
    }

    /// As [`update`](Self::update), of a KV cache: its events are too rare to be worth a lock for readers.
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
            EventKind::ResourceCacheSummary
            | EventKind::CacheEviction
            | EventKind::CacheCleared
            | EventKind::ResourceCreated
            | EventKind::KvCacheResized
            | EventKind::KvCacheTruncated
            | EventKind::KvCacheRefused => true,
            _ => false,
        }
    }

    fn record(&self, event: &Event) {
        match &event.data {
            EventData::ResourceCacheAccess(access) if self.accesses => {
                let key = &*access.cache_key;
                let cache = key.split_once(':').map_or(key, |(cache, _)| cache);
                self.update(cache, |handles| {
                    if access.hit { &handles.hits } else { &handles.misses }.increment(1);
                });
            }
            EventData::ResourceCacheSummary(summary) => self.update(&summary.cache, |handles| {
                handles.entries.set(summary.size as f64);
                if summary.hit_rate.is_finite() {
                    handles.hit_ratio.set(summary.hit_rate / 100.0);
                }
                if !self.accesses {
                    handles.hits.absolute(summary.hits);
                    handles.misses.absolute(summary.misses);
                }
            }),
            EventData::CacheEviction(eviction) => self.update(&eviction.cache, |handles| {
                handles.entries.set(eviction.size_after as f64);
                handles.count_evictions(
                    &eviction.cache,
                    &eviction.strategy,
                    &eviction.reason,
                    eviction.count,
                );
            }),
            EventData::CacheCleared(cleared) => self.update(&cleared.cache, |handles| {
                handles.entries.set(cleared.size_after as f64);
                handles.removals.increment(cleared.count);
            }),
            EventData::ResourceCreated(created) => self.update(&created.cache, |handles| {
                if created.outcome == CreationOutcome::Created {
                    handles.entries.increment(1.0);
                }
                let (creations, seconds) = handles.of_outcome(created.outcome);
                creations.increment(1);
                seconds.record(Duration::from_nanos(created.duration_ns).as_secs_f64());
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
            _ => {}
        }
    }
}

/// The registered handles of one cache.
struct Handles {
    hits: Counter,
    misses: Counter,
    removals: Counter,
    entries: Gauge,
    hit_ratio: Gauge,
    created: (Counter, Histogram),
    failed: (Counter, Histogram),
    panicked: (Counter, Histogram),
    /// By strategy and cause. A cache sees few of them, and an eviction is rare enough for a lock and a scan.
    evictions: Mutex<Vec<(String, &'static str, Counter)>>,
}

impl Handles {
    fn register(cache: &str) -> Self {
        let cache: metrics::SharedString = cache.to_owned().into();
        let of_outcome = |outcome: CreationOutcome| {
            (
                metrics::counter!("metallic_cache_creations_total", "cache" => cache.clone(), "outcome" => outcome.name()),
                metrics::histogram!("metallic_cache_creation_seconds", "cache" => cache.clone(), "outcome" => outcome.name()),
            )
        };
        Self {
            hits: metrics::counter!("metallic_cache_hits_total", "cache" => cache.clone()),
            misses: metrics::counter!("metallic_cache_misses_total", "cache" => cache.clone()),
            removals: metrics::counter!("metallic_cache_removals_total", "cache" => cache.clone()),
            entries: metrics::gauge!("metallic_cache_entries", "cache" => cache.clone()),
            hit_ratio: metrics::gauge!("metallic_cache_hit_ratio", "cache" => cache.clone()),
            created: of_outcome(CreationOutcome::Created),
            failed: of_outcome(CreationOutcome::Failed),
            panicked: of_outcome(CreationOutcome::Panicked),
            evictions: Mutex::default(),
        }
    }

    fn of_outcome(&self, outcome: CreationOutcome) -> &(Counter, Histogram) {
        match outcome {
            CreationOutcome::Created => &self.created,
            CreationOutcome::Failed => &self.failed,
            CreationOutcome::Panicked => &self.panicked,
        }
    }

    fn count_evictions(&self, cache: &str, strategy: &str, reason: &str, count: u64) {
        let cause = cause(reason);
        let mut evictions = self.evictions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((.., counter)) = evictions.iter().find(|known| known.0 == strategy && known.1 == cause) {
            return counter.increment(count);
        }
        let counter = metrics::counter!(
            "metallic_cache_evictions_total",
            "cache" => cache.to_owned(), "strategy" => strategy.to_owned(), "cause" => cause
        );
        counter.increment(count);
        evictions.push((strategy.to_owned(), cause, counter));
    }
}

/// A reason without the number in it, which would make a new time series of every limit ever set.
fn cause(reason: &str) -> &'static str {
    match reason {
        _ if reason.starts_with("size_limit") => "size_limit",
        _ if reason.starts_with("idle_timeout") => "idle_timeout",
        _ => "other",
    }
}
