//! The state of the caches as the log tells it.

use std::collections::{BTreeSet, VecDeque};

use metallic_instrumentation::{CreationOutcome, Event, EventData, JsonlReader};

use super::window::{SECONDS, Second, Window};
use crate::input::{Registries, RegistryId};
use crate::label::CacheNames;

/// The largest number of caches of all registries; further ones are left out.
const CACHES: usize = 1024;
/// The number of evictions that are kept.
const EVICTIONS: usize = 100;
/// Seconds over which rates are taken.
const RATE_SECONDS: usize = 10;
const NS: u64 = 1_000_000_000;

/// The state of the caches in a growing log.
#[derive(Debug, Default)]
pub struct Live {
    names: CacheNames,
    registries: Registries,
    caches: Vec<LiveCache>,
    pub(super) evictions: VecDeque<RecentEviction>,
    pub(super) events: u64,
    pub(super) skipped: u64,
    pub(super) dropped: u64,
    /// The time of the earliest event.
    first: Option<u64>,
    /// The time of the latest event.
    latest: u64,
    /// Time that has passed since, as far as it counts.
    passed: u64,
    /// `true` if time passes: the log grows.
    pub(super) grows: bool,
}

/// One cache.
#[derive(Clone, Debug, Default)]
pub(super) struct LiveCache {
    /// The registry; of a program that is started again and again, that of its first run.
    registry: RegistryId,
    /// The process that the last event was of.
    process: u32,
    pub(super) name: String,
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) evicted: u64,
    pub(super) failed: u64,
    pub(super) creation_ns: u64,
    pub(super) entries: Option<u64>,
    pub(super) window: Window,
}

/// A policy evicted entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RecentEviction {
    pub(super) at: u64,
    pub(super) cache: String,
    pub(super) count: u64,
    pub(super) reason: String,
    pub(super) size_after: u64,
}

impl LiveCache {
    /// The sums over the seconds of which rates are taken.
    pub(super) fn recent(&self) -> Second {
        self.window.last(RATE_SECONDS).fold(Second::default(), Second::plus)
    }

    /// Adds the figures of the cache of this name in another registry.
    fn add(&mut self, other: &Self) {
        self.hits = self.hits.saturating_add(other.hits);
        self.misses = self.misses.saturating_add(other.misses);
        self.evicted = self.evicted.saturating_add(other.evicted);
        self.failed = self.failed.saturating_add(other.failed);
        self.creation_ns = self.creation_ns.saturating_add(other.creation_ns);
        self.entries = match (self.entries, other.entries) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
        self.window.add(&other.window);
    }

    /// Hits among the look-ups of each of the last seconds, from 0 to 1; `None` where there were no look-ups.
    pub(super) fn hit_rates(&self, seconds: usize) -> impl Iterator<Item = Option<f64>> {
        self.window.last(seconds.min(SECONDS)).map(|second| rate(second.hits, second.misses))
    }
}

/// Hits among hits and misses, from 0 to 1.
pub(super) fn rate(hits: u64, misses: u64) -> Option<f64> {
    let lookups = hits.saturating_add(misses);
    (lookups > 0).then(|| hits as f64 / lookups as f64)
}

impl Live {
    /// Takes in whole lines of a log. `arrived` stands for the time of events without one, in nanoseconds.
    pub fn feed(&mut self, lines: &[u8], arrived: u64) {
        let mut reader = JsonlReader::new(lines);
        // Reading from memory cannot fail.
        for event in reader.by_ref().flatten() {
            self.add(&event, arrived);
        }
        self.skipped += reader.skipped().total() - reader.skipped().blank;
    }

    /// Says how much time has passed since the latest event of a log that grows, in nanoseconds: rates fall when nothing happens.
    pub fn pass(&mut self, since_latest: u64) {
        self.passed = since_latest;
        self.grows = true;
        let second = self.now() / NS;
        self.caches.iter_mut().for_each(|cache| cache.window.advance(second));
    }

    /// The seconds over which rates are taken: fewer than [`RATE_SECONDS`] in a log that is shorter, and at least one.
    pub(super) fn rate_seconds(&self) -> f64 {
        // The latest of the seconds has only begun.
        let window = (RATE_SECONDS as u64 - 1) * NS + self.now() % NS;
        let logged = self.now().saturating_sub(self.first.unwrap_or_default());
        window.min(logged).max(NS) as f64 / NS as f64
    }

    /// Now, in the time of the log.
    pub fn now(&self) -> u64 {
        self.latest.saturating_add(self.passed)
    }

