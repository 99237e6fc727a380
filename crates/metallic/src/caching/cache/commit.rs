//! A creation is over: its resource is inserted, or its place is given up.

use super::{Cache, Departures, Reservation};
use crate::caching::entries::Entry;
use crate::caching::order::{EntryId, Uses};
use crate::caching::reporting::LastEvent;

/// How long a creation took. Moments and times are stamps and ticks of the cache's time source.
#[derive(Clone, Copy)]
pub(in crate::caching) struct Elapsed {
    pub(in crate::caching) done: u64,
    /// From its begin to its end.
    pub(in crate::caching) ticks: u64,
    /// `ticks` without those of creations inside of it.
    pub(in crate::caching) own_ticks: u64,
}

impl<Key, R> Cache<Key, R> {
    /// Inserts an entry that is known to be absent, in the place that is reserved for it. Entries leave only if the place was
    /// taken meanwhile, by creations inside of this one.
    #[inline(always)]
    pub(in crate::caching) fn commit(
        &mut self,
        reservation: Reservation,
        hash: u64,
        entry: Entry<Key, R>,
        bytes: u64,
        elapsed: Elapsed,
        uses: impl Fn(&R) -> Option<Uses>,
    ) -> (EntryId, Departures<Key, R>) {
        self.pending -= usize::from(reservation.is_extra);
        let departures = if self.len() <= reservation.size {
            Departures::none(reservation.began)
        } else {
            self.make_room(elapsed.done, uses)
        };
        self.count_creation(elapsed);
        self.counters.bytes += u128::from(bytes);
        let id = self.order.insert(elapsed.done, elapsed.ticks, hash, self.capacity);
        self.entries.insert(id, hash, entry, bytes, self.capacity);
        self.counters.note(LastEvent::Miss(id));
        if self.policy.max_idle_duration().is_some() {
            self.watch();
        }
        (id, departures)
    }

    /// Gives up a place whose creation failed or panicked.
    pub(in crate::caching) fn abandon(&mut self, reservation: Reservation, elapsed: Elapsed) {
        self.pending -= usize::from(reservation.is_extra);
        self.count_creation(elapsed);
        self.counters.failed_creations += 1;
        self.counters.note(LastEvent::CreationFailed);
    }

    #[inline]
    fn count_creation(&mut self, elapsed: Elapsed) {
        self.counters.creation_ticks = self.counters.creation_ticks.saturating_add(elapsed.own_ticks);
    }
}
