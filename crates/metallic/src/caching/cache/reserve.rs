//! A look-up found nothing: the miss is counted, and room is made.

use metallic_instrumentation::RemovalCause;

use super::{Cache, Departures};
use crate::caching::entries::Entry;
use crate::caching::order::{EntryId, Uses};
use crate::caching::policy::EvictionReason;

/// A counted miss with a place for its resource. It ends in [`Cache::commit`] or [`Cache::abandon`], exactly once.
#[must_use]
pub(in crate::caching) struct Reservation {
    /// When the look-up began that missed.
    pub(in crate::caching) began: u64,
    /// Entries when the place was reserved.
    pub(super) size: usize,
    /// `false` if the place is that of the entry to be replaced.
    pub(super) is_extra: bool,
}

impl Reservation {
    /// Returns `true` if an entry with the key is to be replaced.
    pub(in crate::caching) fn is_of_replacement(&self) -> bool {
        !self.is_extra
    }
}

impl<Key, R> Cache<Key, R> {
    /// Counts a miss, and evicts to `departures` what the policy says must leave before there is room for one more. `uses` is as
    /// for [`expire`](Self::expire).
    #[inline(always)]
    pub(in crate::caching) fn reserve(
        &mut self,
        now: u64,
        uses: impl Fn(&R) -> Option<Uses>,
        departures: &mut Departures<Key, R>,
    ) -> Reservation {
        self.make_room(uses, departures);
        self.reserve_place(now)
    }

    /// [`reserve`](Self::reserve) where there is room.
    #[inline(always)]
    pub(in crate::caching) fn reserve_place(&mut self, now: u64) -> Reservation {
        self.counters.misses += 1;
        self.pending += 1;
        Reservation { began: now, size: self.len(), is_extra: true }
    }

    /// Counts the miss of a creation that is to replace an entry, which stays until then: no room is made for its successor before
    /// it is removed.
    pub(in crate::caching) fn reserve_in_place(&mut self, now: u64) -> Reservation {
        self.counters.misses += 1;
        Reservation { began: now, size: 0, is_extra: false }
    }

    /// Evicts until one more entry fits besides those that are there and those that places are reserved for.
    #[inline(always)]
    pub(super) fn make_room(
        &mut self,
        uses: impl Fn(&R) -> Option<Uses>,
        departures: &mut Departures<Key, R>,
    ) {
        self.evict_while(Self::is_full, uses, departures);
    }

    /// Takes out the first entry that [`make_room`](Self::make_room) would evict, for an owner who has nothing to tell of it.
    #[inline(always)]
    pub(in crate::caching) fn evict_one(
        &mut self,
        uses: impl Fn(&R) -> Option<Uses>,
    ) -> Option<Entry<Key, R>> {
        let id = self.next_to_evict(Self::is_full, false, uses)?;
        self.counters.evictions += 1;
        Some(self.take(id).0)
    }

    /// Returns `true` if [`make_room`](Self::make_room) may have something to do. `has_begun` is `true` if an entry was evicted
    /// for the same place.
    #[inline(always)]
    pub(in crate::caching) fn lacks_room(&self, has_begun: bool) -> bool {
        self.is_to_evict(Self::is_full, has_begun)
    }

    /// Returns `true` if the entries, and those that places are reserved for, are as many as may be.
    #[inline(always)]
    fn is_full(&self) -> bool {
        self.len().saturating_add(self.pending) >= self.capacity
    }

    #[inline(always)]
    fn is_to_evict(&self, is_over: impl Fn(&Self) -> bool, has_begun: bool) -> bool {
        (is_over(self) || self.order.is_mid_eviction()) && !(has_begun && self.policy.evicts_one_at_a_time())
    }

    /// The entry to be evicted next while `is_over`, as far as the policy allows.
    #[inline(always)]
    fn next_to_evict(
        &mut self,
        is_over: impl Fn(&Self) -> bool,
        has_begun: bool,
        uses: impl Fn(&R) -> Option<Uses>,
    ) -> Option<EntryId> {
        if !self.is_to_evict(is_over, has_begun) || self.len() <= self.policy.min_entries() {
            return None;
        }
        self.order.next_victim(&mut |_, entry: &Entry<Key, R>| uses(&entry.resource))
    }

    /// Evicts to `departures` while `is_over`, as far as the policy allows.
    #[inline(always)]
    pub(super) fn evict_while(
        &mut self,
        is_over: impl Fn(&Self) -> bool,
        uses: impl Fn(&R) -> Option<Uses>,
        departures: &mut Departures<Key, R>,
    ) {
        while let Some(id) = self.next_to_evict(&is_over, !departures.is_empty(), &uses) {
            self.detach(id, RemovalCause::SizeLimit, departures);
            self.counters.evictions += 1;
        }
        if !departures.is_empty() {
            departures.evicted(EvictionReason::SizeLimit(self.capacity), self.len());
        }
    }
}