    /// The caches as of now: those of one name in several registries each, or their sums.
    pub(super) fn rows(&self, by_registry: bool) -> Vec<LiveCache> {
        let mut rows: Vec<LiveCache> = Vec::new();
        for cache in &self.caches {
            let sum = rows.iter_mut().find(|row| !by_registry && row.name == cache.name);
            if let Some(sum) = sum {
                sum.add(cache);
                continue;
            }
            let mut row = cache.clone();
            if by_registry && self.registries() > 1 {
                row.name = format!("{} in {}", cache.name, self.registries.name_of(cache.registry));
            }
            rows.push(row);
        }
        // What one did when another was long idle is not of the last seconds.
        rows.iter_mut().for_each(|row| row.window.advance(self.now() / NS));
        rows
    }

    /// The number of registries that have a cache.
    pub(super) fn registries(&self) -> usize {
        self.caches.iter().map(|cache| cache.registry).collect::<BTreeSet<_>>().len()
    }

    fn add(&mut self, event: &Event, arrived: u64) {
        let registry = self.registries.registry_of(event);
        let time = event.timestamp.unwrap_or(arrived);
        // A header has no time of the log's clock, and is no event of a cache: a report does not count it either.
        if !matches!(event.data, EventData::LogOpened(_)) {
            self.events += 1;
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.latest = self.latest.max(time);
            self.passed = 0;
        }
        match &event.data {
            EventData::ResourceCacheAccess(access) => {
                let name = self.names.split(&access.cache_key).0;
                let lane = self.registries.lane_of(registry);
                let Some(cache) = cache(&mut self.caches, lane, registry.process, name) else { return };
                let (hit, miss) = (u64::from(access.hit), u64::from(!access.hit));
                cache.hits += hit;
                cache.misses += miss;
                if let Some(second) = cache.window.at(time / NS) {
                    second.hits += hit;
                    second.misses += miss;
                }
            }
            EventData::ResourceCreated(created) => {
                let Some(cache) = self.cache(registry, &created.cache) else { return };
                cache.creation_ns = cache.creation_ns.saturating_add(created.duration_ns);
                if created.outcome == CreationOutcome::Created {
                    cache.entries = Some(cache.entries.unwrap_or(0).saturating_add(1));
                } else {
                    cache.failed += 1;
                }
                if let Some(second) = cache.window.at(time / NS) {
                    second.creation_ns = second.creation_ns.saturating_add(created.duration_ns);
                    second.loads += u64::from(created.loaded);
                }
            }
            EventData::ResourceCacheSummary(summary) => {
                if let Some(cache) = self.cache(registry, &summary.cache) {
                    cache.entries = Some(summary.size);
                }
            }
            EventData::EntryRemoved(removed) => {
                if let Some(cache) = self.cache(registry, &removed.cache) {
                    cache.entries = cache.entries.map(|entries| entries.saturating_sub(1));
                }
            }
            EventData::CacheEviction(eviction) => {
                let Some(cache) = self.cache(registry, &eviction.cache) else { return };
                cache.evicted = cache.evicted.saturating_add(eviction.count);
                cache.entries = Some(eviction.size_after);
                if let Some(second) = cache.window.at(time / NS) {
                    second.evicted = second.evicted.saturating_add(eviction.count);
                }
                self.evictions.truncate(EVICTIONS - 1);
                self.evictions.push_front(RecentEviction {
                    at: time,
                    cache: eviction.cache.to_string(),
                    count: eviction.count,
                    reason: eviction.reason.to_string(),
                    size_after: eviction.size_after,
                });
            }
            EventData::CacheCleared(cleared) => {
                if let Some(cache) = self.cache(registry, &cleared.cache) {
                    cache.entries = Some(cleared.size_after);
                }
            }
            EventData::EventsDropped(dropped) => self.dropped = self.dropped.saturating_add(dropped.count),
            _ => {}
        }
    }

    fn cache(&mut self, registry: RegistryId, name: &str) -> Option<&mut LiveCache> {
        self.names.learn(name);
        cache(&mut self.caches, self.registries.lane_of(registry), registry.process, name)
    }
}

/// The cache with this name; `None` if there are too many.
fn cache<'a>(
    caches: &'a mut Vec<LiveCache>,
    registry: RegistryId,
    process: u32,
    name: &str,
) -> Option<&'a mut LiveCache> {
    let is_it = |cache: &LiveCache| cache.registry == registry && cache.name == name;
    let place = caches.iter().position(is_it).unwrap_or(caches.len());
    if place == caches.len() && place < CACHES {
        caches.push(LiveCache { registry, process, name: name.to_owned(), ..LiveCache::default() });
    }
    let cache = caches.get_mut(place)?;
    if cache.process != process {
        // Another run of the program began with an empty cache.
        (cache.process, cache.entries) = (process, None);
    }
    Some(cache)
}
