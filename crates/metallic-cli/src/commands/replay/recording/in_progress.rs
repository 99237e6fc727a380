//! The log of one cache, as it is read.

use std::sync::Arc;
use std::time::Duration;

use metallic::caching::EvictionPolicy;
use metallic_instrumentation::{
    CacheCleared, CacheEviction, CacheOpened, CachePolicyChanged, CreationOutcome, EntryRemoved,
    RemovalCause, ResourceCacheAccess, ResourceCacheSummary, ResourceCreated,
};
use rustc_hash::FxHashMap;

use super::Recording;
use crate::commands::replay::trace::{Access, Price, StepKind, Trace};
use crate::input::RegistryId;

#[derive(Default)]
pub(super) struct InProgress {
    pub(super) recording: Recording,
    /// The items of a pool are lent, so that its accesses say nothing of what another policy would have had.
    pub(super) is_pool: bool,
    /// The process that the last event was of.
    process: u32,
    ids: FxHashMap<Box<str>, u32>,
    /// By key.
    measured: Vec<Measured>,
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
    /// Hits that the removals of entries count and that are not in the log.
    unlogged_hits: u64,
}

/// The log's record of one key.
#[derive(Clone, Copy, Default)]
struct Measured {
    first: Mean,
    rebuild: Mean,
    /// `true` once it was created in the current run.
    is_known: bool,
    /// Hits since its creation; `None` if that is not in the log.
    hits: Option<u64>,
    bytes: u64,
}

#[derive(Clone, Copy, Default)]
struct Mean {
    sum: f64,
    count: u32,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    /// NaN of nothing.
    fn value(self) -> f64 {
        self.sum / f64::from(self.count)
    }
}

/// The counters of a cache that has just been made go this far until it reports them.
const OPERATIONS_PER_SUMMARY: u64 = 100;

struct Creation {
    key: u32,
    done: Option<u64>,
    fails: bool,
}

impl InProgress {
    /// The cache of this name, of which nothing was read yet.
    pub(super) fn new(registry: RegistryId, name: &str) -> Self {
        Self {
            recording: Recording { registry, trace: Trace::new(name), ..Recording::default() },
            process: registry.process,
            ..Self::default()
        }
    }

    /// An event of this process is next. Another process than before has an empty cache without a policy.
    pub(super) fn enter(&mut self, process: u32, at: Option<u64>) {
        if self.process == process {
            return;
        }
        self.process = process;
        self.recording.trace.push_step(at, StepKind::Restart);
        self.recording.restarts += 1;
        self.orphans += u64::from(self.creation.take().is_some());
        (self.total, self.since_total, self.announced) = (Some(0), 0, None);
        for key in &mut self.measured {
            (key.is_known, key.hits) = (false, None);
        }
    }

    fn id(&mut self, label: &Arc<str>) -> u32 {
        if let Some(id) = self.ids.get(&**label) {
            return *id;
        }
        let id = self.ids.len() as u32;
        self.ids.insert((&**label).into(), id);
        self.measured.push(Measured::default());
        id
    }

    pub(super) fn created(&mut self, created: &ResourceCreated, at: Option<u64>) {
        let key = self.id(&created.cache_key);
        let fails = created.outcome != CreationOutcome::Created;
        let measured = &mut self.measured[key as usize];
        let mean = if measured.is_known { &mut measured.rebuild } else { &mut measured.first };
        mean.add(created.duration_ns as f64);
        measured.is_known = true;
        if !fails {
            measured.hits = Some(0);
            measured.bytes = created.bytes;
        }
        self.orphans += u64::from(self.creation.replace(Creation { key, done: at, fails }).is_some());
    }

