//! Entries leave because the caller removes them.

use std::hash::Hash;

use equivalent::Equivalent;
use metallic_instrumentation::RemovalCause;

use super::KeyedCache;
use crate::caching::cache::Departed;
use crate::caching::drops::drop_first;
use crate::caching::entries::hash_of;

impl<Key, R> KeyedCache<Key, R> {
    /// Evicts the entry of `id` for `cause`, other than by the policy.
    pub(in crate::caching) fn remove_found<Q: Equivalent<Key> + ?Sized>(
        &mut self,
        hash: u64,
        query: &Q,
        cause: RemovalCause,
        now: u64,
    ) -> Option<R> {
        let departures = self.cache.remove(hash, query, cause, now);
        if departures.is_empty() {
            return None;
        }
        self.depart(&departures);
        departures.into_first().map(|Departed { entry, .. }| drop_first(entry.key, entry.resource))
    }
}

impl<Key: Eq + Hash, R> KeyedCache<Key, R> {
    /// Removes the resource with this key and returns it, after idle entries have been evicted.
    pub fn remove<Q: Hash + Equivalent<Key> + ?Sized>(&mut self, query: &Q) -> Option<R> {
        let hash = hash_of(query);
        let (now, found) = self.look_up(hash, query);
        found.and_then(|_| self.remove_found(hash, query, RemovalCause::Removed, now))
    }

    /// Keeps the entries that `keep` accepts, removes the others, and returns how many there were. O(n log n).
    pub fn retain(&mut self, mut keep: impl FnMut(&Key, &R) -> bool) -> usize {
        let now = self.cache.time().stamp();
        drop(self.expire(now));
        let departures =
            self.cache.remove_where(|entry| !keep(&entry.key, &entry.resource), RemovalCause::Removed, now);
        self.depart(&departures);
        departures.len()
    }
}
