//! Items that are lent to one holder at a time, such as buffers.
//!
//! The items that are here are entries of a [`Cache`](super::cache::Cache), in the order of their return; those that are lent
//! are in the hands of their holders, and only their places are kept. Under the lock items are found, taken out and put back, and
//! nothing else happens: makers, sinks, the formatting of keys and the dropping of what was evicted run outside of it.

mod checkout;
mod gated;
mod lent;
mod shelves;

use std::cell::Cell;
use std::fmt::{self, Debug};
use std::sync::{Arc, PoisonError};

use metallic_instrumentation::{CacheKind, CacheName, SinkGuard};

use self::lent::Item;
use self::shelves::{ShelfId, Shelves};
use super::cache::{Cache, Departures};
use super::clock::TimeSource;
use super::drops::{Foreign, run_each};
use super::gate::CreationGate;
use super::keyed_cache::{Formatted, LabelFormat, nothing_newer};
use super::order::Order;
use super::policy::EvictionPolicy;
use super::reporting::{CacheCounters, CacheEvent, CacheMetrics, LastEvent, Reporter, label};
use super::sync::{Mutex, MutexGuard};

pub use self::lent::Lent;

/// Items of a registry that are lent to one holder at a time: buffers, encoders, scratch memory.
///
/// [`checkout`](Self::checkout) lends an item of a key, the one that was returned last, or makes one; any number of a key may be
/// lent at once. The guard returns it when it is dropped, also by a panic. A clone is a handle to the same pool.
///
/// A pool has an [`EvictionPolicy`] as every cache has. It orders the items that are here by their return: idle time counts from
/// then, and `fifo` evicts the item that was returned first. What is lent is never evicted, but counts: a limit is one on all
/// items, and what is over it when an item is returned is evicted. In [`CacheMetrics`] a checkout is a hit or a miss, and the
/// size is that of the items that are here; [`lent`](Self::lent) counts the others.
///
/// ```
/// use metallic::caching::{EvictionPolicy, SharedRegistry};
///
/// let registry: SharedRegistry = SharedRegistry::new();
/// let buffers = registry.pool::<usize, Vec<f32>>("buffer")?;
/// buffers.set_eviction_policy(EvictionPolicy::lru().with_max_entries(16));
/// {
///     let mut one = buffers.checkout(&64, || vec![0.0; 64]);
///     let other = buffers.checkout(&64, || vec![0.0; 64]); // not the same
///     one[0] = other[0] + 1.0;
/// } // both are returned
/// assert_eq!((buffers.counters().size, buffers.lent()), (2, 0));
/// # Ok::<(), metallic::error::Error>(())
/// ```
pub struct Pool<Key, R>(Arc<PoolCore<Key, R>>);

pub(super) struct PoolCore<Key, R> {
    state: Mutex<State<Key, R>>,
    name: CacheName,
    format: LabelFormat<Key>,
    time: TimeSource,
}

struct State<Key, R> {
    cache: Cache<Key, Shelved<R>>,
    shelves: Shelves<Key>,
    lent: usize,
    /// Items that were made so far.
    made: u64,
    /// Devices that were lost so far. What was lent before does not come back.
    epoch: u64,
    /// The label of the key whose creation failed last.
    failed: Option<Arc<str>>,
    reporter: Option<Arc<Reporter>>,
    gate: Option<Arc<dyn CreationGate>>,
}

/// An item that is here.
struct Shelved<R> {
    resource: R,
    shelf: ShelfId,
    /// Tells the item from all others of the pool.
    serial: u64,
    /// Once it was in an event.
    label: Option<Arc<str>>,
}

/// Work for after the lock: what was removed is reported, and then dropped. By a panic, too, which is why it is to be declared
/// before the lock is taken if there may be one.
struct Leaving<'a, Key, R> {
    core: &'a PoolCore<Key, R>,
    is_reported: Cell<bool>,
    reporter: Option<Arc<Reporter>>,
    policy: EvictionPolicy,
    departures: Departures<Key, Shelved<R>>,
    /// The keys that have no items any more.
    _keys: Vec<Foreign<Key>>,
}

