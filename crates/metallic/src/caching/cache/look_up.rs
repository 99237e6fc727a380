//! Finding an entry, and noting its use.

use equivalent::Equivalent;

use super::Cache;
use crate::caching::clock::saturating_ns;
use crate::caching::order::EntryId;

impl<Key, R> Cache<Key, R> {
    /// The entry with this key, whose hash is `hash`, whether or not it was idle for too long. Counts nothing.
    #[inline(always)]
    pub(in crate::caching) fn find<Q: Equivalent<Key> + ?Sized>(
        &self,
        hash: u64,
        query: &Q,
    ) -> Option<EntryId> {
        self.entries.find(hash, query)
    }

    /// Counts a hit on an entry that was just found, and notes its use.
    #[inline(always)]
    pub(in crate::caching) fn hit(&mut self, id: EntryId, now: u64) -> &mut R {
        // Taken before anything is written: the compiler then still knows that `id` was just found.
        let resource = self.entries.resource_mut(id);
        self.counters.hits += 1;
        self.order.touch(id, now);
        resource
    }

    /// Returns `true` if the next look-up would evict this entry first: it was idle for longer than the policy allows, and is
    /// none of the last `min_entries`. O(n) for an entry that was idle for so long, if there is such a minimum.
    pub(in crate::caching) fn would_expire(&self, id: EntryId, now: u64) -> bool {
        let Some(max_idle) = self.policy.max_idle_duration() else { return false };
        let idle_ns = self.time.ns_between(self.order.last_used(id), now);
        // Entries that were used before this one were idle for longer: they leave first.
        let may_leave = self.len().saturating_sub(self.policy.min_entries());
        idle_ns > saturating_ns(max_idle)
            && may_leave > 0
            && (may_leave == self.len() || self.order.count_used_before(id) < may_leave)
    }
}
