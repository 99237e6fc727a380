//! From a log to the trace of each cache, and what the log says against itself.

mod in_progress;

use std::collections::HashMap;

use metallic::caching::EvictionPolicy;
use metallic_instrumentation::{CacheKind, Event, EventData};
use rustc_hash::FxHashMap;

use self::in_progress::InProgress;
use super::trace::Trace;
use crate::input::{Registries, RegistryId};
use crate::label::CacheNames;

/// The log of one cache.
#[derive(Debug, Default)]
pub struct Recording {
    /// The registry; of a program that was started again and again, that of its first run.
    pub registry: RegistryId,
    /// It in words, if the log has a cache of this name in several.
    pub registry_name: Option<String>,
    /// The accesses.
    pub trace: Trace,
    /// Accesses that found their entry.
    pub hits: u64,
    /// Entries that policies evicted.
    pub evictions: u64,
    /// Accesses that the cache counted between two of its summaries, or made resources for, and that are not in the log.
    pub missing: u64,
    /// Accesses that the cache counted before the first one in the log.
    pub earlier: u64,
    /// Times the program was started anew.
    pub restarts: u64,
    /// Summaries that count less than those before them, and are not of a program that was started anew: a log without the
    /// numbers of registries has several with a cache of this name, and no replay can tell them apart.
    pub entangled: u64,
    /// Removals of which the log does not say which key was meant.
    pub unknown_removals: u64,
    /// Every policy that was set, once.
    pub policies: Vec<EvictionPolicy>,
    /// `true` if one of them limits idle generations: a log does not have the moments at which the engine ended them.
    pub counts_generations: bool,
}

/// Makes recordings of events. Keeps each key once until it is finished, and what a [`Trace`] keeps.
#[derive(Default)]
pub struct Recorder {
    names: CacheNames,
    registries: Registries,
    /// By the place in `caches`.
    places: HashMap<RegistryId, FxHashMap<Box<str>, usize>>,
    caches: Vec<InProgress>,
    dropped: u64,
    obstacle: Option<&'static str>,
}

impl Recorder {
    /// Takes the next event of the log.
    pub fn record(&mut self, event: Event) {
        let registry = self.registries.registry_of(&event);
        let at = event.timestamp;
        match event.data {
            EventData::ResourceCacheAccess(access) => {
                let (name, _) = self.names.split(&access.cache_key);
                let place =
                    place(&mut self.places, &mut self.caches, self.registries.lane_of(registry), name);
                let cache = &mut self.caches[place];
                cache.enter(registry.process, at);
                cache.access(&access, at);
                self.obstacle = self.obstacle.or(cache.recording.trace.obstacle());
            }
            EventData::ResourceCreated(created) => {
                self.cache(registry, &created.cache, at).created(&created, at);
            }
            EventData::EntryRemoved(removed) => {
                self.cache(registry, &removed.cache, at).removed(&removed, at)
            }
            EventData::CacheEviction(eviction) => {
                self.cache(registry, &eviction.cache, at).evicted(&eviction, at);
            }
            EventData::CacheCleared(cleared) => {
                self.cache(registry, &cleared.cache, at).cleared(&cleared, at)
            }
            EventData::CachePolicyChanged(changed) => {
                self.cache(registry, &changed.cache, at).policy(&changed, at);
            }
            EventData::CacheOpened(opened) => {
                let name = opened.cache.clone();
                let cache = self.cache(registry, &name, at);
                cache.is_pool |= opened.kind == CacheKind::Pool;
                cache.opened(opened, at);
            }
            EventData::ResourceCacheSummary(summary) => {
                self.cache(registry, &summary.cache, at).summary(&summary);
            }
            EventData::EventsDropped(dropped) => self.dropped = self.dropped.saturating_add(dropped.count),
            _ => {}
        }
    }

    /// The recordings of all caches but pools, in the order in which they first appeared, and the events the exporter says it
    /// dropped.
    pub fn finish(self) -> (Vec<Recording>, u64) {
        let Self { registries, places, caches, dropped, .. } = self;
        let mut registries_of = FxHashMap::<&str, usize>::default();
        for name in places.values().flat_map(|names| names.keys()) {
            *registries_of.entry(name).or_default() += 1;
        }
        let is_shared = |name: &str| registries_of.get(name).is_some_and(|registries| *registries > 1);
        let named = caches.into_iter().filter(|cache| !cache.is_pool).map(|cache| {
            let mut recording = cache.finish();
            let registry = recording.registry;
            recording.registry_name = is_shared(&recording.trace.cache).then(|| registries.name_of(registry));
            recording
        });
        (named.collect(), dropped)
    }

    /// Why this log cannot be replayed, if it turned out that it is too large.
    pub fn obstacle(&self) -> Option<&'static str> {
        self.obstacle
    }

    fn cache(&mut self, registry: RegistryId, name: &str, at: Option<u64>) -> &mut InProgress {
        self.names.learn(name);
        let place = place(&mut self.places, &mut self.caches, self.registries.lane_of(registry), name);
        let cache = &mut self.caches[place];
        cache.enter(registry.process, at);
        cache
    }
}

/// The place of the cache of this name in this registry, which is made if there is none.
fn place(
    places: &mut HashMap<RegistryId, FxHashMap<Box<str>, usize>>,
    caches: &mut Vec<InProgress>,
    registry: RegistryId,
    name: &str,
) -> usize {
    let names = places.entry(registry).or_default();
    if let Some(place) = names.get(name) {
        return *place;
    }
    names.insert(name.into(), caches.len());
    caches.push(InProgress::new(registry, name));
    caches.len() - 1
}
