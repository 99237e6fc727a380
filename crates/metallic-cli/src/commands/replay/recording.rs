//! From a log to the trace of each cache, and what the log says against itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use metallic::caching::EvictionPolicy;
use metallic_instrumentation::{
    CacheCleared, CacheEviction, CachePolicyChanged, CreationOutcome, EntryRemoved, Event, EventData,
    RemovalCause, ResourceCacheAccess, ResourceCacheSummary, ResourceCreated,
};
use rustc_hash::FxHashMap;

use super::trace::{Access, StepKind, Trace};
use crate::label::CacheNames;

/// The log of one cache.
#[derive(Debug, Default)]
pub struct Recording {
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
    /// Removals of which the log does not say which key was meant.
    pub unknown_removals: u64,
    /// Every policy that was set, once.
    pub policies: Vec<EvictionPolicy>,
}

/// Makes recordings of events. Keeps each key once until it is finished, and what a [`Trace`] keeps.
#[derive(Default)]
pub struct Recorder {
    names: CacheNames,
    caches: HashMap<Box<str>, InProgress>,
    order: Vec<Box<str>>,
    dropped: u64,
    obstacle: Option<&'static str>,
}

#[derive(Default)]
struct InProgress {
    recording: Recording,
    ids: FxHashMap<Box<str>, u32>,
    /// By key: the sum of the measured creation times, and how many were measured.
    measured: Vec<(f64, u32)>,
    /// The creation whose access is still to come.
    creation: Option<Creation>,
    /// Creations whose access did not come.
    orphans: u64,
    /// The cause of the removals that no `CacheCleared` has counted yet.
    announced: Option<RemovalCause>,
    /// Hits and misses in the last summary.
    total: Option<u64>,
    since_total: u64,
    missing_between_summaries: u64,
}

struct Creation {
    key: u32,
    done: Option<u64>,
    fails: bool,
}

impl Recorder {
    /// Takes the next event of the log.
    pub fn record(&mut self, event: Event) {
        let at = event.timestamp;
        match event.data {
            EventData::ResourceCacheAccess(access) => self.access(&access, at),
            EventData::ResourceCreated(created) => {
                self.cache(&created.cache).created(&created, at);
            }
            EventData::EntryRemoved(removed) => self.cache(&removed.cache).removed(&removed, at),
            EventData::CacheEviction(eviction) => self.cache(&eviction.cache).evicted(&eviction, at),
            EventData::CacheCleared(cleared) => self.cache(&cleared.cache).cleared(&cleared, at),
            EventData::CachePolicyChanged(changed) => self.cache(&changed.cache).policy(&changed, at),
            EventData::ResourceCacheSummary(summary) => self.cache(&summary.cache).summary(&summary),
            EventData::EventsDropped(dropped) => self.dropped += dropped.count,
            _ => {}
        }
    }

    /// The recordings, in the order in which the caches first appeared, and the events the exporter says it dropped.
    pub fn finish(mut self) -> (Vec<Recording>, u64) {
        let caches = self.order.iter().filter_map(|name| self.caches.remove(name));
        (caches.map(InProgress::finish).collect(), self.dropped)
    }

    /// Why this log cannot be replayed, if it turned out that it is too large.
    pub fn obstacle(&self) -> Option<&'static str> {
        self.obstacle
    }

    fn access(&mut self, access: &ResourceCacheAccess, at: Option<u64>) {
        let (name, _) = self.names.split(&access.cache_key);
        if !self.caches.contains_key(name) {
            self.add(name);
        }
        let Some(cache) = self.caches.get_mut(name) else { return };
        cache.access(access, at);
        self.obstacle = self.obstacle.or(cache.recording.trace.obstacle());
    }

    fn cache(&mut self, name: &str) -> &mut InProgress {
        if !self.caches.contains_key(name) {
            self.names.learn(name);
            self.add(name);
        }
        self.caches.get_mut(name).expect("a cache that was missing was added")
    }

    fn add(&mut self, name: &str) {
        let cache = InProgress {
            recording: Recording { trace: Trace::new(name), ..Recording::default() },
            ..InProgress::default()
        };
        self.caches.insert(name.into(), cache);
        self.order.push(name.into());
    }
}

impl InProgress {
    fn id(&mut self, label: &Arc<str>) -> u32 {
        if let Some(id) = self.ids.get(&**label) {
            return *id;
        }
        let id = self.ids.len() as u32;
        self.ids.insert((&**label).into(), id);
        self.measured.push((0.0, 0));
        id
    }

    fn created(&mut self, created: &ResourceCreated, at: Option<u64>) {
        let key = self.id(&created.cache_key);
        let (sum, count) = &mut self.measured[key as usize];
        *sum += created.duration_ns as f64;
        *count += 1;
        let fails = created.outcome != CreationOutcome::Created;
        self.orphans += u64::from(self.creation.replace(Creation { key, done: at, fails }).is_some());
    }

