//! A cache that reports what it does, for one thread.

mod arrival;
mod gated;
mod get_or_create;
mod remove;
mod report;

use std::fmt::{self, Debug};
use std::sync::Arc;

use equivalent::Equivalent;
use metallic_instrumentation::{CacheKind, CacheName, SinkGuard};

use super::cache::{Cache, Departures};
use super::clock::TimeSource;
use super::gate::{CreationGate, KernelKey};
use super::order::{EntryId, Order, Uses};
use super::policy::EvictionPolicy;
use super::reporting::{CacheCounters, CacheEvent, CacheMetrics, LastEvent};
use crate::error::Error;

pub(super) use self::arrival::Arrival;
pub(super) use self::report::Formatted;
use self::report::Reporting;

/// Returns a key as a gate sees it.
pub(super) type KernelKeyOf<Key> = for<'a> fn(&'a Key) -> KernelKey<'a>;

/// Writes the text of a key's label.
pub(super) type LabelFormat<Key> = fn(&Key, &mut fmt::Formatter<'_>) -> fmt::Result;

/// A cache whose keys and resources are known by their types alone: what makes a resource is given with each look-up.
///
/// A registry holds one for each name it was asked for: see
/// [`CacheRegistry::keyed_cache`](super::CacheRegistry::keyed_cache). A cache of a kernel is one inside.
pub struct KeyedCache<Key, R> {
    cache: Cache<Key, R>,
    /// The limit of [`TimeSource::hit_stamp_before`] up to which a look-up has nothing to do but to look up: no entry may be
    /// idle, no sink wants to hear of it, and the machine's time is the cache's. One comparison instead of three, for caches
    /// that have none of them; a cache with a sink that wants hits, or with a custom clock, never takes the fast path.
    fast_path_until: u64,
    reporting: Option<Box<Reporting>>,
    gate: Option<Arc<dyn CreationGate>>,
    /// Makes of a key what a gate knows it by; `None` if it is not the cache of a kernel.
    kernel: Option<KernelKeyOf<Key>>,
    format: LabelFormat<Key>,
    /// The label of the key whose creation failed last.
    failed: Option<Arc<str>>,
    name: CacheName,
    kind: CacheKind,
    /// The owner of the name, if it is not this cache. A cache whose name is taken creates nothing.
    name_taken_by: Option<&'static str>,
}

/// A single-threaded cache is told of every use at once: it has nothing to learn from its resources.
#[inline(always)]
pub(super) fn nothing_newer<R>(_resource: &R) -> Option<Uses> {
    None
}

impl<Key, R> KeyedCache<Key, R> {
    pub(super) fn new(
        name: CacheName,
        kind: CacheKind,
        format: LabelFormat<Key>,
        policy: EvictionPolicy,
        time: TimeSource,
    ) -> Self {
        let cache = Cache::new(Order::new(), time, policy);
        let mut new = Self {
            cache,
            fast_path_until: 0,
            reporting: None,
            gate: None,
            kernel: None,
            format,
            failed: None,
            name,
            kind,
            name_taken_by: None,
        };
        new.refresh_fast_path();
        new
    }

    /// The name of the cache in events and metrics.
    pub fn name(&self) -> &CacheName {
        &self.name
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.cache.len()
    }

    /// Returns `true` if there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns `true` if there are no entries, and none is being created.
    pub(super) fn is_vacant(&self) -> bool {
        self.cache.is_vacant()
    }

    /// The policy in force.
    pub fn eviction_policy(&self) -> EvictionPolicy {
        self.cache.policy()
    }

    /// Changes the policy from the next operation on. Entries and counters stay, and so does what is known of the order in
    /// which entries were created and used. O(1), but O(n log n) if an order begins to matter that did not before, and O(n)
    /// if the order of use ceases to.
    pub fn set_eviction_policy(&mut self, policy: EvictionPolicy) {
        self.cache.set_policy(policy);
        self.refresh_fast_path();
        if let Some(reporting) = &self.reporting {
            reporting.reporter.policy_changed(&policy, self.cache.time().stamp());
        }
    }

    /// The counters. O(1).
    pub fn counters(&self) -> CacheCounters {
        self.cache.counters().totals(self.len())
    }

    /// A snapshot of the counters and of the entries' ages. O(n): one look at each entry's history.
    pub fn metrics(&self) -> CacheMetrics {
        let now = self.cache.time().stamp();
        CacheMetrics { last_event: self.last_event(), ..self.cache.snapshot(now, nothing_newer) }
    }

    /// Removes all entries and gives their memory back. Counters and policy stay. An empty cache is cleared too, and reported so
    /// with a count of 0.
    pub fn clear(&mut self) {
        let now = self.cache.time().stamp();
        let in_order = self.reporting.as_ref().is_some_and(|reporting| reporting.reporter.wants_removals());
        let departures = self.cache.clear(in_order, now);
        self.depart(&departures);
    }

    /// Evicts the entries that were idle for longer than the policy allows. Every look-up and every removal of a key begins
    /// with this; call it for a cache that is no longer used and should still let go.
    pub fn expire_idle(&mut self) {
        let now = self.cache.time().stamp();
        drop(self.expire(now));
    }

    /// Begins the next generation and evicts the entries that were idle for more generations than the policy allows. Does nothing
    /// under a policy that does not limit them.
    pub fn next_generation(&mut self) {
        let now = self.cache.time().stamp();
        if self.cache.next_generation(now, nothing_newer) {
            let expired = self.expire(now);
            self.refresh_fast_path();
            drop(expired);
        }
    }

    /// Evicts idle entries, and reports them. They are dropped by the caller.
    #[inline]
    pub(super) fn expire(&mut self, now: u64) -> Departures<Key, R> {
        let departures = self.cache.expire(now, nothing_newer);
        if !departures.is_empty() {
            self.depart(&departures);
        }
        departures
    }

    /// The stamp of a look-up that begins now and is nothing but a look-up.
    #[inline(always)]
    pub(super) fn fast_stamp(&self) -> Option<u64> {
        TimeSource::hit_stamp_before(self.fast_path_until)
    }

    /// [`fast_stamp`](Self::fast_stamp) of one that was taken already: `true` if it will do.
    #[inline(always)]
    pub(super) fn is_fast_at(&self, now: u64) -> bool {
        now < self.fast_path_until
    }

    /// Drops all entries, for a cache that is being dropped.
    pub(super) fn drop_entries(&mut self) {
        self.cache.drop_entries();
    }

    #[inline(always)]
    pub(super) fn find<Q: Equivalent<Key> + ?Sized>(&self, hash: u64, query: &Q) -> Option<EntryId> {
        self.cache.find(hash, query)
    }

    #[inline(always)]
    pub(super) fn hit(&mut self, id: EntryId, now: u64) -> &mut R {
        self.cache.hit(id, now)
    }

    #[inline]
    pub(super) fn resource(&self, id: EntryId) -> &R {
        &self.cache.get(id).resource
    }

    #[inline]
    pub(super) fn resource_mut(&mut self, id: EntryId) -> &mut R {
        self.cache.resource_mut(id)
    }

    /// A look-up where there may be more to it than finding the entry. Returns the moment it began, and the entry, whose use
    /// is neither counted nor reported yet.
    pub(super) fn look_up<Q: Equivalent<Key> + ?Sized>(
        &mut self,
        hash: u64,
        query: &Q,
    ) -> (u64, Option<EntryId>) {
        let now = self.cache.time().stamp();
        drop(self.expire(now));
        (now, self.find(hash, query))
    }

    /// Counts and reports a hit on an entry that [`look_up`](Self::look_up) found.
    pub(super) fn hit_slow(&mut self, id: EntryId, now: u64) {
        self.cache.hit(id, now);
        self.report_hit(id, now);
    }

    pub(super) fn time(&self) -> &TimeSource {
        self.cache.time()
    }

    pub(super) fn set_time(&mut self, time: TimeSource) {
        self.cache.set_time(time.clone());
        if let Some(reporting) = &mut self.reporting {
            reporting.reporter.set_time(time);
        }
        self.refresh_fast_path();
    }

    pub(super) fn set_sink(&mut self, sink: Option<SinkGuard>) {
        // A refused cache is silent: its events would pass for those of the cache that has the name.
        let sink = sink.filter(|_| !self.is_refused());
        self.reporting =
            sink.map(|sink| Box::new(Reporting::new(sink, self.name.clone(), self.time().clone())));
        if let Some(reporting) = &self.reporting {
            let now = self.time().stamp();
            reporting.reporter.opened(self.kind, &self.cache.policy(), now);
        }
        self.refresh_fast_path();
    }

    /// Has each creation ask `gate` first.
    pub(super) fn set_gate(&mut self, gate: Option<Arc<dyn CreationGate>>) {
        self.gate = gate;
    }

    /// Says that this is the cache of a kernel.
    pub(super) fn set_kernel(&mut self, kernel: KernelKeyOf<Key>) {
        self.kernel = Some(kernel);
    }

    /// Gives the cache another name. To be called before the first use.
    pub(super) fn set_name(&mut self, name: CacheName) {
        self.name = name;
        self.name_taken_by = None;
    }

    /// Makes every creation fail, because `owner` has this cache's name.
    pub(super) fn refuse(&mut self, owner: &'static str) {
        self.name_taken_by = Some(owner);
    }

    pub(super) fn is_refused(&self) -> bool {
        self.name_taken_by.is_some()
    }

    /// # Errors
    /// [`Error::DuplicateCacheName`] if another cache has the name.
    #[inline]
    pub(super) fn check_name(&self, user: &'static str) -> Result<(), Error> {
        match self.name_taken_by {
            Some(first) => Err(Error::DuplicateCacheName { name: self.name.clone(), first, second: user }),
            None => Ok(()),
        }
    }

    /// Finds out how long a look-up is nothing but a look-up, and asks the sink what it wants. To be called after whatever may
    /// shorten that.
    pub(super) fn refresh_fast_path(&mut self) {
        let heard = self.reporting.as_mut().is_some_and(|reporting| reporting.ask());
        let limit = || self.cache.time().hit_limit(self.cache.nothing_expires_before());
        self.fast_path_until = if heard { 0 } else { limit() };
    }

    fn last_event(&self) -> Option<CacheEvent> {
        let (event, key) = self.cache.last_event();
        let label_of = |key| self.format_label(key);
        match event {
            LastEvent::None => None,
            LastEvent::Hit => key.map(|key| CacheEvent::Hit { cache_key: label_of(key) }),
            LastEvent::Miss(_) => key.map(|key| CacheEvent::Miss { cache_key: label_of(key) }),
            LastEvent::CreationFailed => {
                self.failed.clone().map(|cache_key| CacheEvent::CreationFailed { cache_key })
            }
            LastEvent::Evicted { count, reason } => Some(CacheEvent::Evicted { count, reason }),
            LastEvent::Cleared { count } => Some(CacheEvent::Cleared { count }),
        }
    }
}

impl<Key, R> Debug for KeyedCache<Key, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedCache")
            .field("name", &self.name)
            .field("policy", &self.eviction_policy())
            .field("metrics", &self.metrics())
            .finish_non_exhaustive()
    }
}
