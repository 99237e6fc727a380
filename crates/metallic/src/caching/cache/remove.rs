//! Entries leave as values, for the caller to report and then to drop.

use std::mem::needs_drop;
use std::thread::panicking;

use equivalent::Equivalent;
use metallic_instrumentation::RemovalCause;

use super::Cache;
use crate::caching::drops::run_each;
use crate::caching::entries::{Entry, Ids};
use crate::caching::order::{EntryHistory, EntryId, Renumbering};
use crate::caching::policy::{EvictionPolicy, EvictionReason};
use crate::caching::reporting::{LastEvent, Reporter};

/// An entry that was removed. Its id may be given to another as soon as the next one is inserted.
pub(in crate::caching) struct Departed<Key, R> {
    pub(in crate::caching) id: EntryId,
    pub(in crate::caching) entry: Entry<Key, R>,
    pub(in crate::caching) bytes: u64,
    pub(in crate::caching) history: EntryHistory,
    pub(in crate::caching) cause: RemovalCause,
}

/// The entries removed by one step of an operation. It is to be dropped when all structures are whole, since dropping a key or a
/// resource runs code that is not ours.
#[must_use]
pub(in crate::caching) struct Departures<Key, R> {
    pub(in crate::caching) at: u64,
    /// The first of them by itself: most often there is one, and then nothing is allocated.
    first: Option<Departed<Key, R>>,
    others: Vec<Departed<Key, R>>,
    pub(in crate::caching) reason: Option<DepartureReason>,
    /// Entries right after they left.
    pub(in crate::caching) size_after: usize,
}

/// Why entries left.
#[derive(Clone, Copy)]
pub(in crate::caching) enum DepartureReason {
    /// The policy evicted them.
    Evicted(EvictionReason),
    /// The caller removed or cleared them.
    Removed,
}

impl<Key, R> Departures<Key, R> {
    #[inline]
    pub(in crate::caching) fn none(at: u64) -> Self {
        Self { at, first: None, others: Vec::new(), reason: None, size_after: 0 }
    }

    #[inline]
    pub(in crate::caching) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(in crate::caching) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    pub(in crate::caching) fn iter(&self) -> impl Iterator<Item = &Departed<Key, R>> {
        self.first.iter().chain(&self.others)
    }

    /// Reports how many entries left, and why, after each was reported.
    pub(in crate::caching) fn report_reason(&self, reporter: &Reporter, policy: &EvictionPolicy) {
        match self.reason {
            Some(DepartureReason::Evicted(reason)) => {
                reporter.evicted(policy, self.len(), reason, self.size_after, self.at);
            }
            Some(DepartureReason::Removed) => reporter.cleared(self.len(), self.size_after, self.at),
            None => {}
        }
    }

    /// The entry that was removed, where one was to be.
    pub(in crate::caching) fn into_first(mut self) -> Option<Departed<Key, R>> {
        self.first.take()
    }

    /// Drops the entries where they are.
    #[inline]
    pub(in crate::caching) fn let_go(&mut self) {
        if !self.others.is_empty() {
            self.drop_each();
        }
        if const { needs_drop::<Key>() && needs_drop::<R>() } {
            self.first.take().into_iter().for_each(|departed| departed.entry.discard());
        }
        self.first = None;
    }

    #[inline(always)]
    pub(super) fn push(&mut self, departed: Departed<Key, R>) {
        if self.first.is_none() {
            self.first = Some(departed);
        } else {
            self.others.push(departed);
        }
    }

    #[inline]
    pub(super) fn evicted(&mut self, reason: EvictionReason, size_after: usize) {
        self.reason = Some(DepartureReason::Evicted(reason));
        self.size_after = size_after;
    }
}

impl<Key, R> Drop for Departures<Key, R> {
    #[inline]
    fn drop(&mut self) {
        if !self.others.is_empty() || (self.first.is_some() && panicking()) {
            // During a panic, one of a `Drop` would end the process.
            self.drop_each();
        } else if const { needs_drop::<Key>() && needs_drop::<R>() } {
            self.let_go();
        }
    }
}

impl<Key, R> Departures<Key, R> {
    /// Drops every entry, also if some of them panic. The first panic goes on then: a second one on the way, as from the
    /// elements of a vector, would end the process.
    #[cold]
    fn drop_each(&mut self) {
        run_each(self.first.take().into_iter().chain(self.others.drain(..)), |departed| {
            departed.entry.discard()
        });
    }
}

