//! The metrics of the caches of one name.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use metrics::{Counter, Gauge, Histogram, Unit};

use crate::event::CreationOutcome;

/// The registered handles of one cache.
pub(super) struct Handles {
    pub(super) hits: Counter,
    pub(super) misses: Counter,
    pub(super) removals: Counter,
    pub(super) entries: Gauge,
    /// By registry, the hits and misses of its latest summary.
    totals: Mutex<HashMap<Option<u32>, (u64, u64)>>,
    created: (Counter, Histogram),
    failed: (Counter, Histogram),
    panicked: (Counter, Histogram),
    /// By strategy and cause. A cache sees few of them, and an eviction is rare enough for a lock and a scan.
    evictions: Mutex<Vec<(String, &'static str, Counter)>>,
}

impl Handles {
    pub(super) fn describe() {
        use metrics::{describe_counter, describe_gauge, describe_histogram};
        describe_counter!("metallic_cache_hits_total", Unit::Count, "Look-ups answered from the cache");
        describe_counter!(
            "metallic_cache_misses_total",
            Unit::Count,
            "Look-ups that had to create the resource"
        );
        describe_counter!("metallic_cache_evictions_total", Unit::Count, "Entries that a policy evicted");
        describe_counter!(
            "metallic_cache_removals_total",
            Unit::Count,
            "Entries the caller removed or cleared"
        );
        describe_counter!("metallic_cache_creations_total", Unit::Count, "Creations that ended");
        describe_histogram!(
            "metallic_cache_creation_seconds",
            Unit::Seconds,
            "Time spent creating a resource, without the resources it asked for"
        );
        describe_gauge!("metallic_cache_entries", Unit::Count, "Entries in the caches of this name");
    }

    pub(super) fn register(cache: &str) -> Self {
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
            totals: Mutex::default(),
            created: of_outcome(CreationOutcome::Created),
            failed: of_outcome(CreationOutcome::Failed),
            panicked: of_outcome(CreationOutcome::Panicked),
            evictions: Mutex::default(),
        }
    }

    pub(super) fn of_outcome(&self, outcome: CreationOutcome) -> &(Counter, Histogram) {
        match outcome {
            CreationOutcome::Created => &self.created,
            CreationOutcome::Failed => &self.failed,
            CreationOutcome::Panicked => &self.panicked,
        }
    }

    /// Counts the look-ups since the registry's summary before this one.
    pub(super) fn count_summary(&self, registry: Option<u32>, hits: u64, misses: u64) {
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        let (hits_before, misses_before) = totals.insert(registry, (hits, misses)).unwrap_or_default();
        let since = hits.checked_sub(hits_before).zip(misses.checked_sub(misses_before));
        // A total that fell is that of a cache that was made anew.
        let (hits, misses) = since.unwrap_or((hits, misses));
        self.hits.increment(hits);
        self.misses.increment(misses);
    }

    pub(super) fn count_evictions(&self, cache: &str, strategy: &str, reason: &str, count: u64) {
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
        _ if reason.starts_with("idle_generations") => "idle_generations",
        _ => "other",
    }
}