impl<Key, R> Pool<Key, R> {
    pub(super) fn new(
        name: CacheName,
        format: LabelFormat<Key>,
        policy: EvictionPolicy,
        time: TimeSource,
    ) -> Self {
        let state = State {
            cache: Cache::new(Order::new(), time.clone(), policy),
            shelves: Shelves::default(),
            lent: 0,
            made: 0,
            epoch: 0,
            failed: None,
            reporter: None,
            gate: None,
        };
        Self(Arc::new(PoolCore { state: Mutex::new(state), name, format, time }))
    }

    pub(super) fn core(&self) -> &Arc<PoolCore<Key, R>> {
        &self.0
    }

    /// The name of the pool in events and metrics.
    pub fn name(&self) -> &CacheName {
        &self.0.name
    }

    /// The number of items that are lent or being made.
    pub fn lent(&self) -> usize {
        self.0.lock().lent
    }

    /// Removes all items that are here. Those that are lent are returned as ever.
    pub fn clear(&self) {
        self.0.clear();
    }

    /// Evicts the items that were idle for longer than the policy allows, as every checkout does.
    pub fn expire_idle(&self) {
        self.0.expire_idle();
    }

    /// The policy in force.
    pub fn eviction_policy(&self) -> EvictionPolicy {
        self.0.policy()
    }

    /// Changes the policy from the next operation on.
    pub fn set_eviction_policy(&self, policy: EvictionPolicy) {
        self.0.set_policy(policy);
    }

    /// The counters.
    pub fn counters(&self) -> CacheCounters {
        self.0.lock().totals()
    }

    /// A snapshot of the counters and of the ages of the items that are here. O(n). A pool does not keep the key of its last
    /// checkout: then there is no last event.
    pub fn metrics(&self) -> CacheMetrics {
        self.0.metrics()
    }
}

impl<Key, R> PoolCore<Key, R> {
    pub(super) fn name(&self) -> &CacheName {
        &self.name
    }

    pub(super) fn policy(&self) -> EvictionPolicy {
        self.lock().cache.policy()
    }

    pub(super) fn set_policy(&self, policy: EvictionPolicy) {
        let mut state = self.lock();
        state.cache.set_policy(policy);
        let reporter = state.reporter.clone();
        drop(state);
        if let Some(reporter) = reporter {
            reporter.policy_changed(&policy, self.time.stamp());
        }
    }

    pub(super) fn metrics(&self) -> CacheMetrics {
        let (state, now) = self.lock_at();
        let mut metrics = state.cache.snapshot(now, nothing_newer);
        metrics.last_event = match state.cache.last_event().0 {
            LastEvent::None | LastEvent::Hit | LastEvent::Miss(_) => None,
            LastEvent::CreationFailed => {
                state.failed.clone().map(|cache_key| CacheEvent::CreationFailed { cache_key })
            }
            LastEvent::Evicted { count, reason } => Some(CacheEvent::Evicted { count, reason }),
            LastEvent::Cleared { count } => Some(CacheEvent::Cleared { count }),
        };
        metrics
    }

    /// Sends events to `sink` from now on, and returns what they went to before, to be dropped where no lock is held.
    /// [`announce`](Self::announce) is to be called next, where no lock is held either.
    pub(super) fn connect(&self, sink: Option<SinkGuard>) -> Option<Arc<Reporter>> {
        let reporter = sink.map(|sink| Arc::new(Reporter::new(sink, self.name.clone(), self.time.clone())));
        std::mem::replace(&mut self.lock().reporter, reporter)
    }

    /// Tells the sink of this pool.
    pub(super) fn announce(&self) {
        let state = self.lock();
        let (reporter, policy) = (state.reporter.clone(), state.cache.policy());
        drop(state);
        if let Some(reporter) = reporter {
            reporter.opened(CacheKind::Pool, &policy, self.time.stamp());
        }
    }

