//! The entries of one cache, the order they are evicted in, and what it counted. It is silent: it creates nothing, reports
//! nothing and drops nothing. What is inserted comes in as a value, and what is removed goes out as one.

mod commit;
mod expire;
mod lend;
mod look_up;
mod remove;
mod reserve;

use super::clock::TimeSource;
use super::entries::{Entry, Ids, drop_each};
use super::order::{EntryId, Order, Uses};
use super::policy::EvictionPolicy;
use super::reporting::{CacheMetrics, Counters, LastEvent};

pub(super) use self::commit::{Course, Elapsed};
pub(super) use self::remove::{Departed, Departures};
pub(super) use self::reserve::Reservation;

/// The entries of one cache. Moments are stamps of its time source.
pub(super) struct Cache<Key, R> {
    ids: Ids,
    order: Order<Entry<Key, R>>,
    /// The bytes that each resource was said to hold when it was inserted, by id: the figure that is taken off when it is removed,
    /// whatever the resource would say by then. Empty until a resource holds something.
    bytes: Vec<u64>,
    time: TimeSource,
    /// Before this stamp no entry can have been idle for too long.
    nothing_expires_before: u64,
    /// When the least recently used entry was used, where idle time is limited. A moment before it means that the clock
    /// went back.
    watched_since: u64,
    counters: Counters,
    policy: EvictionPolicy,
    /// The policy's capacity, or `usize::MAX` if it sets none.
    capacity: usize,
    /// Places that are reserved for resources that are being created, or that are kept for entries that are lent.
    pending: usize,
}

impl<Key, R> Cache<Key, R> {
    pub(super) fn new(order: Order<Entry<Key, R>>, time: TimeSource, policy: EvictionPolicy) -> Self {
        let mut cache = Self {
            ids: Ids::default(),
            order,
            bytes: Vec::new(),
            time,
            nothing_expires_before: u64::MAX,
            watched_since: 0,
            counters: Counters::default(),
            policy: EvictionPolicy::none(),
            capacity: usize::MAX,
            pending: 0,
        };
        cache.set_policy(policy);
        cache
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Returns `true` if there are no entries, and no places are reserved for any.
    pub(super) fn is_vacant(&self) -> bool {
        self.len() == 0 && self.pending == 0
    }

    #[inline]
    pub(super) fn time(&self) -> &TimeSource {
        &self.time
    }

    /// Takes the time from `time`. Stamps of two clocks do not compare: to be called before the first use.
    pub(super) fn set_time(&mut self, time: TimeSource) {
        self.time = time;
        self.watch();
    }

    #[inline]
    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(super) fn counters_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }

    pub(super) fn policy(&self) -> EvictionPolicy {
        self.policy
    }

    /// Returns `true` if idle entries are evicted.
    #[inline]
    pub(super) fn expires(&self) -> bool {
        self.policy.limits_idleness()
    }

    /// Returns `true` if [`compact`](Self::compact) would give memory back.
    #[inline]
    pub(super) fn is_sparse(&self) -> bool {
        self.order.is_sparse()
    }

    /// Before this stamp no entry can have been idle for too long.
    #[inline]
    pub(super) fn nothing_expires_before(&self) -> u64 {
        self.nothing_expires_before
    }

    /// Changes the policy. Entries and counters stay, and so does what is known of the order in which entries were created and
    /// used.
    pub(super) fn set_policy(&mut self, policy: EvictionPolicy) {
        self.policy = policy;
        self.capacity = policy.capacity().unwrap_or(usize::MAX);
        self.order.set_policy(&policy);
        self.watch();
    }

    #[inline]
    pub(super) fn get(&self, id: EntryId) -> &Entry<Key, R> {
        self.order.get(id)
    }

    /// All entries, in no order.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry<Key, R>> {
        self.ids.iter().map(|id| self.order.get(id))
    }

    /// The keys of all entries, in no order, and how often each was found.
    pub(super) fn entries_by_use(&self) -> impl Iterator<Item = (&Key, u64)> {
        self.ids.iter().map(|id| (&self.order.get(id).key, self.order.history(id).reuse_count))
    }

    #[inline]
    pub(super) fn resource_mut(&mut self, id: EntryId) -> &mut R {
        &mut self.order.get_mut(id).resource
    }

    #[inline]
    pub(super) fn bytes(&self, id: EntryId) -> u64 {
        self.bytes.get(id.index()).copied().unwrap_or(0)
    }

    /// The entries from the oldest to the newest, in O(n log n).
    pub(super) fn by_creation(&self) -> Vec<EntryId> {
        self.order.by_creation()
    }

    /// The metrics at `now` without the last event. O(n). `uses` is as for [`expire`](Self::expire).
    pub(super) fn snapshot(&self, now: u64, uses: impl Fn(&R) -> Option<Uses>) -> CacheMetrics {
        self.counters.snapshot(&self.order, |entry| uses(&entry.resource), &self.time, now)
    }

    /// The last thing that happened, and the key that it happened to.
    pub(super) fn last_event(&self) -> (LastEvent, Option<&Key>) {
        let event = self.counters.last_event();
        let id = match event {
            LastEvent::Hit => self.order.most_recent(),
            LastEvent::Miss(id) => Some(id),
            _ => None,
        };
        (event, id.and_then(|id| self.order.try_get(id)).map(|entry| &entry.key))
    }

    /// Drops all entries, for a cache that is being dropped.
    pub(super) fn drop_entries(&mut self) {
        drop_each(self.order.take_values().into_iter().map(|(_, entry)| entry));
    }

    /// See [`Order::set_removals`].
    pub(super) fn set_removals(&mut self, removals: u64) {
        self.order.set_removals(removals);
    }

    /// Notes the uses of all entries that this cache was not told of. O(n).
    pub(super) fn learn(&mut self, uses: impl Fn(&R) -> Option<Uses>) {
        self.order.learn(|entry| uses(&entry.resource));
    }
}

impl<Key, R> Drop for Cache<Key, R> {
    fn drop(&mut self) {
        self.drop_entries();
    }
}

impl<Key: Eq + std::hash::Hash, R> Cache<Key, R> {
    /// Panics if the structures of this cache disagree with each other. O(n), for tests.
    pub(super) fn validate(&self) {
        self.order.validate();
        assert_eq!(self.ids.len(), self.len(), "index and order hold every entry");
        self.ids.validate(|id| &self.order.get(id).key);
        for stamps in self.order.stamps_in_order().into_iter().flatten() {
            let mut latest = 0;
            let in_order = |stamp: &u64| {
                let early = self.time.ns_between(*stamp, latest);
                latest = latest.max(*stamp);
                early <= self.time.tick_ns()
            };
            // Of a clock that went back, stamps say nothing.
            let went_back = stamps.iter().max() > Some(&self.time.stamp());
            assert!(
                went_back || stamps.iter().all(in_order),
                "the order of entries follows time: {stamps:?}"
            );
        }
    }
}