impl<Key, R> Cache<Key, R> {
    /// Removes the entry with this key, if it is there.
    pub(in crate::caching) fn remove<Q: Equivalent<Key> + ?Sized>(
        &mut self,
        hash: u64,
        query: &Q,
        cause: RemovalCause,
        now: u64,
    ) -> Departures<Key, R> {
        let ids = self.find(hash, query);
        self.remove_ids(ids, cause, now)
    }

    /// Removes the entries that `leaves` accepts. O(n log n).
    pub(in crate::caching) fn remove_where(
        &mut self,
        mut leaves: impl FnMut(&Entry<Key, R>) -> bool,
        cause: RemovalCause,
        now: u64,
    ) -> Departures<Key, R> {
        // Chosen before the first is removed: `leaves` is not ours, and may panic.
        let mut ids = self.by_creation();
        ids.retain(|id| leaves(self.order.get(*id)));
        self.remove_ids(ids, cause, now)
    }

    /// Removes all entries and gives their memory back. In the order of their creation if `in_order`, which costs O(n log n).
    pub(in crate::caching) fn clear(&mut self, in_order: bool, now: u64) -> Departures<Key, R> {
        let mut departures = Departures::none(now);
        self.ids = Ids::default();
        let bytes = std::mem::take(&mut self.bytes);
        let removed = self.order.take_values();
        let departed = |(id, entry): (EntryId, _)| Departed {
            id,
            entry,
            bytes: bytes.get(id.index()).copied().unwrap_or(0),
            history: self.order.history(id),
            cause: RemovalCause::Cleared,
        };
        let mut removed: Vec<Departed<Key, R>> = removed.into_iter().map(departed).collect();
        if in_order {
            let mut place =
                vec![0; removed.iter().map(|departed| departed.id.index() + 1).max().unwrap_or(0)];
            for (number, id) in self.by_creation().into_iter().enumerate() {
                place[id.index()] = number;
            }
            removed.sort_unstable_by_key(|departed| place[departed.id.index()]);
        }
        departures.others = removed;
        departures.first = (!departures.others.is_empty()).then(|| departures.others.remove(0));
        self.order.clear();
        self.counters.bytes = 0;
        self.count_removals(&mut departures);
        departures
    }

    fn remove_ids(
        &mut self,
        ids: impl IntoIterator<Item = EntryId>,
        cause: RemovalCause,
        now: u64,
    ) -> Departures<Key, R> {
        let mut departures = Departures::none(now);
        for id in ids {
            self.detach(id, cause, &mut departures);
        }
        if !departures.is_empty() {
            self.count_removals(&mut departures);
        }
        departures
    }

    fn count_removals(&mut self, departures: &mut Departures<Key, R>) {
        let count = departures.len() as u64;
        self.counters.removals = self.counters.removals.saturating_add(count);
        self.counters.note(LastEvent::Cleared { count });
        departures.reason = Some(DepartureReason::Removed);
        departures.size_after = self.len();
        self.watch();
    }

    /// Takes an entry out of all structures, to `departures`.
    #[inline(always)]
    pub(super) fn detach(&mut self, id: EntryId, cause: RemovalCause, departures: &mut Departures<Key, R>) {
        let history = self.order.history(id);
        let (entry, bytes) = self.take(id);
        departures.push(Departed { id, entry, bytes, history, cause });
    }

    /// Takes an entry out of all structures. Returns also the bytes that its resource holds.
    #[inline(always)]
    pub(super) fn take(&mut self, id: EntryId) -> (Entry<Key, R>, u64) {
        let bytes = if self.bytes.is_empty() { 0 } else { self.take_bytes(id) };
        self.ids.remove(id);
        (self.order.remove(id), bytes)
    }

    #[cold]
    fn take_bytes(&mut self, id: EntryId) -> u64 {
        let bytes = self.bytes(id);
        self.counters.bytes -= u128::from(bytes);
        bytes
    }

    /// Gives memory back when most of the places are vacant. Returns where each entry was moved, by its old id; `None` if none
    /// was.
    #[inline]
    pub(in crate::caching) fn compact(&mut self) -> Option<Renumbering> {
        if !self.order.is_sparse() {
            return None;
        }
        self.compact_now()
    }

    #[cold]
    fn compact_now(&mut self) -> Option<Renumbering> {
        let map = self.order.compact();
        self.ids.renumber(&map);
        if !self.bytes.is_empty() {
            // New ids are those from 1, in the order of the old ones.
            let moved = map.moves().map(|(old, _)| self.bytes(old));
            self.bytes = std::iter::once(0).chain(moved).collect();
        }
        self.counters.renumber(&map);
        Some(map)
    }
}