    fn access(&mut self, access: &ResourceCacheAccess, at: Option<u64>) {
        let key = self.id(&access.cache_key);
        let creation = self.creation.take_if(|creation| !access.hit && creation.key == key);
        let fails = creation.as_ref().is_some_and(|creation| creation.fails);
        if let Some(at) = at {
            // The look-up did the same at the same time.
            let trace = &mut self.recording.trace;
            trace.take_step_back(|step| step.kind == StepKind::ExpireIdle && step.at == Some(at));
        }
        let done = creation.and_then(|creation| creation.done);
        self.recording.trace.push(Access { key, fails, hit: access.hit }, at, done);
        self.recording.hits += u64::from(access.hit);
        self.since_total += 1;
    }

    fn removed(&mut self, removed: &EntryRemoved, at: Option<u64>) {
        match removed.cause {
            // Under every policy what it was made from had changed: it is gone as if the caller had removed it.
            RemovalCause::Removed | RemovalCause::Stale => {
                let key = self.id(&removed.cache_key);
                self.recording.trace.push_step(at, StepKind::Remove(key));
            }
            RemovalCause::Cleared if self.announced.is_none() => {
                self.recording.trace.push_step(at, StepKind::Clear);
            }
            RemovalCause::Cleared => {}
            _ => return,
        }
        self.announced = Some(removed.cause);
    }

    fn cleared(&mut self, cleared: &CacheCleared, at: Option<u64>) {
        if self.announced.take().is_some() {
        } else if cleared.size_after == 0 {
            self.recording.trace.push_step(at, StepKind::Clear);
        } else {
            self.recording.unknown_removals += cleared.count;
        }
    }

    fn evicted(&mut self, eviction: &CacheEviction, at: Option<u64>) {
        self.recording.evictions += eviction.count;
        if eviction.reason.starts_with("idle_timeout") {
            self.recording.trace.push_step(at, StepKind::ExpireIdle);
        }
    }

    fn policy(&mut self, changed: &CachePolicyChanged, at: Option<u64>) {
        let Some(policy) = policy(changed) else { return };
        self.recording.trace.push_step(at, StepKind::SetPolicy(policy));
        if !self.recording.policies.contains(&policy) {
            self.recording.policies.push(policy);
        }
    }

    /// A summary counts all operations of a cache. Between two of them the log must have as many.
    fn summary(&mut self, summary: &ResourceCacheSummary) {
        let total = summary.hits.saturating_add(summary.misses);
        let accesses = self.recording.trace.len() as u64;
        let expected = self.total.unwrap_or(0) + self.since_total;
        if total < expected {
            // It counts from the start of the program, which was so many accesses ago.
            self.recording.trace.insert_restart((accesses - total.min(accesses)) as u32);
            self.recording.restarts += 1;
        } else if self.total.is_none() {
            self.recording.earlier = total - expected;
        } else {
            self.missing_between_summaries += total - expected;
        }
        self.total = Some(total);
        self.since_total = 0;
    }

    fn finish(mut self) -> Recording {
        self.orphans += u64::from(self.creation.is_some());
        self.recording.missing = self.missing_between_summaries.max(self.orphans);
        let mean = |(sum, count): &(f64, u32)| sum / f64::from(*count);
        self.recording.trace.finish(self.measured.iter().map(mean).collect());
        self.recording
    }
}

/// The policy that an event describes; `None` if it is one that this version does not know.
fn policy(changed: &CachePolicyChanged) -> Option<EvictionPolicy> {
    let max = changed.max_entries.map(|max| usize::try_from(max).unwrap_or(usize::MAX));
    let idle = changed.max_idle_ns.map(Duration::from_nanos);
    let mut policy = match &*changed.strategy {
        "none" => EvictionPolicy::none(),
        "size_limited_lru" => EvictionPolicy::size_limited_lru(max?),
        "lru" => EvictionPolicy::lru(),
        "fifo" => EvictionPolicy::fifo(),
        "idle_timeout" => EvictionPolicy::idle_timeout(idle?),
        "hybrid" => EvictionPolicy::hybrid(max?, idle?),
        "s3_fifo" => EvictionPolicy::s3_fifo(max?),
        "sieve" => EvictionPolicy::sieve(max?),
        _ => return None,
    };
    if let Some(max) = max {
        policy = policy.with_max_entries(max);
    }
    if let Some(idle) = idle {
        policy = policy.with_max_idle_duration(idle);
    }
    Some(policy.with_min_entries(usize::try_from(changed.min_entries).unwrap_or(usize::MAX)))
}
