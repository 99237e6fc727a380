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
    /// As [`Course`] has it.
    pub(in crate::caching) loaded: bool,
}

/// The course of a creation, as it tells by itself.
#[derive(Clone, Copy, Default)]
pub(in crate::caching) struct Course {
    /// Ticks spent in other creations inside of it.
    pub(in crate::caching) nested: u64,
    /// `true` if the resource is made of what was loaded, and not of what was compiled.
    pub(in crate::caching) loaded: bool,
}

impl Course {
    /// Returns what a creation took that began and was over at these stamps.
    pub(in crate::caching) fn lasted(self, begun: u64, done: u64) -> Elapsed {
        let ticks = done.saturating_sub(begun);
        Elapsed { done, ticks, own_ticks: ticks.saturating_sub(self.nested), loaded: self.loaded }
    }
}

impl<Key, R> Cache<Key, R> {
    /// Returns `true` if the place that was reserved may have been taken meanwhile, as by creations inside of this one:
    /// [`make_room_again`](Self::make_room_again) is to be called then.
    #[inline(always)]
    pub(in crate::caching) fn has_lost(&self, reservation: &Reservation) -> bool {
        self.len() > reservation.size
    }

    /// Evicts to `departures` until there is room for the entry of this reservation, which is inserted next. `uses` is as for
    /// [`expire`](Self::expire).
    pub(in crate::caching) fn make_room_again(
        &mut self,
        reservation: &Reservation,
        uses: impl Fn(&R) -> Option<Uses>,
        departures: &mut Departures<Key, R>,
    ) {
        self.pending -= usize::from(reservation.is_extra);
        self.make_room(uses, departures);
        self.pending += usize::from(reservation.is_extra);
    }

    /// Inserts an entry that is known to be absent, in the place that is reserved for it. `entry` is called when it has a place:
    /// to hand it on would copy it at each step. Where idle entries expire, [`watch`](Self::watch) is to be called next.
    #[inline(always)]
    pub(in crate::caching) fn commit(
        &mut self,
        reservation: Reservation,
        hash: u64,
        entry: impl FnOnce() -> Entry<Key, R>,
        bytes: u64,
        elapsed: Elapsed,
    ) -> EntryId {
        self.pending -= usize::from(reservation.is_extra);
        self.count_creation(elapsed);
        if elapsed.loaded {
            self.counters.loads += 1;
            self.counters.load_ticks = self.counters.load_ticks.saturating_add(elapsed.own_ticks);
        }
        let id = self.order.insert(elapsed.done, elapsed.ticks, hash, self.capacity, entry);
        self.ids.insert(id, hash, self.capacity);
        if bytes > 0 || !self.bytes.is_empty() {
            self.set_bytes(id, bytes);
        }
        self.counters.note(LastEvent::Miss(id));
        id
    }

    #[cold]
    pub(super) fn set_bytes(&mut self, id: EntryId, bytes: u64) {
        self.counters.bytes += u128::from(bytes);
        if self.bytes.len() <= id.index() {
            self.bytes.resize(id.index() + 1, 0);
        }
        self.bytes[id.index()] = bytes;
    }

    /// Gives up a place whose creation failed or panicked.
    pub(in crate::caching) fn abandon(&mut self, reservation: Reservation, elapsed: Elapsed) {
        self.pending -= usize::from(reservation.is_extra);
        self.count_creation(elapsed);
        self.counters.failed_creations += 1;
        self.counters.note(LastEvent::CreationFailed);
    }

    #[inline]
    pub(super) fn count_creation(&mut self, elapsed: Elapsed) {
        self.counters.creation_ticks = self.counters.creation_ticks.saturating_add(elapsed.own_ticks);
    }
}
