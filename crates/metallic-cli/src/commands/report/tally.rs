//! The figures of one cache that are kept while its events are read.

use std::collections::BTreeMap;
use std::mem;

use metallic_instrumentation::{
    CacheEviction, CreationOutcome, EntryRemoved, RemovalCause, ResourceCacheSummary, ResourceCreated,
};
use rustc_hash::FxHashMap;

use super::buckets::{Buckets, Merge};
use super::durations::{Durations, IdleAges};
use super::level::Level;
use super::member::Member;
use crate::input::RegistryId;

/// The number of reasons that are told apart; the rest are counted as [`OTHER_REASONS`].
const REASONS: usize = 16;
/// The reason under which further ones are counted.
pub(super) const OTHER_REASONS: &str = "other reasons";
/// The first buckets are 1.05 ms wide.
pub(super) const FIRST_SHIFT: u32 = 20;

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
    pub(super) entries: Option<Level>,
    /// Of the resources.
    pub(super) bytes: Option<Level>,
}

impl Merge for Bucket {
    fn merge(&mut self, later: Self) {
        self.accesses.add(later.accesses);
        self.summaries.add(later.summaries);
        self.created += later.created;
        self.creation_ns = self.creation_ns.saturating_add(later.creation_ns);
        self.evicted = self.evicted.saturating_add(later.evicted);
        self.entries.merge(later.entries);
        self.bytes.merge(later.bytes);
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

/// The figures of the caches of one name, of all registries together.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub(super) name: Box<str>,
    /// Several items of one key may be there at a time: keys are not followed.
    pub(super) is_pool: bool,
    /// One for each registry with a cache of this name, in the order of first appearance.
    pub(super) members: Vec<Member>,
    places: FxHashMap<RegistryId, usize>,
    /// Creations, failed ones among them.
    pub(super) creations: Durations,
    pub(super) failed: u64,
    /// Device memory of all that was created.
    pub(super) created_bytes: u64,
    /// Creations that loaded an artifact from a store, and compiled nothing.
    pub(super) loads: Creations,
    /// Creations of entries that a policy had evicted.
    pub(super) rebuilt: Creations,
    /// Creations of what, as far as the log says, was there.
    pub(super) unexplained: Creations,
    /// Evicted entries by the reason the policy gave.
    pub(super) reasons: BTreeMap<Box<str>, u64>,
    /// Entries that left, one by one, by cause.
    pub(super) departures: BTreeMap<&'static str, u64>,
    /// Entries that the caller removed.
    pub(super) cleared: u64,
    /// Of all registries; `None` if the log says it of none.
    pub(super) entries: Option<u64>,
    pub(super) peak_entries: u64,
    /// Of the resources of all registries.
    pub(super) bytes: u64,
    pub(super) peak_bytes: u64,
    /// The idle times of entries when a policy evicted them.
    pub(super) idle_at_eviction: IdleAges,
    /// The idle times of entries when they were hit.
    pub(super) idle_at_hit: IdleAges,
    pub(super) buckets: Buckets<Bucket>,
}

impl Tally {
    /// The number of registries that are told apart; further ones are counted as one.
    pub(super) const MEMBERS: usize = 1024;

    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            is_pool: false,
            members: Vec::new(),
            places: FxHashMap::default(),
            creations: Durations::default(),
            failed: 0,
            created_bytes: 0,
            loads: Creations::default(),
            rebuilt: Creations::default(),
            unexplained: Creations::default(),
            reasons: BTreeMap::new(),
            departures: BTreeMap::new(),
            cleared: 0,
            entries: None,
            peak_entries: 0,
            bytes: 0,
            peak_bytes: 0,
            idle_at_eviction: IdleAges::default(),
            idle_at_hit: IdleAges::default(),
            buckets: Buckets::new(FIRST_SHIFT),
        }
    }

    pub(super) fn member(&mut self, registry: RegistryId) -> &mut Member {
        let place = match self.places.get(&registry) {
            Some(place) => *place,
            None => {
                let place = self.members.len().min(Self::MEMBERS);
                if place == self.members.len() {
                    self.members.push(Member::new(registry));
                }
                if place < Self::MEMBERS {
                    self.places.insert(registry, place);
                }
                place
            }
        };
        &mut self.members[place]
    }

    /// Returns `true` if the log has fewer accesses of a registry than its summaries count: it was sampled or filtered, or has
    /// gaps.
    pub(super) fn counts_by_summaries(&self) -> bool {
        self.members.iter().any(Member::counts_by_summaries)
    }

    pub(super) fn access(&mut self, registry: RegistryId, hit: bool, time: u64) {
        let one = Lookups { hits: hit.into(), misses: (!hit).into() };
        self.member(registry).accesses.add(one);
        self.buckets.at(time).accesses.add(one);
    }

    pub(super) fn creation(&mut self, registry: RegistryId, creation: &ResourceCreated, time: u64) {
        let ns = creation.duration_ns;
        self.creations.add(ns);
        let bucket = self.buckets.at(time);
        bucket.creation_ns = bucket.creation_ns.saturating_add(ns);
        let member = self.member(registry);
        member.creations.add(ns);
        let entries = member.entries;
        if creation.outcome == CreationOutcome::Created {
            let bytes = member.bytes.saturating_add(creation.bytes);
            self.buckets.at(time).created += 1;
            self.set_entries(registry, entries.unwrap_or(0).saturating_add(1), time);
            self.set_bytes(registry, bytes, time);
        } else {
            self.failed += 1;
        }
    }

    pub(super) fn summary(&mut self, registry: RegistryId, summary: &ResourceCacheSummary, time: u64) {
        let since = self.member(registry).counted(Lookups { hits: summary.hits, misses: summary.misses });
        self.buckets.at(time).summaries.add(since);
        self.set_entries(registry, summary.size, time);
    }

    pub(super) fn eviction(&mut self, registry: RegistryId, eviction: &CacheEviction, time: u64) {
        let known = self.reasons.contains_key(&*eviction.reason) || self.reasons.len() < REASONS;
        let reason = if known { &eviction.reason } else { OTHER_REASONS };
        let count = self.reasons.entry(reason.into()).or_default();
        *count = count.saturating_add(eviction.count);
        let bucket = self.buckets.at(time);
        bucket.evicted = bucket.evicted.saturating_add(eviction.count);
        let member = self.member(registry);
        member.evicted = member.evicted.saturating_add(eviction.count);
        if member.policy.is_none() {
            member.policy = Some((&*eviction.strategy).into());
        }
        self.set_entries(registry, eviction.size_after, time);
    }

    pub(super) fn departure(&mut self, registry: RegistryId, removed: &EntryRemoved, time: u64) {
        *self.departures.entry(removed.cause.name()).or_default() += 1;
        if let RemovalCause::SizeLimit | RemovalCause::IdleTimeout = removed.cause {
            self.idle_at_eviction.add(removed.idle_ns);
        }
        let member = self.member(registry);
        let (entries, bytes) = (member.entries, member.bytes.saturating_sub(removed.bytes));
        self.set_bytes(registry, bytes, time);
        if let Some(entries) = entries {
            self.set_entries(registry, entries.saturating_sub(1), time);
        }
    }

    pub(super) fn set_entries(&mut self, registry: RegistryId, entries: u64, time: u64) {
        let before = self.member(registry).entries.replace(entries).unwrap_or(0);
        let all = self.entries.unwrap_or(0).saturating_sub(before).saturating_add(entries);
        self.entries = Some(all);
        self.peak_entries = self.peak_entries.max(all);
        Level::set(&mut self.buckets.at(time).entries, all);
        if entries == 0 {
            self.set_bytes(registry, 0, time);
        }
    }

    fn set_bytes(&mut self, registry: RegistryId, bytes: u64, time: u64) {
        let before = mem::replace(&mut self.member(registry).bytes, bytes);
        if before == bytes {
            return;
        }
        self.bytes = self.bytes.saturating_sub(before).saturating_add(bytes);
        self.peak_bytes = self.peak_bytes.max(self.bytes);
        Level::set(&mut self.buckets.at(time).bytes, self.bytes);
    }

    /// The registries for which this holds are gone, with their entries.
    pub(super) fn end(&mut self, is_over: impl Fn(RegistryId) -> bool, time: u64) {
        let over = self.members.iter().map(|member| member.registry).filter(|registry| is_over(*registry));
        for registry in over.collect::<Vec<_>>() {
            if self.member(registry).entries.is_some_and(|entries| entries > 0) {
                self.set_entries(registry, 0, time);
            }
        }
    }
}
