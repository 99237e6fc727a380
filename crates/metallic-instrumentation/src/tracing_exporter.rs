//! Events as `tracing` events.

use tracing::{Level, event, event_enabled};

use crate::event::{CreationOutcome, Event, EventData, EventKind};
use crate::sink::EventSink;

/// The target of every event of a [`TracingExporter`].
const TARGET: &str = "metallic::cache";

/// Passes events on as `tracing` events with the target `metallic::cache`.
///
/// | event | level |
/// |---|---|
/// | `ResourceCacheAccess`, `EntryRemoved` | trace |
/// | `ResourceCacheSummary`, `CacheEviction`, `CacheCleared`, `CachePolicyChanged`, `KvCacheResized`, `KvCacheTruncated` | debug |
/// | `ResourceCreated` | debug when created, warn when failed or panicked |
/// | `EventsDropped`, `KvCacheRefused` | warn |
///
/// The message is the name of the kind; the fields are those of the event, and `timestamp`. A kind whose level nobody
/// listens to is declined, so nothing is built for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingExporter;

impl TracingExporter {
    /// An exporter to whatever subscriber is in force on the thread of each event.
    pub fn new() -> Self {
        Self
    }
}

impl EventSink for TracingExporter {
    /// Asks `tracing`, for kinds of several levels with the most severe of them.
    fn enabled(&self, kind: EventKind) -> bool {
        match kind {
            EventKind::ResourceCacheAccess | EventKind::EntryRemoved => {
                event_enabled!(target: TARGET, Level::TRACE)
            }
            EventKind::ResourceCacheSummary
            | EventKind::CacheEviction
            | EventKind::CacheCleared
            | EventKind::CachePolicyChanged
            | EventKind::KvCacheResized
            | EventKind::KvCacheTruncated => event_enabled!(target: TARGET, Level::DEBUG),
            EventKind::ResourceCreated | EventKind::EventsDropped | EventKind::KvCacheRefused => {
                event_enabled!(target: TARGET, Level::WARN)
            }
        }
    }

    fn record(&self, event: &Event) {
        let timestamp = event.timestamp;
        match &event.data {
            EventData::ResourceCacheAccess(e) => event!(
                target: TARGET,
                Level::TRACE,
                timestamp,
                cache_key = &*e.cache_key,
                hit = e.hit,
                bytes = e.bytes,
                "ResourceCacheAccess"
            ),
            EventData::ResourceCacheSummary(e) => event!(
                target: TARGET,
                Level::DEBUG,
                timestamp,
                cache = &*e.cache,
                hits = e.hits,
                misses = e.misses,
                hit_rate = e.hit_rate,
                size = e.size,
                "ResourceCacheSummary"
            ),
            EventData::CacheEviction(e) => event!(
                target: TARGET,
                Level::DEBUG,
                timestamp,
                cache = &*e.cache,
                strategy = &*e.strategy,
                count = e.count,
                reason = &*e.reason,
                size_after = e.size_after,
                "CacheEviction"
            ),
            EventData::ResourceCreated(e) => {
                // The level is part of a call site, so two levels are two call sites.
                macro_rules! created {
                    ($level:expr) => {
                        event!(
                            target: TARGET,
                            $level,
                            timestamp,
                            cache = &*e.cache,
                            cache_key = &*e.cache_key,
                            duration_ns = e.duration_ns,
                            outcome = e.outcome.name(),
                            error = e.error.as_deref(),
                            bytes = e.bytes,
                            "ResourceCreated"
                        )
                    };
                }
                match e.outcome {
                    CreationOutcome::Created => created!(Level::DEBUG),
                    CreationOutcome::Failed | CreationOutcome::Panicked => created!(Level::WARN),
                }
            }
            EventData::EntryRemoved(e) => event!(
                target: TARGET,
                Level::TRACE,
                timestamp,
                cache = &*e.cache,
                cache_key = &*e.cache_key,
                cause = e.cause.name(),
                age_ns = e.age_ns,
                idle_ns = e.idle_ns,
                reuse_count = e.reuse_count,
                creation_ns = e.creation_ns,
                bytes = e.bytes,
                "EntryRemoved"
            ),
            EventData::CacheCleared(e) => event!(
                target: TARGET,
                Level::DEBUG,
                timestamp,
                cache = &*e.cache,
                count = e.count,
                size_after = e.size_after,
                "CacheCleared"
            ),
            EventData::CachePolicyChanged(e) => event!(
                target: TARGET,
                Level::DEBUG,
                timestamp,
                cache = &*e.cache,
                strategy = &*e.strategy,
                max_entries = e.max_entries,
                max_idle_ns = e.max_idle_ns,
                min_entries = e.min_entries,
                "CachePolicyChanged"
            ),
            EventData::EventsDropped(e) => {
                event!(target: TARGET, Level::WARN, timestamp, count = e.count, "EventsDropped")
            }
            EventData::KvCacheResized(e) => event!(
                target: TARGET,
                Level::DEBUG,
                timestamp,
                cache = &*e.cache,
                layers = e.layers,
                len = e.len,
                capacity = e.capacity,
                bytes = e.bytes,
                peak_bytes = e.peak_bytes,
                duration_ns = e.duration_ns,
                "KvCacheResized"
            ),
            EventData::KvCacheTruncated(e) => event!(
                target: TARGET,
                Level::DEBUG,
                timestamp,
                cache = &*e.cache,
                from = e.from,
                to = e.to,
                "KvCacheTruncated"
            ),
            EventData::KvCacheRefused(e) => event!(
                target: TARGET,
                Level::WARN,
                timestamp,
                cache = &*e.cache,
                positions = e.positions,
                capacity = e.capacity,
                needed_bytes = e.needed_bytes,
                limit_bytes = e.limit_bytes,
                error = &*e.error,
                "KvCacheRefused"
            ),
        }
    }
}
