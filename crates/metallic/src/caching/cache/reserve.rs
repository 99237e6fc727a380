//! A look-up found nothing: the miss is counted, and room is made.

use metallic_instrumentation::RemovalCause;

use super::{Cache, Departures};
use crate::caching::clock::saturating_ns;
use crate::caching::order::Uses;
use crate::caching::policy::EvictionReason;
use crate::caching::reporting::LastEvent;

/// A counted miss with a place for its resource. It ends in [`Cache::commit`] or [`Cache::abandon`], exactly once.
#[must_use]
pub(in crate::caching) struct Reservation {
    /// When the look-up began that missed.
    pub(in crate::caching) began: u64,
    /// Entries when the place was reserved.
    pub(super) size: usize,
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
        self.counters.misses += 1;
        self.make_room(uses, departures);
        self.pending += 1;
        Reservation { began: now, size: self.len() }
    }

    /// Evicts until one more entry fits beside those that are there and those that places are reserved for.
    #[inline(always)]
    pub(super) fn make_room(
        &mut self,
        uses: impl Fn(&R) -> Option<Uses>,
        departures: &mut Departures<Key, R>,
    ) {
        while self.len().saturating_add(self.pending) >= self.capacity || self.order.is_mid_eviction() {
            if self.len() <= self.policy.min_entries() {
                break;
            }
            let entries = &self.entries;
            let mut uses = |id| uses(&entries.get(id).resource);
            let Some(id) = self.order.next_victim(&mut uses) else { break };
            self.detach(id, RemovalCause::SizeLimit, departures);
            self.counters.evictions += 1;
            if self.policy.evicts_one_at_a_time() {
                break;
            }
        }
        if !departures.is_empty() {
            departures.evicted(EvictionReason::SizeLimit(self.capacity), self.len());
        }
    }

    /// Evicts the entries that were idle for too long. `uses` knows of uses of a resource that this cache has not been told of
    /// yet.
    #[inline]
    pub(in crate::caching) fn expire(
        &mut self,
        now: u64,
        uses: impl Fn(&R) -> Option<Uses>,
    ) -> Departures<Key, R> {
        if now < self.nothing_expires_before && now >= self.watched_since {
            return Departures::none(now);
        }
        self.expire_now(now, uses)
    }

    #[cold]
    fn expire_now(&mut self, now: u64, uses: impl Fn(&R) -> Option<Uses>) -> Departures<Key, R> {
        let mut departures = Departures::none(now);
        let Some(max_idle) = self.policy.max_idle_duration() else { return departures };
        let max_idle_ns = saturating_ns(max_idle);
        if now < self.watched_since {
            // The clock went back. Whatever was used later was used at the latest now; if it kept its stamp, neither it nor
            // any entry used after it could expire until the clock has caught up.
            self.order.clamp_uses(now);
        }
        while self.len() > self.policy.min_entries() {
            let entries = &self.entries;
            let mut uses = |id| uses(&entries.get(id).resource);
            let Some(id) = self.order.least_recent(&mut uses) else { break };
            if self.time.ns_between(self.order.last_used(id), now) <= max_idle_ns {
                break;
            }
            self.detach(id, RemovalCause::IdleTimeout, &mut departures);
            self.counters.evictions += 1;
        }
        self.watch();
        if !departures.is_empty() {
            let reason = EvictionReason::IdleTimeout(max_idle);
            self.counters.note(LastEvent::Evicted { count: departures.len() as u64, reason });
            departures.evicted(reason, self.len());
        }
        departures
    }
}
