//! The state of the caches as the log tells it.

use std::collections::VecDeque;

use metallic_instrumentation::{CreationOutcome, Event, EventData, JsonlReader};

use super::window::{SECONDS, Second, Window};
use crate::label::CacheNames;

/// The largest number of caches shown; further ones are left out.
const CACHES: usize = 256;
/// The number of evictions that are kept.
const EVICTIONS: usize = 100;
/// Seconds over which rates are taken.
const RATE_SECONDS: usize = 10;
const NS: u64 = 1_000_000_000;

/// The state of the caches in a growing log.
#[derive(Debug, Default)]
pub struct Live {
    names: CacheNames,
    pub(super) caches: Vec<LiveCache>,
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
}

/// One cache.
#[derive(Clone, Debug, Default)]
pub(super) struct LiveCache {
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
        self.window.last(RATE_SECONDS).fold(Second::default(), |sum, second| Second {
            hits: sum.hits + second.hits,
            misses: sum.misses + second.misses,
            evicted: sum.evicted.saturating_add(second.evicted),
            creation_ns: sum.creation_ns.saturating_add(second.creation_ns),
        })
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

    /// Says how much time has passed since the latest event, in nanoseconds: rates fall when nothing happens.
    pub fn pass(&mut self, since_latest: u64) {
        self.passed = since_latest;
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

    fn add(&mut self, event: &Event, arrived: u64) {
        let time = event.timestamp.unwrap_or(arrived);
        self.events += 1;
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.latest = self.latest.max(time);
        self.passed = 0;
        match &event.data {
            EventData::ResourceCacheAccess(access) => {
                let name = self.names.split(&access.cache_key).0;
                let Some(cache) = cache(&mut self.caches, name) else { return };
                let (hit, miss) = (u64::from(access.hit), u64::from(!access.hit));
                cache.hits += hit;
                cache.misses += miss;
                if let Some(second) = cache.window.at(time / NS) {
                    second.hits += hit;
                    second.misses += miss;
                }
            }
            EventData::ResourceCreated(created) => {
                let Some(cache) = self.cache(&created.cache) else { return };
                cache.creation_ns = cache.creation_ns.saturating_add(created.duration_ns);
                if created.outcome == CreationOutcome::Created {
                    cache.entries = Some(cache.entries.unwrap_or(0).saturating_add(1));
                } else {
                    cache.failed += 1;
                }
                if let Some(second) = cache.window.at(time / NS) {
                    second.creation_ns = second.creation_ns.saturating_add(created.duration_ns);
                }
            }
            EventData::ResourceCacheSummary(summary) => {
                if let Some(cache) = self.cache(&summary.cache) {
                    cache.entries = Some(summary.size);
                }
            }
            EventData::EntryRemoved(removed) => {
                if let Some(cache) = self.cache(&removed.cache) {
                    cache.entries = cache.entries.map(|entries| entries.saturating_sub(1));
                }
            }
            EventData::CacheEviction(eviction) => {
                let Some(cache) = self.cache(&eviction.cache) else { return };
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
                if let Some(cache) = self.cache(&cleared.cache) {
                    cache.entries = Some(cleared.size_after);
                }
            }
            EventData::EventsDropped(dropped) => self.dropped = self.dropped.saturating_add(dropped.count),
            _ => {}
        }
    }

    fn cache(&mut self, name: &str) -> Option<&mut LiveCache> {
        self.names.learn(name);
        cache(&mut self.caches, name)
    }
}

/// The cache with this name; `None` if there are too many.
fn cache<'a>(caches: &'a mut Vec<LiveCache>, name: &str) -> Option<&'a mut LiveCache> {
    let place = caches.iter().position(|cache| cache.name == name).unwrap_or(caches.len());
    if place == caches.len() && place < CACHES {
        caches.push(LiveCache { name: name.to_owned(), ..LiveCache::default() });
    }
    caches.get_mut(place)
}
