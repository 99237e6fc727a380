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
        self.ids.find(hash, |id| self.order.try_get(id).is_some_and(|entry| query.equivalent(&entry.key)))
    }

    /// Counts a hit on an entry that was just found, and notes its use.
    #[inline(always)]
    pub(in crate::caching) fn hit(&mut self, id: EntryId, now: u64) -> &mut R {
        let entry = self.order.touch(id, now);
        self.counters.hits += 1;
        &mut entry.resource
    }
}
