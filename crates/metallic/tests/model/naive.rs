//! The model of one cache: a list of entries, and for every decision a look at all of them.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use metallic::caching::{CacheEvent, CacheMetrics, EvictionReason};
use metallic_instrumentation::{
    CacheCleared, CacheEviction, CacheKind, CacheOpened, CachePolicyChanged, CreationOutcome, EntryRemoved,
    Event, EventData, RemovalCause, ResourceCacheAccess, ResourceCacheSummary, ResourceCreated,
};

use super::op::{Creation, Ending, Policy, Start};
use super::queues::{Queue, Queues};
use super::workshop::{COMPLAINT, bytes_of, is_unspeakable};

pub(crate) struct Naive {
    name: &'static str,
    /// Nanoseconds on the clock that all caches share.
    clock: Rc<Cell<u64>>,
    pub(super) entries: Vec<Entry>,
    pub(super) policy: Policy,
    pub(super) queues: Queues,
    /// Generations that have ended.
    generation: u64,
    /// Numbers everything that happens, for the order of what happens at one time.
    sequence: u64,
    hits: u64,
    misses: u64,
    evictions: u64,
    removals: u64,
    failed_creations: u64,
    creations: u64,
    creation_ns: u64,
    last_event: Option<CacheEvent>,
    /// A trap was dropped since this was last taken.
    sprung: bool,
    /// The reports since they were last taken.
    pub(crate) events: Vec<Event>,
}

pub(super) struct Entry {
    pub(super) key: u16,
    serial: u64,
    pub(super) created_seq: u64,
    created_at: u64,
    used_seq: u64,
    used_at: u64,
    used_in: u64,
    reuse: u64,
    cost: u64,
    is_trap: bool,
    /// SIEVE's bit.
    pub(super) visited: bool,
    /// S3-FIFO's counter.
    pub(super) frequency: u8,
    pub(super) queue: Queue,
    /// When it came into its queue.
    pub(super) queued_seq: u64,
}

/// The result of a look-up.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Resource { serial: u64, uses: u64 },
    Error,
    Panic,
}

impl Naive {
    pub(crate) fn new(name: &'static str, clock: Rc<Cell<u64>>) -> Self {
        Self {
            name,
            clock,
            entries: Vec::new(),
            policy: Policy { start: Start::None, max: None, idle: None, generations: None, min: None },
            queues: Queues::default(),
            generation: 0,
            sequence: 0,
            hits: 0,
            misses: 0,
            evictions: 0,
            removals: 0,
            failed_creations: 0,
            creations: 0,
            creation_ns: 0,
            last_event: None,
            sprung: false,
            events: Vec::new(),
        }
    }

    /// A policy came into force, and no more.
    pub(crate) fn opened(&self) -> CacheOpened {
        CacheOpened {
            cache: self.name.into(),
            kind: CacheKind::Kernel,
            strategy: self.policy.strategy().into(),
            max_entries: self.policy.max_entries().map(|max| max as u64),
            max_idle_ns: self.policy.max_idle().map(nanoseconds),
            max_idle_generations: self.policy.generations.map(u64::from),
            min_entries: self.policy.min_entries() as u64,
        }
    }

    /// `true` if something that was dropped since the last call panicked.
    pub(crate) fn take_sprung(&mut self) -> bool {
        std::mem::take(&mut self.sprung)
    }

    pub(crate) fn get(&mut self, key: u16, creation: Creation) -> Answer {
        self.expire_idle();
        if self.take_sprung() {
            return Answer::Panic;
        }
        let began = self.now();
        let cache_key = self.label(key);
        let (used_seq, used_in) = (self.next_in_sequence(), self.generation);
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.key == key) {
            entry.used_seq = used_seq;
            entry.used_at = began;
            entry.used_in = used_in;
            entry.reuse += 1;
            entry.visited = true;
            entry.frequency = (entry.frequency + 1).min(3);
            let (serial, uses) = (entry.serial, entry.reuse + 1);
            self.hits += 1;
            self.last_event = Some(CacheEvent::Hit { cache_key: cache_key.clone() });
            self.report(began, ResourceCacheAccess { cache_key, hit: true, bytes: bytes_of(key) });
            self.summarize(began);
            return Answer::Resource { serial, uses };
        }

