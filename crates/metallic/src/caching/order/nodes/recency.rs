//! The order in which entries were used: first those of the list, then all others by the numbers of their last use.

use super::{EntryId, Nodes, Place, VACANT};
use crate::caching::order::links::{Link, SENTINEL, link_last, unlink, validate, walk};

/// What became of the entries that were listed last.
pub(super) struct List {
    /// How many were to be listed, if there were as many.
    asked_for: usize,
    /// How many were used before it was their turn.
    left: usize,
}

impl List {
    /// Before the first one.
    pub(super) const NONE: Self = Self { asked_for: usize::MAX, left: 0 };
}

/// So few are sorted in no time.
const FEWEST_LISTED: usize = 32;
/// So many in a tenth of a millisecond. Of more entries an eighth, so that no eviction waits long for a whole large cache.
const MOST_LISTED: usize = 4096;

impl<T> Nodes<T> {
    /// The entry unused for longest; `None` if there is none. To be asked by a policy that needs it, since those that are listed
    /// for it cost their next hit a little more. O(n log n) when the list is empty, which takes as many uses and
    /// removals as it then has entries: O(log n) for each of these.
    #[inline(always)]
    pub(in crate::caching::order) fn least_recent(&mut self) -> Option<EntryId> {
        if self.listed == 0 {
            self.make_list();
        }
        let first = self.places[SENTINEL as usize].node.recency.next;
        (first != SENTINEL).then_some(EntryId(first))
    }

    /// Lists the entries that were used first: more of them than last time, or fewer if most of those were used again before it
    /// was their turn, and sorted in vain. All, if they are sorted: newcomers then follow the last, and nothing is made again.
    #[cold]
    #[inline(never)]
    fn make_list(&mut self) {
        let mut uses = self.numbered();
        let List { asked_for, left } = self.list;
        let part = if left > asked_for / 2 { asked_for / 2 } else { asked_for.saturating_mul(2) };
        let part = part.clamp(FEWEST_LISTED, MOST_LISTED.max(uses.len() / 8));
        if part < uses.len() && !uses.is_sorted() {
            uses.select_nth_unstable(part);
            uses.truncate(part);
        }
        uses.sort_unstable();
        for (_, id) in &uses {
            link_last(&mut self.places, SENTINEL, id.0, Place::link);
        }
        self.listed = uses.len();
        self.list = List { asked_for: part, left: 0 };
    }

    /// [`touch`](Self::touch) of an entry that is in the list, which it leaves. All of it is here: where the two ways met, the
    /// compiler would know nothing of the entry any more.
    #[cold]
    #[inline(never)]
    pub(super) fn touch_listed(&mut self, id: EntryId, now: u64) -> &mut T {
        unlink(&mut self.places, id.0, Place::link);
        self.listed -= 1;
        self.list.left += 1;
        self.places[id.index()].node.set_use_number(self.last_use);
        self.touch(id, now)
    }

    /// Gives up the list, for an order that looks for no entry by its use.
    pub(in crate::caching::order) fn dissolve_list(&mut self) {
        if self.listed == 0 {
            return;
        }
        for id in self.by_recency() {
            self.last_use += 1;
            self.places[id.index()].node.set_use_number(self.last_use);
        }
        self.places[SENTINEL as usize].node.recency = Link::default();
        self.listed = 0;
    }

    /// The entry used last; `None` if there is none. O(n).
    pub(in crate::caching::order) fn most_recent(&self) -> Option<EntryId> {
        let last = EntryId(self.places[SENTINEL as usize].node.recency.prev);
        let listed = (last.0 != SENTINEL).then_some(last);
        self.numbered().into_iter().max().map(|(_, id)| id).or(listed)
    }

    /// The number of entries used before this one. O(n).
    pub(in crate::caching::order) fn count_used_before(&self, id: EntryId) -> usize {
        let node = self.node(id);
        if node.is_numbered() {
            let earlier = self.numbered().into_iter().filter(|(number, _)| *number < node.use_number());
            return self.listed + earlier.count();
        }
        walk(&self.places, SENTINEL, |place| place.node.recency).take_while(|place| *place != id.0).count()
    }

    /// All entries from the least recently used to the most, in O(n log n).
    pub(super) fn by_recency(&self) -> Vec<EntryId> {
        let mut numbered = self.numbered();
        numbered.sort_unstable();
        let listed = walk(&self.places, SENTINEL, |place| place.node.recency).map(EntryId);
        listed.chain(numbered.into_iter().map(|(_, id)| id)).collect()
    }

    /// The number of the last use of an entry that is not in the list.
    pub(in crate::caching::order) fn use_number(&self, id: EntryId) -> u64 {
        self.node(id).use_number()
    }

    /// The entries that are not in the list, in no order, and the numbers of their last uses.
    fn numbered(&self) -> Vec<(u64, EntryId)> {
        let mut numbered = Vec::with_capacity(self.len - self.listed);
        for (place, Place { node, .. }) in (0..).zip(&self.places) {
            if node.reuse_count != VACANT && node.is_numbered() {
                numbered.push((node.use_number(), EntryId(place)));
            }
        }
        numbered
    }

    /// Panics unless the list holds each of its entries once, in both directions, and no others are without a number.
    pub(super) fn validate_list(&self) {
        validate(&self.places, SENTINEL, self.listed, |place| place.node.recency);
        assert_eq!(self.listed + self.numbered().len(), self.len, "an entry is listed or has a number");
    }
}
