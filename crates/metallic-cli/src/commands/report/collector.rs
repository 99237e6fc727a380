//! Takes in the events of a log, one after the other, in bounded memory.

use std::collections::HashMap;

use metallic_instrumentation::{
    CacheKind, CreationOutcome, EntryRemoved, Event, EventData, EventKind, RemovalCause, ResourceCacheAccess,
    ResourceCreated,
};

use super::clock::LogClock;
use super::keys::{KeyLedger, Presence};
use super::kv::KvTally;
use super::tally::Tally;
use super::violations::Violations;
use super::waits::Waits;
use crate::input::{Registries, RegistryId};
use crate::label::CacheNames;
use crate::units::{count, nanoseconds};

/// The name under which caches beyond [`Collector::CACHES`] are counted.
pub(super) const OTHER_CACHES: &str = "(other caches)";

/// The figures of a log while it is read.
///
/// Memory is bounded whatever the log holds: figures of [`Collector::CACHES`] caches, each with at most
/// [`Buckets::MAX`](super::buckets::Buckets::MAX) buckets, and of as many keys as was asked for.
#[derive(Debug)]
pub struct Collector {
    names: CacheNames,
    pub(super) registries: Registries,
    places: HashMap<Box<str>, usize>,
    pub(super) caches: Vec<Tally>,
    pub(super) kv_caches: Vec<KvTally>,
    pub(super) violations: Violations,
    pub(super) keys: KeyLedger,
    pub(super) events: u64,
    pub(super) dropped: u64,
    pub(super) clock: LogClock,
    pub(super) span: Option<(u64, u64)>,
    /// The number of keys in each list of the report.
    pub(super) named: usize,
    pub(super) waits: Waits,
}

impl Collector {
    /// The number of caches that are told apart.
    pub const CACHES: usize = 64;

    /// The number of keys in each list of a report, unless another is asked for.
    pub const NAMED: usize = 20;

    /// No events yet; the figures of at most `keys` keys will be kept.
    pub fn new(keys: usize) -> Self {
        Self {
            names: CacheNames::default(),
            registries: Registries::default(),
            places: HashMap::new(),
            caches: Vec::new(),
            kv_caches: Vec::new(),
            violations: Violations::default(),
            keys: KeyLedger::new(keys),
            events: 0,
            dropped: 0,
            clock: LogClock::default(),
            span: None,
            named: Self::NAMED,
            waits: Waits::default(),
        }
    }

    /// The same, whose report names this many keys in each of its lists.
    #[must_use]
    pub fn naming(self, named: usize) -> Self {
        Self { named, ..self }
    }

    /// Takes in the next event.
    pub fn add(&mut self, event: &Event) {
        let registry = self.registries.registry_of(event);
        if event.kind() == EventKind::LogOpened {
            // Of the exporter and not of a cache, and without a time, which is not to say that the log has none.
            self.end_predecessors(registry);
            return;
        }
        let time = self.time_of(event, registry);
        match &event.data {
            EventData::ResourceCacheAccess(access) => self.access(registry, access, time),
            EventData::ResourceCreated(created) => self.creation(registry, created, time),
            EventData::EntryRemoved(removed) => self.departure(registry, removed, time),
            EventData::ResourceCacheSummary(summary) => {
                let cache = self.place(&summary.cache);
                self.caches[cache].summary(registry, summary, time);
            }
            EventData::CacheEviction(eviction) => {
                let cache = self.place(&eviction.cache);
                self.caches[cache].eviction(registry, eviction, time);
            }
            EventData::CacheCleared(cleared) => {
                let cache = self.place(&cleared.cache);
                let tally = &mut self.caches[cache];
                tally.cleared = tally.cleared.saturating_add(cleared.count);
                tally.set_entries(registry, cleared.size_after, time);
            }
            EventData::CacheOpened(opened) => {
                let cache = self.place(&opened.cache);
                let tally = &mut self.caches[cache];
                tally.is_pool |= opened.kind == CacheKind::Pool;
                let limits = (opened.max_entries, opened.max_idle_ns, opened.min_entries);
                let policy = policy(&opened.strategy, limits, opened.max_idle_generations);
                let pool = if tally.is_pool { "pool, " } else { "" };
                tally.member(registry).policy = Some(format!("{pool}{policy}").into());
            }
            EventData::CachePolicyChanged(changed) => {
                let cache = self.place(&changed.cache);
                let tally = &mut self.caches[cache];
                let limits = (changed.max_entries, changed.max_idle_ns, changed.min_entries);
                let policy = policy(&changed.strategy, limits, changed.max_idle_generations);
                let pool = if tally.is_pool { "pool, " } else { "" };
                tally.member(registry).policy = Some(format!("{pool}{policy}").into());
            }
            EventData::KvCacheResized(resized) => {
                self.kv_cache(&resized.cache, |tally| tally.resized(registry, resized, time));
            }
            EventData::KvCacheTruncated(truncated) => {
                self.kv_cache(&truncated.cache, |tally| tally.truncated(registry, truncated, time));
            }
            EventData::KvCacheRefused(refused) => {
                self.kv_cache(&refused.cache, |tally| tally.refused(refused));
            }
            EventData::CreationViolation(violation) => {
                self.violations.add(violation, Self::CACHES, OTHER_CACHES);
            }
            EventData::SpanEnded(span) if self.clock.timed == Some(true) => {
                self.waits.step(registry.process, span, time, self.named);
            }
            EventData::EventsDropped(dropped) => self.dropped = self.dropped.saturating_add(dropped.count),
            _ => {}
        }
    }

