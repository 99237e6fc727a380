//! Entries expire: they were not used for too long, in time or in generations.

use metallic_instrumentation::RemovalCause;

use super::{Cache, Departures};
use crate::caching::clock::saturating_ns;
use crate::caching::entries::Entry;
use crate::caching::order::{EntryId, Uses, all_told};
use crate::caching::policy::EvictionReason;
use crate::caching::reporting::LastEvent;

impl<Key, R> Cache<Key, R> {
    /// Evicts the entries that were idle for too long. `uses` knows of uses of a resource that this cache has not been told of
    /// yet.
    #[inline]
    pub(in crate::caching) fn expire(
        &mut self,
        now: u64,
        uses: impl Fn(&R) -> Option<Uses>,
    ) -> Departures<Key, R> {
        if self.may_expire(now) { self.expire_now(now, uses) } else { Departures::none(now) }
    }

    /// Returns `false` if no entry can have been idle for too long at `now`.
    #[inline]
    pub(in crate::caching) fn may_expire(&self, now: u64) -> bool {
        now >= self.nothing_expires_before || now < self.watched_since
    }

    #[cold]
    fn expire_now(&mut self, now: u64, uses: impl Fn(&R) -> Option<Uses>) -> Departures<Key, R> {
        let mut departures = Departures::none(now);
        if now < self.watched_since {
            // The clock went back. Whatever was used later was used at the latest now; if it kept its stamp, neither it nor
            // any entry used after it could expire until the clock has caught up.
            self.order.clamp_uses(now);
        }
        let mut last = None;
        // Entries are evicted in recency order, and an entry used later is idle for no more time and no more generations.
        while self.len() > self.policy.min_entries() {
            let mut uses = |_, entry: &Entry<Key, R>| uses(&entry.resource);
            let Some(id) = self.order.least_recent(&mut uses) else { break };
            let Some(reason) = self.reason_to_expire(id, now) else { break };
            self.detach(id, RemovalCause::IdleTimeout, &mut departures);
            self.counters.evictions += 1;
            last = Some(reason);
        }
        self.watch();
        if let Some(reason) = last {
            // That of the last one holds for all.
            self.counters.note(LastEvent::Evicted { count: departures.len() as u64, reason });
            departures.evicted(reason, self.len());
        }
        departures
    }

    /// Begins the next generation, and returns `false` if the policy does not limit idle generations. What expires by it is
    /// evicted by the next [`expire`](Self::expire), to which `uses` is the same.
    pub(in crate::caching) fn next_generation(
        &mut self,
        now: u64,
        uses: impl Fn(&R) -> Option<Uses>,
    ) -> bool {
        let is_limited = self.order.next_generation(now, &mut |_, entry| uses(&entry.resource));
        if is_limited {
            self.watch();
        }
        is_limited
    }

    /// Returns `true` if the next look-up would evict this entry first: it was idle for longer than the policy allows, and is
    /// none of the last `min_entries`. O(n) for an entry that was idle for so long, if there is such a minimum.
    pub(in crate::caching) fn would_expire(&self, id: EntryId, now: u64) -> bool {
        // Entries that were used before this one were idle for longer: they leave first.
        let may_leave = self.len().saturating_sub(self.policy.min_entries());
        self.reason_to_expire(id, now).is_some()
            && may_leave > 0
            && (may_leave == self.len() || self.order.count_used_before(id) < may_leave)
    }

    /// Finds out how long no entry can be idle for too long. To be called after whatever may shorten that.
    pub(in crate::caching) fn watch(&mut self) {
        (self.nothing_expires_before, self.watched_since) = (u64::MAX, 0);
        if !self.policy.limits_idleness() || self.len() <= self.policy.min_entries() {
            return;
        }
        let Some(id) = self.order.least_recent(&mut all_told) else { return };
        if let Some(max_idle) = self.policy.max_idle_duration() {
            let used = self.order.last_used(id);
            self.nothing_expires_before = self.time.shortly_before(used, saturating_ns(max_idle));
            self.watched_since = used;
        }
        if self.exceeded_generations(id).is_some() {
            self.nothing_expires_before = 0;
        }
    }

    /// The limit on idleness that this entry exceeds.
    fn reason_to_expire(&self, id: EntryId, now: u64) -> Option<EvictionReason> {
        let idle_ns = || self.time.ns_between(self.order.last_used(id), now);
        let max_idle =
            self.policy.max_idle_duration().filter(|max_idle| idle_ns() > saturating_ns(*max_idle));
        max_idle.map(EvictionReason::IdleTimeout).or_else(|| self.exceeded_generations(id))
    }

    fn exceeded_generations(&self, id: EntryId) -> Option<EvictionReason> {
        let max = self.policy.max_idle_generations()?;
        (self.order.idle_generations(id) > u64::from(max)).then_some(EvictionReason::IdleGenerations(max))
    }
}
