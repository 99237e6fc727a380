//! A cache for all threads: one exact [`Cache`](super::cache::Cache) behind a short lock, and one creation a key at a time.
//!
//! Under the lock entries are found, inserted and removed, and nothing else happens: creations, sinks, the formatting of keys
//! and the dropping of what was removed run outside of it.
//!
//! Threads that look up often keep a copy of what they found (`LocalCache`), and come here for what they lack. A copy is good
//! for as long as [`Head::generation`] is the one it was brought up to.

mod arrival;
mod background;
mod creators;
mod deadline;
mod failures;
mod flight;
mod gated;
mod get_or_create;
mod head;
mod judged;
mod leaving;
mod local;
mod look_up;
mod made_on;
mod node;
#[cfg(all(test, loom))]
mod orderings;
mod request;
mod state;
mod task;
mod ticket;
mod waits;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use metallic_instrumentation::{CacheKind, CacheName, RemovalCause, SinkGuard};

use self::background::Awaited;
use self::failures::Failures;
use self::head::Head;
use self::made_on::MadeOn;
use self::node::uses;
use self::state::State;
use super::cache::Cache;
use super::clock::TimeSource;
use super::entries::Entry;
use super::keyed_cache::{Formatted, KernelKeyOf, LabelFormat};
use super::order::Order;
use super::policy::EvictionPolicy;
use super::reporting::{CacheCounters, CacheEvent, CacheMetrics, LastEvent, Reporter, label};
use super::sync::atomic::{AtomicU64, Ordering};
use super::sync::{Mutex, MutexGuard, lock_soon};

pub(super) use self::creators::Creators;
pub(crate) use self::judged::JudgedCache;
pub(super) use self::local::LocalCache;
pub(super) use self::look_up::Fast;
pub(super) use self::node::Node;
pub(crate) use self::request::Request;
pub(super) use self::request::{Got, Made, Purpose};
pub(super) use self::task::Progress;
pub use self::ticket::Ticket;

/// The treatment of a key whose creation failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnFailure {
    /// Those who waited for the creation get its error, and the next look-up creates anew. What a closure makes is excepted:
    /// its error is the caller's own, so the next of those who waited calls its own closure.
    #[default]
    Share,
    /// Those who waited create in turn, until one succeeds.
    Retry,
    /// As [`Share`](Self::Share), and every look-up until `backoff` has passed gets the error, too. A lost device, or the
    /// removal of all entries, ends it.
    Remember {
        /// The time for which nothing is tried.
        backoff: Duration,
    },
}

/// The entries of one cache, for all threads.
pub(super) struct SharedCore<Key, R> {
    head: Head,
    state: Mutex<State<Key, R>>,
    /// Raised under the lock when the device is lost: what was begun before is not inserted after.
    epoch: AtomicU64,
    /// The generation of what was inserted last. Written under the lock, as is the next.
    generation: AtomicU64,
    /// The generation of what was inserted last on a device that is lost.
    lost: AtomicU64,
    /// Keys that are created in the background for those who have a fallback meanwhile.
    awaited: Awaited<Key>,
    made_on: MadeOn,
    name: CacheName,
    format: LabelFormat<Key>,
    /// Makes of a key what a gate knows it by; `None` if it is not the cache of a kernel.
    kernel: Option<KernelKeyOf<Key>>,
    kind: CacheKind,
    time: TimeSource,
}

impl<Key, R> SharedCore<Key, R> {
    pub(super) fn new(
        name: CacheName,
        kind: CacheKind,
        format: LabelFormat<Key>,
        policy: EvictionPolicy,
        time: TimeSource,
    ) -> Self {
        let core = Self {
            head: Head::default(),
            state: Mutex::new(State {
                cache: Cache::new(Order::new_shared(), time.clone(), policy),
                flights: Vec::new(),
                on_failure: OnFailure::default(),
                failures: Failures::default(),
                locals: Vec::new(),
                failed: None,
                outdated: 0,
                reporter: None,
                gate: None,
                is_heard: false,
                summaries: 0,
            }),
            epoch: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            awaited: Awaited::default(),
            made_on: MadeOn::default(),
            name,
            format,
            kernel: None,
            kind,
            time,
        };
        #[cfg(shuttle)]
        waits::prepare();
        core.set_fast_path(&core.lock());
        core
    }

    /// Sets the policy of a cache that no one has used yet: no event tells of it but that of its opening.
    pub(super) fn begin_with(&self, policy: EvictionPolicy) {
        self.lock().cache.set_policy(policy);
    }

    #[cfg(feature = "store")]
    pub(super) fn sink(&self) -> Option<SinkGuard> {
        self.lock().reporter.as_ref().map(|reporter| reporter.sink().clone())
    }

    #[cfg(feature = "store")]
    pub(super) fn time(&self) -> &TimeSource {
        &self.time
    }

    pub(super) fn name(&self) -> &CacheName {
        &self.name
    }

    /// Sends events to `sink` from now on, and returns what they went to before, to be dropped where no lock is held.
    /// [`announce`](Self::announce) is to be called next, where no lock is held either.
    pub(super) fn connect(&self, sink: Option<SinkGuard>) -> Option<Arc<Reporter>> {
        let reporter = sink.map(|sink| Arc::new(Reporter::new(sink, self.name.clone(), self.time.clone())));
        let mut state = self.lock();
        // Until it was asked.
        state.is_heard = reporter.is_some();
        state.summaries = state.totals().summaries();
        self.set_fast_path(&state);
        std::mem::replace(&mut state.reporter, reporter)
    }