    pub(super) fn clear(&self) {
        let (mut state, now) = self.lock_at();
        let leaving = self.empty(&mut state, now);
        drop(state);
        self.see_off(&leaving);
    }

    /// Removes the items that are here at `now`, and keeps those out that are lent. What it returns is to be called where no lock
    /// is held.
    pub(super) fn device_lost(&self, now: u64) -> impl FnOnce() + use<'_, Key, R> {
        let mut state = self.lock();
        state.epoch += 1;
        let leaving = self.empty(&mut state, now);
        drop(state);
        move || self.see_off(&leaving)
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
        if state.cache.next_generation(now, nothing_newer) {
            let leaving = self.expire(&mut state, now);
            drop(state);
            self.see_off(&leaving);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<Key, R>> {
        // Nothing that can panic runs under the lock but the keys' `Eq`, which changes nothing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock and the time, which is read before: a clock is not ours, and may use the pool.
    fn lock_at(&self) -> (MutexGuard<'_, State<Key, R>>, u64) {
        let now = self.time.stamp();
        (self.lock(), now)
    }

    fn label(&self, key: &Key) -> Arc<str> {
        label(&self.name, &Formatted(key, self.format))
    }

    fn empty(&self, state: &mut State<Key, R>, now: u64) -> Option<Leaving<'_, Key, R>> {
        let departures = state.cache.clear(state.reporter.is_some(), now);
        self.leave(state, departures)
    }

    fn expire(&self, state: &mut State<Key, R>, now: u64) -> Option<Leaving<'_, Key, R>> {
        let departures = state.cache.expire(now, nothing_newer);
        self.leave(state, departures)
    }

    /// Takes items off the shelves that were removed from the cache.
    fn leave(
        &self,
        state: &mut State<Key, R>,
        departures: Departures<Key, Shelved<R>>,
    ) -> Option<Leaving<'_, Key, R>> {
        if departures.is_empty() && departures.reason.is_none() {
            return None;
        }
        let State { cache, shelves, .. } = state;
        let keys: Vec<Key> = if cache.len() == 0 {
            shelves.remove_all()
        } else {
            let left = departures.iter().map(|departed| (departed.entry.resource.shelf, departed.id));
            left.filter_map(|(shelf, id)| shelves.remove(shelf, id)).collect()
        };
        let _keys = keys.into_iter().map(Foreign::new).collect();
        if let Some(map) = cache.compact() {
            shelves.renumber(&map);
        }
        let (reporter, policy) = (state.reporter.clone(), state.cache.policy());
        let is_reported = Cell::new(reporter.is_none());
        Some(Leaving { core: self, is_reported, reporter, policy, departures, _keys })
    }

    /// Reports what was removed. The caller drops it when all that it has to report is reported: a `Drop` may panic.
    fn see_off(&self, leaving: &Option<Leaving<'_, Key, R>>) {
        if let Some(leaving) = leaving {
            self.report(leaving);
        }
    }

    fn report(&self, leaving: &Leaving<'_, Key, R>) {
        let Leaving { is_reported, reporter: Some(reporter), policy, departures, .. } = leaving else {
            return;
        };
        is_reported.set(true);
        let at = departures.at;
        for departed in departures.iter() {
            let known = departed.entry.resource.label.clone();
            let label = || known.unwrap_or_else(|| self.label(&departed.entry.key));
            reporter.removed(label, &departed.history, departed.bytes, departed.cause, at);
        }
        departures.report_reason(reporter, policy);
    }
}

impl<Key, R> State<Key, R> {
    fn totals(&self) -> CacheCounters {
        self.cache.counters().totals(self.cache.len())
    }
}

impl<Key, R> Drop for Leaving<'_, Key, R> {
    fn drop(&mut self) {
        if !self.is_reported.get() {
            run_each([&*self], |leaving| leaving.core.report(leaving));
        }
    }
}

impl<Key, R> Clone for Pool<Key, R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Key, R> Debug for Pool<Key, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.0.name)
            .field("counters", &self.counters())
            .field("lent", &self.lent())
            .finish_non_exhaustive()
    }
}