    /// A process whose log begins where another's ended has taken its place.
    fn end_predecessors(&mut self, opened: RegistryId) {
        let lane = self.registries.lane_of(opened).process;
        let is_over = |registry: RegistryId| {
            registry.process < opened.process && self.registries.lane_of(registry).process == lane
        };
        let latest = self.clock.latest();
        self.caches.iter_mut().for_each(|tally| tally.end(is_over, latest));
        self.kv_caches.iter_mut().for_each(|tally| tally.end(is_over, latest));
    }

    /// The time of an event, or its number in a log without times.
    fn time_of(&mut self, event: &Event, registry: RegistryId) -> u64 {
        let time = self.clock.time_of(event, registry, self.events);
        self.events += 1;
        let (first, last) = self.span.get_or_insert((time, time));
        *first = time.min(*first);
        *last = time.max(*last);
        time
    }

    /// Does this to the figures of the KV cache with this name; nothing if there are too many.
    fn kv_cache(&mut self, name: &str, add: impl FnOnce(&mut KvTally)) {
        let known = self.kv_caches.iter().position(|tally| tally.name() == name);
        let place = known.unwrap_or(self.kv_caches.len());
        if place == self.kv_caches.len() && place < Self::CACHES {
            self.kv_caches.push(KvTally::new(name));
        }
        self.kv_caches.get_mut(place).map(add);
    }

    /// The place of the figures of the cache with this name.
    fn place(&mut self, name: &str) -> usize {
        if let Some(&place) = self.places.get(name) {
            return place;
        }
        self.names.learn(name);
        if self.caches.len() < Self::CACHES {
            self.places.insert(name.into(), self.caches.len());
            self.caches.push(Tally::new(name));
        } else if self.caches.len() == Self::CACHES {
            self.caches.push(Tally::new(OTHER_CACHES));
        }
        self.places.get(name).copied().unwrap_or(Self::CACHES)
    }

    /// As [`place`](Self::place), of the cache that a key's label begins with.
    fn place_of_label(&mut self, label: &str) -> usize {
        let name = self.names.split(label).0;
        match self.places.get(name) {
            Some(&place) => place,
            None => self.place(name),
        }
    }

    fn access(&mut self, registry: RegistryId, access: &ResourceCacheAccess, time: u64) {
        let cache = self.place_of_label(&access.cache_key);
        let tally = &mut self.caches[cache];
        tally.access(registry, access.hit, time);
        if tally.is_pool {
            return;
        }
        if !access.hit {
            let key = self.keys.entry(&access.cache_key, registry, cache);
            key.misses += 1;
            key.used_at = key.used_at.max(Some(time));
            return;
        }
        let Some(key) = self.keys.get_mut(&access.cache_key, registry) else { return };
        key.hits += 1;
        if let (Some(true), Some(before)) = (self.clock.timed, key.used_at) {
            tally.idle_at_hit.add(time.saturating_sub(before));
        }
        key.used_at = key.used_at.max(Some(time));
    }

    fn creation(&mut self, registry: RegistryId, creation: &ResourceCreated, time: u64) {
        let cache = self.place(&creation.cache);
        let ns = creation.duration_ns;
        self.waits.creation(registry.process, creation, time);
        let created = creation.outcome == CreationOutcome::Created;
        let tally = &mut self.caches[cache];
        tally.creation(registry, creation, time);
        tally.created_bytes = tally.created_bytes.saturating_add(creation.bytes);
        if creation.loaded {
            tally.loads.add(ns);
        }
        if tally.is_pool {
            return;
        }
        let key = self.keys.entry(&creation.cache_key, registry, cache);
        key.creation_ns = key.creation_ns.saturating_add(ns);
        if !created {
            key.failed += 1;
            return;
        }
        key.created += 1;
        match key.presence {
            Presence::Evicted => {
                key.rebuilt += 1;
                key.rebuilt_ns = key.rebuilt_ns.saturating_add(ns);
                tally.rebuilt.add(ns);
            }
            Presence::Present => tally.unexplained.add(ns),
            Presence::Never | Presence::Removed => {}
        }
        key.presence = Presence::Present;
        key.used_at = key.used_at.max(Some(time));
    }

    fn departure(&mut self, registry: RegistryId, removed: &EntryRemoved, time: u64) {
        let cache = self.place(&removed.cache);
        self.caches[cache].departure(registry, removed, time);
        if self.caches[cache].is_pool {
            return;
        }
        let key = self.keys.entry(&removed.cache_key, registry, cache);
        key.presence = match removed.cause {
            RemovalCause::SizeLimit | RemovalCause::IdleTimeout => {
                key.evicted += 1;
                Presence::Evicted
            }
            _ => Presence::Removed,
        };
    }
}

/// A policy in a few words; its limits are those on entries and on idle time, and the entries that stay.
fn policy(
    strategy: &str,
    (max_entries, max_idle_ns, min_entries): (Option<u64>, Option<u64>, u64),
    max_idle_generations: Option<u64>,
) -> String {
    let mut text = strategy.to_owned();
    if let Some(max) = max_entries {
        text += &format!(", at most {}", count(max));
    }
    if let Some(ns) = max_idle_ns {
        text += &format!(", idle {}", nanoseconds(ns as f64));
    }
    if let Some(generations) = max_idle_generations {
        text += &format!(", idle {} generations", count(generations));
    }
    if min_entries > 0 {
        text += &format!(", at least {}", count(min_entries));
    }
    text
}
