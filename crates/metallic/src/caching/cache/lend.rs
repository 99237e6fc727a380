//! Entries that one holder has: they are not in the cache, and their places are kept.

use super::{Cache, Departures, Elapsed, Reservation};
use crate::caching::entries::Entry;
use crate::caching::order::{EntryHistory, EntryId, Uses};
use crate::caching::reporting::LastEvent;

impl<Key, R> Cache<Key, R> {
    /// Takes an entry out for its holder, and counts a hit.
    pub(in crate::caching) fn lend(&mut self, id: EntryId) -> (Entry<Key, R>, EntryHistory) {
        let mut history = self.order.history(id);
        history.reuse_count += 1;
        self.counters.hits += 1;
        self.ids.remove(id);
        self.pending += 1;
        (self.order.remove(id), history)
    }

    /// Completes a creation whose resource has a holder from the start.
    pub(in crate::caching) fn lend_created(
        &mut self,
        _reservation: Reservation,
        elapsed: Elapsed,
    ) -> EntryHistory {
        self.count_creation(elapsed);
        // An entry that is in no place.
        self.counters.note(LastEvent::Miss(EntryId(0)));
        let (created_at, creation_ticks) = (elapsed.done, elapsed.ticks as f32);
        EntryHistory { created_at, last_used: created_at, reuse_count: 0, creation_ticks }
    }

    /// Inserts an entry that its holder gives back at `now`, as the newest of its order and with its history, and evicts what
    /// is too much then, itself if need be. `hash` is that of no other entry.
    pub(in crate::caching) fn take_back(
        &mut self,
        entry: Entry<Key, R>,
        history: EntryHistory,
        hash: u64,
        now: u64,
        uses: impl Fn(&R) -> Option<Uses>,
    ) -> (EntryId, Departures<Key, R>) {
        self.pending -= 1;
        let id = self.order.restore(now, history, hash, self.capacity, entry);
        self.ids.insert(id, hash, self.capacity);
        if !self.bytes.is_empty() {
            self.set_bytes(id, 0);
        }
        let is_over = |cache: &Self| cache.len().saturating_add(cache.pending) > cache.capacity;
        let mut departures = Departures::none(now);
        self.evict_while(is_over, uses, &mut departures);
        if self.policy.limits_idleness() {
            self.watch();
        }
        (id, departures)
    }

    /// Gives up the place of an entry that does not come back, and counts a removal.
    pub(in crate::caching) fn give_up(&mut self) {
        self.pending -= 1;
        self.counters.removals += 1;
        self.counters.note(LastEvent::Cleared { count: 1 });
    }
}
