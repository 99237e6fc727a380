//! Finding an entry, and noting its use.

use equivalent::Equivalent;

use super::Cache;
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
}