        self.make_room();
        self.misses += 1;
        let ending = if self.take_sprung() {
            // Nothing is created after that, and the miss is one that panicked.
            Ending::Panic
        } else {
            self.creations += 1;
            self.clock.set(began.saturating_add(nanoseconds(creation.cost)));
            creation.ending
        };
        let cost = self.now() - began;
        self.creation_ns += cost;
        let serial = self.creations;
        let is_trap = ending == Ending::Trap;
        let (answer, outcome, error, bytes) = match ending {
            Ending::Success | Ending::Trap => {
                (Answer::Resource { serial, uses: 1 }, CreationOutcome::Created, None, bytes_of(key))
            }
            Ending::Failure => {
                let message = format!("invalid parameters: {COMPLAINT}");
                (Answer::Error, CreationOutcome::Failed, Some(message), 0)
            }
            Ending::Panic | Ending::PanicInBytes => (Answer::Panic, CreationOutcome::Panicked, None, 0),
        };
        if outcome == CreationOutcome::Created {
            let (created_seq, created_at) = (used_seq, self.now());
            let used_at = created_at;
            let (visited, frequency, queue) = (false, 0, self.queue_of_newcomer(key));
            let queued_seq = self.next_in_sequence();
            self.entries.push(Entry {
                key,
                serial,
                created_seq,
                created_at,
                used_seq,
                used_at,
                used_in,
                reuse: 0,
                cost,
                is_trap,
                visited,
                frequency,
                queue,
                queued_seq,
            });
            self.last_event = Some(CacheEvent::Miss { cache_key: cache_key.clone() });
        } else {
            self.failed_creations += 1;
            self.last_event = Some(CacheEvent::CreationFailed { cache_key: cache_key.clone() });
        }
        let cache = self.name.into();
        let created = ResourceCreated {
            cache,
            cache_key: cache_key.clone(),
            duration_ns: cost,
            own_duration_ns: cost,
            loaded: false,
            outcome,
            error,
            bytes,
        };
        self.report(self.now(), created);
        self.report(began, ResourceCacheAccess { cache_key, hit: false, bytes });
        self.summarize(began);
        answer
    }

    /// The serial number of the resource, if it was there. It is not dropped.
    pub(crate) fn remove(&mut self, key: u16) -> Option<u64> {
        self.expire_idle();
        if self.sprung {
            return None;
        }
        let position = self.entries.iter().position(|entry| entry.key == key)?;
        let entry = self.leave(position, RemovalCause::Removed);
        self.cleared(1);
        Some(entry.serial)
    }

    pub(crate) fn clear(&mut self) {
        let mut count = 0;
        while let Some(oldest) = self.lowest(|entry| entry.created_seq) {
            let entry = self.leave(oldest, RemovalCause::Cleared);
            self.sprung |= entry.is_trap;
            count += 1;
        }
        self.queues = Queues::default();
        self.cleared(count);
    }

    /// All entries where `now - last_used_at > max_idle`, or unused for more generations than may be, from the one unused for
    /// longest, but for the last `min_entries`.
    pub(crate) fn expire_idle(&mut self) {
        let idle = self.idle_keys();
        // One event for all, with the limit that all of them exceed.
        let is_timed_out = |entry: &Entry| !idle.contains(&entry.key) || self.is_timed_out(entry);
        let reason = match (self.policy.max_idle(), self.policy.generations) {
            (Some(max_idle), _) if self.entries.iter().all(is_timed_out) => {
                EvictionReason::IdleTimeout(max_idle)
            }
            (_, Some(generations)) => EvictionReason::IdleGenerations(generations),
            _ => return,
        };
        for key in &idle {
            if let Some(position) = self.entries.iter().position(|entry| entry.key == *key) {
                let entry = self.leave(position, RemovalCause::IdleTimeout);
                self.sprung |= entry.is_trap;
            }
        }
        let text = match reason {
            EvictionReason::IdleTimeout(max) => format!("idle_timeout_exceeded_{}ms", max.as_millis()),
            _ => format!("idle_generations_exceeded_{}", self.policy.generations.unwrap_or(0)),
        };
        self.evicted(idle.len() as u64, reason, text);
    }

    /// Generations are counted where a policy limits them.
    pub(crate) fn next_generation(&mut self) {
        if self.policy.generations.is_some() {
            self.generation += 1;
            self.expire_idle();
        }
    }

    fn is_timed_out(&self, entry: &Entry) -> bool {
        let idle = Duration::from_nanos(self.now() - entry.used_at);
        self.policy.max_idle().is_some_and(|max_idle| idle > max_idle)
    }

    /// Those that expire, from the one unused for longest.
    fn idle_keys(&self) -> Vec<u16> {
        let past = |entry: &Entry| {
            let generations = self.generation - entry.used_in;
            self.policy.generations.is_some_and(|max| generations > u64::from(max))
        };
        let idle = self.entries.iter().filter(|entry| self.is_timed_out(entry) || past(entry));
        let mut idle: Vec<_> = idle.map(|entry| (entry.used_seq, entry.key)).collect();
        idle.sort();
        idle.truncate(self.entries.len().saturating_sub(self.policy.min_entries()));
        idle.into_iter().map(|(_, key)| key).collect()
    }

    /// The serial number of what a look-up would find.
    pub(crate) fn peek(&self, key: u16) -> Option<u64> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        (!self.idle_keys().contains(&key)).then_some(entry.serial)
    }

    pub(crate) fn set_policy(&mut self, policy: Policy) {
        let before = std::mem::replace(&mut self.policy, policy);
        self.change_queues(before.start);
        if before.generations.is_none() {
            // Of uses before nothing is known.
            self.entries.iter_mut().for_each(|entry| entry.used_in = self.generation);
        }
        let changed = CachePolicyChanged {
            cache: self.name.into(),
            strategy: self.policy.strategy().into(),
            max_entries: self.policy.max_entries().map(|max| max as u64),
            max_idle_ns: self.policy.max_idle().map(nanoseconds),
            max_idle_generations: self.policy.generations.map(u64::from),
            min_entries: self.policy.min_entries() as u64,
        };
        self.report(self.now(), changed);
    }

    /// The keys that are there, and the serial numbers of their resources.
    pub(crate) fn residents(&self) -> impl Iterator<Item = (u16, u64)> {
        self.entries.iter().map(|entry| (entry.key, entry.serial))
    }

    pub(crate) fn creations(&self) -> u64 {
        self.creations
    }

    pub(crate) fn metrics(&self) -> CacheMetrics {
        let ages = |at: fn(&Entry) -> u64| {
            let ages = self.entries.iter().map(move |entry| self.now() - at(entry));
            (ages.clone().max().map(Duration::from_nanos), ages.min().map(Duration::from_nanos))
        };
        let mut metrics = CacheMetrics::default();
        metrics.size = self.entries.len();
        metrics.hits = self.hits;
        metrics.misses = self.misses;
        metrics.evictions = self.evictions;
        metrics.last_event = self.last_event.clone();
        (metrics.oldest_entry_age, metrics.newest_entry_age) = ages(|entry| entry.created_at);
        (metrics.longest_idle_age, metrics.shortest_idle_age) = ages(|entry| entry.used_at);
        metrics.max_entry_reuse_count = self.entries.iter().map(|entry| entry.reuse).max();
        metrics.removals = self.removals;
        metrics.failed_creations = self.failed_creations;
        metrics.creation_time = Duration::from_nanos(self.creation_ns);
        metrics.bytes = self.entries.iter().map(|entry| bytes_of(entry.key)).sum();
        metrics
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        self.policy.max_entries().map(|max| max.max(self.policy.min_entries().saturating_add(1)))
    }

    /// LRU: the oldest use leaves; FIFO: the oldest creation. Both let go of one entry a miss; the others go down to where
    /// the newcomer fits.
    fn make_room(&mut self) {
        let Some(capacity) = self.capacity() else { return };
        let one_a_miss = matches!(self.policy.start, Start::Lru | Start::Fifo);
        let mut count = 0;
        while self.entries.len() >= capacity && !(one_a_miss && count == 1) {
            count += match self.policy.start {
                Start::S3Fifo(_) => self.s3_fifo_evict(),
                Start::Sieve(_) => self.sieve_evict(),
                Start::Fifo => self.evict(self.lowest(|entry| entry.created_seq)),
                _ => self.evict(self.lowest(|entry| entry.used_seq)),
            };
        }
        let text = format!("size_limit_exceeded_max_{capacity}");
        self.evicted(count, EvictionReason::SizeLimit(capacity), text);
    }

    pub(super) fn evict(&mut self, victim: Option<usize>) -> u64 {
        let entry = self.leave(victim.expect("a full cache has entries"), RemovalCause::SizeLimit);
        self.sprung |= entry.is_trap;
        1
    }

    pub(super) fn lowest(&self, of: impl Fn(&Entry) -> u64) -> Option<usize> {
        (0..self.entries.len()).min_by_key(|position| of(&self.entries[*position]))
    }

    fn leave(&mut self, position: usize, cause: RemovalCause) -> Entry {
        self.hand_leaves(position);
        let entry = self.entries.remove(position);
        let now = self.now();
        let removed = EntryRemoved {
            cache: self.name.into(),
            cache_key: self.label(entry.key),
            cause,
            age_ns: now - entry.created_at,
            idle_ns: now - entry.used_at,
            reuse_count: entry.reuse,
            creation_ns: entry.cost,
            bytes: bytes_of(entry.key),
        };
        self.report(now, removed);
        entry
    }

    fn evicted(&mut self, count: u64, reason: EvictionReason, text: String) {
        if count == 0 {
            return;
        }
        self.evictions += count;
        self.last_event = Some(CacheEvent::Evicted { count, reason });
        let (cache, strategy) = (self.name.into(), self.policy.strategy().into());
        let size_after = self.entries.len() as u64;
        self.report(self.now(), CacheEviction { cache, strategy, count, reason: text.into(), size_after });
    }

    fn cleared(&mut self, count: u64) {
        self.removals += count;
        self.last_event = Some(CacheEvent::Cleared { count });
        let size_after = self.entries.len() as u64;
        self.report(self.now(), CacheCleared { cache: self.name.into(), count, size_after });
    }

    fn summarize(&mut self, began: u64) {
        let (hits, misses) = (self.hits, self.misses);
        if (hits + misses) % 100 == 0 {
            let hit_rate = hits as f64 * 100.0 / (hits + misses) as f64;
            let (cache, size) = (self.name.into(), self.entries.len() as u64);
            self.report(began, ResourceCacheSummary { cache, hits, misses, hit_rate, size });
        }
    }

    fn report(&mut self, at: u64, data: impl Into<EventData>) {
        self.events.push(Event::at(at, data));
    }

    fn label(&self, key: u16) -> Arc<str> {
        if is_unspeakable(key) {
            return format!("{}:<Debug panicked>", self.name).into();
        }
        format!("{}:Key{{id:{key},text:\"key {key}\"}}", self.name).into()
    }

    fn now(&self) -> u64 {
        self.clock.get()
    }

    pub(super) fn next_in_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
