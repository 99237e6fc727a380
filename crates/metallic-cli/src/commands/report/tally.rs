//! The figures of one cache that are kept while its events are read.

use std::collections::BTreeMap;

use metallic_instrumentation::{CacheEviction, EntryRemoved, RemovalCause, ResourceCacheSummary};

use super::buckets::{Buckets, Merge};
use super::durations::{Durations, IdleAges};

/// The number of reasons that are told apart; the rest are counted as [`OTHER_REASONS`].
const REASONS: usize = 16;
/// The reason under which further ones are counted.
pub(super) const OTHER_REASONS: &str = "other reasons";
/// The first buckets are 1.05 ms wide.
const FIRST_SHIFT: u32 = 20;

/// The figures of one cache in one span of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    /// By the accesses in the log.
    pub(super) accesses: Lookups,
    /// By the differences between summaries.
    pub(super) summaries: Lookups,
    pub(super) created: u64,
    pub(super) creation_ns: u64,
    pub(super) evicted: u64,
    /// Entries after the last event that says.
    pub(super) entries: Option<u64>,
}

impl Merge for Bucket {
    fn merge(&mut self, later: Self) {
        self.accesses.add(later.accesses);
        self.summaries.add(later.summaries);
        self.created += later.created;
        self.creation_ns = self.creation_ns.saturating_add(later.creation_ns);
        self.evicted = self.evicted.saturating_add(later.evicted);
        self.entries = later.entries.or(self.entries);
    }
}

/// Hits and misses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lookups {
    pub(super) hits: u64,
    pub(super) misses: u64,
}

impl Lookups {
    pub(super) fn add(&mut self, other: Self) {
        self.hits = self.hits.saturating_add(other.hits);
        self.misses = self.misses.saturating_add(other.misses);
    }

    pub(super) fn count(self) -> u64 {
        self.hits.saturating_add(self.misses)
    }
}

/// Creations and what they took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Creations {
    pub(super) count: u64,
    pub(super) ns: u64,
}

impl Creations {
    pub(super) fn add(&mut self, ns: u64) {
        self.count += 1;
        self.ns = self.ns.saturating_add(ns);
    }
}

/// The figures of one cache.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub(super) name: Box<str>,
    /// By the accesses in the log.
    pub(super) accesses: Lookups,
    /// By the differences between summaries.
    pub(super) summaries: Lookups,
    last_summary: Option<Lookups>,
    /// Times a summary counted less than the one before it.
    pub(super) restarts: u64,
    /// Creations, failed ones among them.
    pub(super) creations: Durations,
    pub(super) failed: u64,
    /// Creations of entries that a policy had evicted.
    pub(super) rebuilt: Creations,
    /// Creations of what, as far as the log says, was there.
    pub(super) unexplained: Creations,
    pub(super) saved_ns: u64,
    /// Hits on entries whose creation is not in the log.
    pub(super) unpriced_hits: u64,
    /// Evicted entries by the reason the policy gave.
    pub(super) reasons: BTreeMap<Box<str>, u64>,
    /// Entries that left, one by one, by cause.
    pub(super) departures: BTreeMap<&'static str, u64>,
    /// Entries that the caller removed.
    pub(super) cleared: u64,
    pub(super) policy: Option<Box<str>>,
    pub(super) entries: Option<u64>,
    pub(super) peak_entries: u64,
    /// The idle times of entries when a policy evicted them.
    pub(super) idle_at_eviction: IdleAges,
    /// The idle times of entries when they were hit.
    pub(super) idle_at_hit: IdleAges,
    pub(super) buckets: Buckets<Bucket>,
}

impl Tally {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            accesses: Lookups::default(),
            summaries: Lookups::default(),
            last_summary: None,
            restarts: 0,
            creations: Durations::default(),
            failed: 0,
            rebuilt: Creations::default(),
            unexplained: Creations::default(),
            saved_ns: 0,
            unpriced_hits: 0,
            reasons: BTreeMap::new(),
            departures: BTreeMap::new(),
            cleared: 0,
            policy: None,
            entries: None,
            peak_entries: 0,
            idle_at_eviction: IdleAges::default(),
            idle_at_hit: IdleAges::default(),
            buckets: Buckets::new(FIRST_SHIFT),
        }
    }

    /// Returns `true` if the log has fewer accesses than the summaries count: it was sampled or filtered, or has gaps.
    pub(super) fn counts_by_summaries(&self) -> bool {
        self.summaries.count() > self.accesses.count()
    }

    pub(super) fn access(&mut self, hit: bool, time: u64) {
        let one = Lookups { hits: hit.into(), misses: (!hit).into() };
        self.accesses.add(one);
        self.buckets.at(time).accesses.add(one);
    }

    pub(super) fn creation(&mut self, ns: u64, created: bool, time: u64) {
        self.creations.add(ns);
        let bucket = self.buckets.at(time);
        bucket.creation_ns = bucket.creation_ns.saturating_add(ns);
        if created {
            bucket.created += 1;
            self.set_entries(self.entries.unwrap_or(0).saturating_add(1), time);
        } else {
            self.failed += 1;
        }
    }

    pub(super) fn summary(&mut self, summary: &ResourceCacheSummary, time: u64) {
        let now = Lookups { hits: summary.hits, misses: summary.misses };
        // The first summary of a cache tells of its first operations; any other tells of operations before this log.
        let first = if now.count() <= 100 { Lookups::default() } else { now };
        let before = match self.last_summary.replace(now) {
            Some(before) if before.hits <= now.hits && before.misses <= now.misses => before,
            Some(_) => {
                self.restarts += 1;
                first
            }
            None => first,
        };
        let since = Lookups { hits: now.hits - before.hits, misses: now.misses - before.misses };
        self.summaries.add(since);
        self.buckets.at(time).summaries.add(since);
        self.set_entries(summary.size, time);
    }

    pub(super) fn eviction(&mut self, eviction: &CacheEviction, time: u64) {
        let known = self.reasons.contains_key(&*eviction.reason) || self.reasons.len() < REASONS;
        let reason = if known { &eviction.reason } else { OTHER_REASONS };
        let count = self.reasons.entry(reason.into()).or_default();
        *count = count.saturating_add(eviction.count);
        let bucket = self.buckets.at(time);
        bucket.evicted = bucket.evicted.saturating_add(eviction.count);
        self.set_entries(eviction.size_after, time);
        if self.policy.is_none() {
            self.policy = Some((&*eviction.strategy).into());
        }
    }

    pub(super) fn departure(&mut self, removed: &EntryRemoved, time: u64) {
        *self.departures.entry(removed.cause.name()).or_default() += 1;
        if let RemovalCause::SizeLimit | RemovalCause::IdleTimeout = removed.cause {
            self.idle_at_eviction.add(removed.idle_ns);
        }
        if let Some(entries) = self.entries {
            self.set_entries(entries.saturating_sub(1), time);
        }
    }

    pub(super) fn set_entries(&mut self, entries: u64, time: u64) {
        self.entries = Some(entries);
        self.peak_entries = self.peak_entries.max(entries);
        self.buckets.at(time).entries = Some(entries);
    }
}