    /// Tells the sink of this cache, and asks it what it wants.
    pub(super) fn announce(&self) {
        let state = self.lock();
        let (reporter, policy) = (state.reporter.clone(), state.cache.policy());
        drop(state);
        if let Some(reporter) = &reporter {
            reporter.opened(self.kind, &policy, self.time.stamp());
            self.ask_sink(reporter);
        }
    }

    pub(super) fn set_on_failure(&self, on_failure: OnFailure) {
        self.lock().on_failure = on_failure;
    }

    pub(super) fn policy(&self) -> EvictionPolicy {
        self.lock().cache.policy()
    }

    pub(super) fn set_policy(&self, policy: EvictionPolicy) {
        let mut state = self.lock();
        state.cache.set_policy(policy);
        self.set_fast_path(&state);
        let reporter = state.reporter.clone();
        drop(state);
        if let Some(reporter) = &reporter {
            reporter.policy_changed(&policy, self.time.stamp());
            self.ask_sink(reporter);
        }
    }

    pub(super) fn counters(&self) -> CacheCounters {
        let state = self.lock();
        let hits = state.hits_of_locals();
        let mut counters = state.cache.counters().totals(state.cache.len());
        counters.hits = counters.hits.saturating_add(hits);
        counters
    }

    pub(super) fn metrics(&self) -> CacheMetrics {
        let (state, now) = self.lock_at();
        let hits = state.hits_of_locals();
        let mut metrics = state.cache.snapshot(now, uses);
        metrics.hits = metrics.hits.saturating_add(hits);
        let (event, key) = state.cache.last_event();
        let (key, failed) = (key.cloned(), state.failed.clone());
        drop(state);
        let label = |key: &Key| self.label(key);
        metrics.last_event = match event {
            LastEvent::None => None,
            LastEvent::Hit => key.as_ref().map(|key| CacheEvent::Hit { cache_key: label(key) }),
            LastEvent::Miss(_) => key.as_ref().map(|key| CacheEvent::Miss { cache_key: label(key) }),
            LastEvent::CreationFailed => failed.map(|cache_key| CacheEvent::CreationFailed { cache_key }),
            LastEvent::Evicted { count, reason } => Some(CacheEvent::Evicted { count, reason }),
            LastEvent::Cleared { count } => Some(CacheEvent::Cleared { count }),
        };
        metrics
    }

    /// Removes all entries, and forgets what failed.
    pub(super) fn clear(&self) {
        let (state, now) = self.lock_at();
        self.empty(state, now)();
    }

    /// Removes all entries at `now`, since they are of no use without their device, and keeps those out that are being created.
    /// The function that it returns is to be called where no lock is held.
    pub(super) fn device_lost(&self, now: u64) -> impl FnOnce() + use<'_, Key, R> {
        let state = self.lock();
        self.epoch.fetch_add(1, Ordering::Release);
        self.lost.store(self.generation.load(Ordering::Relaxed), Ordering::Release);
        self.empty(state, now)
    }

    fn empty(&self, mut state: MutexGuard<'_, State<Key, R>>, now: u64) -> impl FnOnce() + use<'_, Key, R> {
        let in_order = state.reporter.is_some();
        let departures = state.cache.clear(in_order, now);
        let failures = state.failures.forget_all();
        let leaving = self.leave(&mut state, departures);
        self.made_on.forget();
        move || {
            self.see_off(&leaving);
            drop((failures, leaving));
        }
    }

    pub(super) fn expire_idle(&self) {
        let (mut state, now) = self.lock_at();
        let leaving = self.expire(&mut state, now);
        drop(state);
        self.see_off(&leaving);
    }

    /// Begins the next generation and evicts what was idle for more generations than the policy allows.
    pub(super) fn next_generation(&self) {
        let (mut state, now) = self.lock_at();
        if state.cache.next_generation(now, uses) {
            let leaving = self.expire(&mut state, now);
            drop(state);
            self.see_off(&leaving);
        }
    }

    /// Removes the entries that `leaves` accepts, and returns how many there were.
    pub(super) fn remove_where(&self, mut leaves: impl FnMut(&Key, &R) -> bool) -> usize {
        // What is dropped by a panic is dropped in the reverse order: the lock is released first.
        let expired;
        let (mut state, now) = self.lock_at();
        expired = self.expire(&mut state, now);
        let leaves = |entry: &Entry<Arc<Key>, Arc<Node<R>>>| leaves(&entry.key, &entry.resource.resource);
        let departures = state.cache.remove_where(leaves, RemovalCause::Removed, now);
        let count = departures.len();
        let leaving = self.leave(&mut state, departures);
        drop(state);
        self.see_off(&expired);
        self.see_off(&leaving);
        count
    }

    /// The generation of what is inserted next. To be called under the lock.
    fn count_insertion(&self) -> u64 {
        self.generation.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn lock(&self) -> MutexGuard<'_, State<Key, R>> {
        // Nothing that can panic runs under the lock but the keys' `Eq`, which changes nothing.
        lock_soon(&self.state)
    }

    /// The lock and the time, which is read before: a clock is not ours, and may use the cache.
    fn lock_at(&self) -> (MutexGuard<'_, State<Key, R>>, u64) {
        let now = self.time.stamp();
        (self.lock(), now)
    }

    pub(super) fn label(&self, key: &Key) -> Arc<str> {
        label(&self.name, &Formatted(key, self.format))
    }
}

impl<Key, R> fmt::Debug for SharedCore<Key, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counters = self.counters();
        f.debug_struct("SharedCore")
            .field("name", &self.name)
            .field("counters", &counters)
            .finish_non_exhaustive()
    }
}
