//! Events as `tracing` events.

use tracing::{Level, event, event_enabled};

use crate::event::{CreationOutcome, Event, EventData, EventKind, ViolationMode};
use crate::sink::EventSink;

/// The target of every event of a [`TracingExporter`].
const TARGET: &str = "metallic::cache";

/// Passes events on as `tracing` events with the target `metallic::cache`.
///
/// | event | level |
/// |---|---|
/// | `ResourceCacheAccess`, `EntryRemoved` | trace |
/// | `ResourceCreated` | debug when created, warn when failed or panicked |
/// | `CreationViolation` | debug when only counted, warn otherwise |
/// | `ArtifactNotWritten`, `ArtifactRejected`, `EventsDropped`, `IncompleteKey`, `KvCacheRefused`, `RemoteFailed` | warn |
/// | every other | debug |
///
/// The message is the name of the kind; the fields are those of the event, `timestamp` and `registry`. Lists are in their
/// debug form. A kind at whose level no subscriber listens is declined, so nothing is built for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingExporter;

impl TracingExporter {
    /// Creates an exporter to the subscriber in force on the thread of each event.
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
            EventKind::ResourceCreated
            | EventKind::CreationViolation
            | EventKind::ArtifactNotWritten
            | EventKind::ArtifactRejected
            | EventKind::EventsDropped
            | EventKind::IncompleteKey
            | EventKind::KvCacheRefused
            | EventKind::RemoteFailed => event_enabled!(target: TARGET, Level::WARN),
            _ => event_enabled!(target: TARGET, Level::DEBUG),
        }
    }

    fn record(&self, event: &Event) {
        let &Event { timestamp, registry, .. } = event;
        // The level and the fields are part of a call site, so every event, and every level of one, is a call site.
        macro_rules! emit {
            ($level:ident, $message:literal, $($field:ident = $value:expr),+ $(,)?) => {
                event!(target: TARGET, Level::$level, timestamp, registry, $($field = $value,)+ $message)
            };
        }
        match &event.data {
            EventData::ResourceCacheAccess(e) => {
                emit!(TRACE, "ResourceCacheAccess", cache_key = &*e.cache_key, hit = e.hit, bytes = e.bytes)
            }
            EventData::ResourceCacheSummary(e) => emit!(
                DEBUG,
                "ResourceCacheSummary",
                cache = &*e.cache,
                hits = e.hits,
                misses = e.misses,
                hit_rate = e.hit_rate,
                size = e.size
            ),
            EventData::CacheEviction(e) => emit!(
                DEBUG,
                "CacheEviction",
                cache = &*e.cache,
                strategy = &*e.strategy,
                count = e.count,
                reason = &*e.reason,
                size_after = e.size_after
            ),
            EventData::ResourceCreated(e) => {
                macro_rules! at {
                    ($level:ident) => {
                        emit!(
                            $level,
                            "ResourceCreated",
                            cache = &*e.cache,
                            cache_key = &*e.cache_key,
                            duration_ns = e.duration_ns,
                            own_duration_ns = e.own_duration_ns,
                            loaded = e.loaded,
                            outcome = e.outcome.name(),
                            error = e.error.as_deref(),
                            bytes = e.bytes
                        )
                    };
                }
                if e.outcome == CreationOutcome::Created { at!(DEBUG) } else { at!(WARN) }
            }
            EventData::EntryRemoved(e) => emit!(
                TRACE,
                "EntryRemoved",
                cache = &*e.cache,
                cache_key = &*e.cache_key,
                cause = e.cause.name(),
                age_ns = e.age_ns,
                idle_ns = e.idle_ns,
                reuse_count = e.reuse_count,
                creation_ns = e.creation_ns,
                bytes = e.bytes
            ),
            EventData::CacheCleared(e) => {
                emit!(DEBUG, "CacheCleared", cache = &*e.cache, count = e.count, size_after = e.size_after)
            }
            EventData::CachePolicyChanged(e) => emit!(
                DEBUG,
                "CachePolicyChanged",
                cache = &*e.cache,
                strategy = &*e.strategy,
                max_entries = e.max_entries,
                max_idle_ns = e.max_idle_ns,
                max_idle_generations = e.max_idle_generations,
                min_entries = e.min_entries
            ),
            EventData::SpanEnded(e) => emit!(
                DEBUG,
                "SpanEnded",
                name = &*e.name,
                label = e.label.as_deref(),
                thread = e.thread.as_deref(),
                duration_ns = e.duration_ns
            ),
            EventData::EventsDropped(e) => emit!(WARN, "EventsDropped", count = e.count),
            EventData::KvCacheResized(e) => emit!(
                DEBUG,
                "KvCacheResized",
                cache = &*e.cache,
                layers = e.layers,
                len = e.len,
                capacity = e.capacity,
                bytes = e.bytes,
                peak_bytes = e.peak_bytes,
                duration_ns = e.duration_ns
            ),
            EventData::KvCacheTruncated(e) => {
                emit!(DEBUG, "KvCacheTruncated", cache = &*e.cache, from = e.from, to = e.to)
            }
            EventData::KvCacheRefused(e) => emit!(
                WARN,
                "KvCacheRefused",
                cache = &*e.cache,
                positions = e.positions,
                capacity = e.capacity,
                needed_bytes = e.needed_bytes,
                limit_bytes = e.limit_bytes,
                error = &*e.error
            ),
            EventData::LogOpened(e) => emit!(
                DEBUG,
                "LogOpened",
                program = &*e.program,
                version = e.version.as_deref(),
                library = &*e.library,
                process_id = e.process_id,
                opened_unix_ns = e.opened_unix_ns,
                rotations = e.rotations,
                devices = tracing::field::debug(&e.devices)
            ),
            EventData::RegistryOpened(e) => emit!(
                DEBUG,
                "RegistryOpened",
                name = e.name.as_deref(),
                device = e.device.as_deref(),
                shared = e.shared
            ),
            EventData::CacheOpened(e) => emit!(
                DEBUG,
                "CacheOpened",
                cache = &*e.cache,
                kind = e.kind.name(),
                strategy = &*e.strategy,
                max_entries = e.max_entries,
                max_idle_ns = e.max_idle_ns,
                max_idle_generations = e.max_idle_generations,
                min_entries = e.min_entries
            ),
            EventData::ArtifactFound(e) => emit!(
                DEBUG,
                "ArtifactFound",
                cache = &*e.cache,
                cache_key = &*e.cache_key,
                level = &*e.level,
                bytes = e.bytes,
                duration_ns = e.duration_ns
            ),
            EventData::ArtifactMissed(e) => emit!(
                DEBUG,
                "ArtifactMissed",
                cache = &*e.cache,
                cache_key = &*e.cache_key,
                cause = &*e.cause
            ),
            EventData::ArtifactWritten(e) => emit!(
                DEBUG,
                "ArtifactWritten",
                cache = &*e.cache,
                cache_key = &*e.cache_key,
                bytes = e.bytes,
                duration_ns = e.duration_ns
            ),
            EventData::ArtifactNotWritten(e) => emit!(
                WARN,
                "ArtifactNotWritten",
                cache = e.cache.as_deref(),
                cache_key = e.cache_key.as_deref(),
                level = &*e.level,
                cause = &*e.cause
            ),
            EventData::IncompleteKey(e) => emit!(
                WARN,
                "IncompleteKey",
                cache = &*e.cache,
                cache_key = &*e.cache_key,
                differing_parts = tracing::field::debug(&e.differing_parts)
            ),
            EventData::ArtifactRejected(e) => emit!(
                WARN,
                "ArtifactRejected",
                cache = &*e.cache,
                cache_key = &*e.cache_key,
                level = &*e.level,
                cause = &*e.cause
            ),
            EventData::ArtifactEvicted(e) => {
                emit!(DEBUG, "ArtifactEvicted", count = e.count, bytes = e.bytes)
            }
            EventData::RemoteFailed(e) => {
                emit!(WARN, "RemoteFailed", level = &*e.level, operation = &*e.operation, error = &*e.error)
            }
            EventData::CreationViolation(e) => {
                macro_rules! at {
                    ($level:ident) => {
                        emit!(
                            $level,
                            "CreationViolation",
                            cache = &*e.cache,
                            cache_key = &*e.cache_key,
                            scope = &*e.scope,
                            mode = e.mode.name(),
                            verdict = e.verdict.name(),
                            evicted_by = e.evicted_by.as_deref(),
                            nearest_key = e.nearest_key.as_deref(),
                            differing_fields = tracing::field::debug(&e.differing_fields),
                            caller = e.caller.as_deref(),
                            loaded = e.loaded,
                            duration_ns = e.duration_ns
                        )
                    };
                }
                if e.mode == ViolationMode::Count { at!(DEBUG) } else { at!(WARN) }
            }
            EventData::WarmUpFinished(e) => emit!(
                DEBUG,
                "WarmUpFinished",
                created = e.created,
                loaded = e.loaded,
                present = e.present,
                failed = e.failed,
                skipped = e.skipped,
                left_out = e.left_out,
                duration_ns = e.duration_ns
            ),
        }
    }
}