    pub(super) fn access(&mut self, access: &ResourceCacheAccess, at: Option<u64>) {
        let key = self.id(&access.cache_key);
        let creation = self.creation.take_if(|creation| !access.hit && creation.key == key);
        let fails = creation.as_ref().is_some_and(|creation| creation.fails);
        let measured = &mut self.measured[key as usize];
        if let Some(hits) = measured.hits.as_mut().filter(|_| access.hit) {
            *hits += 1;
        }
        measured.bytes = measured.bytes.max(access.bytes);
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

    pub(super) fn removed(&mut self, removed: &EntryRemoved, at: Option<u64>) {
        let key = self.id(&removed.cache_key);
        if let Some(logged) = self.measured[key as usize].hits.take() {
            let unlogged = removed.reuse_count.saturating_sub(logged);
            self.unlogged_hits = self.unlogged_hits.saturating_add(unlogged);
        }
        match removed.cause {
            // Under every policy what it was made from had changed: it is gone as if the caller had removed it.
            RemovalCause::Removed | RemovalCause::Stale => {
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

    pub(super) fn cleared(&mut self, cleared: &CacheCleared, at: Option<u64>) {
        if self.announced.take().is_some() {
        } else if cleared.size_after == 0 {
            self.recording.trace.push_step(at, StepKind::Clear);
        } else {
            let unknown = self.recording.unknown_removals.saturating_add(cleared.count);
            self.recording.unknown_removals = unknown;
        }
    }

    pub(super) fn evicted(&mut self, eviction: &CacheEviction, at: Option<u64>) {
        self.recording.evictions = self.recording.evictions.saturating_add(eviction.count);
        if eviction.reason.starts_with("idle_timeout") {
            self.recording.trace.push_step(at, StepKind::ExpireIdle);
        }
    }

    pub(super) fn policy(&mut self, changed: &CachePolicyChanged, at: Option<u64>) {
        let Some(policy) = policy(changed) else { return };
        self.recording.trace.push_step(at, StepKind::SetPolicy(policy));
        self.recording.counts_generations |= policy.max_idle_generations().is_some();
        if !self.recording.policies.contains(&policy) {
            self.recording.policies.push(policy);
        }
    }

    /// The policy that a cache begins with; under none, there is nothing to tell.
    pub(super) fn opened(&mut self, opened: CacheOpened, at: Option<u64>) {
        let CacheOpened {
            cache, strategy, max_entries, max_idle_ns, max_idle_generations, min_entries, ..
        } = opened;
        let idle = max_idle_ns.or(max_idle_generations);
        if strategy != "none" || max_entries.is_some() || idle.is_some() {
            let changed = CachePolicyChanged {
                cache,
                strategy,
                max_entries,
                max_idle_ns,
                max_idle_generations,
                min_entries,
            };
            self.policy(&changed, at);
        }
    }

    /// A summary counts all operations of a cache. Between two of them the log must have as many.
    pub(super) fn summary(&mut self, summary: &ResourceCacheSummary) {
        let total = summary.hits.saturating_add(summary.misses);
        let accesses = self.recording.trace.len() as u64;
        let expected = self.total.unwrap_or(0).saturating_add(self.since_total);
        if self.recording.registry.number.is_some() && self.total.is_some_and(|before| total < before) {
            // Counters of one registry never go back: this summary is in the log twice.
            return;
        }
        if total < expected && total <= OPERATIONS_PER_SUMMARY {
            // It counts from the start of the program, which was so many accesses ago.
            self.recording.trace.insert_restart((accesses - total.min(accesses)) as u32);
            self.recording.restarts += 1;
        } else if total < expected {
            self.recording.entangled += 1;
        } else if self.total.is_none() {
            self.recording.earlier = total - expected;
        } else {
            self.missing_between_summaries = self.missing_between_summaries.saturating_add(total - expected);
        }
        self.total = Some(total);
        self.since_total = 0;
    }

    pub(super) fn finish(mut self) -> Recording {
        self.orphans += u64::from(self.creation.is_some());
        self.recording.missing = self.missing_between_summaries.max(self.orphans).max(self.unlogged_hits);
        if self.recording.entangled > 0 {
            // Counters of several caches say neither when one of them began nor what is missing, and their creations overlap.
            self.recording.trace.remove_restarts();
            (self.recording.restarts, self.recording.missing) = (0, 0);
        }
        let price = |key: &Measured| Price { first: key.first.value(), rebuild: key.rebuild.value() };
        let sized = self.measured.iter().filter(|key| key.bytes > 0);
        let (bytes, keys) = sized.fold((0.0, 0_u32), |(sum, keys), key| (sum + key.bytes as f64, keys + 1));
        self.recording.trace.bytes_per_entry = (keys > 0).then(|| bytes / f64::from(keys));
        self.recording.trace.finish(self.measured.iter().map(price).collect());
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
    if let Some(generations) = changed.max_idle_generations {
        policy = policy.with_max_idle_generations(u32::try_from(generations).unwrap_or(u32::MAX));
    }
    Some(policy.with_min_entries(usize::try_from(changed.min_entries).unwrap_or(usize::MAX)))
}
