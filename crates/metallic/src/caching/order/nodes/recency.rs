//! The order in which entries were used: first those of the list, then all others by their last use.

use std::cmp::Ordering;

use super::{EntryId, NUMBERED, Node, Nodes, Place, VACANT, removals_before};
use crate::caching::order::Uses;
use crate::caching::order::links::{Link, SENTINEL, link_last, unlink, validate, walk};

/// When an entry was last used: after more removals, or else at a later stamp; among equal stamps the numbers decide, which
/// are given in the order in which uses are told of.
#[derive(Clone, Copy, PartialEq, Eq)]
struct LastUse {
    /// 0 where every use is told of, and the numbers say all.
    stamp: u64,
    number: u64,
}

impl Ord for LastUse {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |this: &Self| (removals_before(this.number), this.stamp, this.number);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for LastUse {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The fate of the entries that were listed last.
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
/// Not less than this part of all entries: however few are wanted, all are looked at to find them. As many uses and removals as
/// were listed pay for that.
const SMALLEST_PART: usize = 16;

impl<T> Nodes<T> {
    /// The entry unused for longest; `None` if there is none. To be asked by a policy that needs it, since those that are listed
    /// for it cost their next hit a little more. `uses` is asked for the uses of an entry that may be the one, if not all were
    /// told.
    ///
    /// O(n log n) when the list is empty, which takes as many uses and removals as it then has entries: O(log n) for each of
    /// these. Each that is asked once more was used meanwhile, or is the one; if all are used all the time, any may be the one.
    #[inline(always)]
    pub(in crate::caching::order) fn least_recent(
        &mut self,
        uses: &mut impl FnMut(EntryId, &T) -> Option<Uses>,
    ) -> Option<EntryId> {
        let mut is_fresh = false;
        loop {
            if self.listed == 0 {
                if is_fresh {
                    // All were used since they were listed just now: others must not keep the search going.
                    return self.first_numbered();
                }
                self.make_list(uses);
                is_fresh = true;
                if self.listed == 0 {
                    return None;
                }
            }
            let first = EntryId(self.places[SENTINEL as usize].node.recency.next);
            let Some(uses) = uses(first, self.get(first)) else { return Some(first) };
            if !self.record_uses(first, uses) {
                return Some(first);
            }
        }
    }

    /// Lists the entries that were used first: more of them than last time, or fewer if most of those were used again before it
    /// was their turn, and sorted in vain. All, if they are sorted and every use is told of: newcomers then follow the last, and
    /// nothing is made again.
    #[cold]
    #[inline(never)]
    fn make_list(&mut self, uses: &mut impl FnMut(EntryId, &T) -> Option<Uses>) {
        let List { asked_for, left } = self.list;
        let part = if left > asked_for / 2 { asked_for / 2 } else { asked_for.saturating_mul(2) };
        let fewest = FEWEST_LISTED.max(self.len / SMALLEST_PART);
        let part = part.clamp(fewest, MOST_LISTED.max(self.len / 8));
        self.list = List { asked_for: part, left: 0 };
        // Each time that all of these turn out to have been used since, four times as many are asked: at last all.
        let mut asked = part;
        loop {
            let mut oldest = self.numbered();
            let others = asked < oldest.len() && (self.is_shared || !oldest.is_sorted());
            if others {
                oldest.select_nth_unstable(asked);
                oldest.truncate(asked);
            }
            // None of the others was used before the last of these.
            let last = oldest.iter().map(|(last_use, _)| *last_use).max();
            for (last_use, id) in &mut oldest {
                if let Some(uses) = uses(*id, self.get(*id)) {
                    self.record_uses(*id, uses);
                    *last_use = self.last_use(self.node(*id));
                }
            }
            if others {
                oldest.retain(|(last_use, _)| Some(*last_use) <= last);
            }
            if self.is_shared && part < oldest.len() {
                oldest.select_nth_unstable(part);
                oldest.truncate(part);
            }
            oldest.sort_unstable();
            for (_, id) in &oldest {
                link_last(&mut self.places, SENTINEL, id.0, Place::link);
            }
            self.listed = oldest.len();
            if self.listed > 0 || !others {
                return;
            }
            asked = asked.saturating_mul(4);
        }
    }

    /// [`touch`](Self::touch) of an entry that is in the list, which it leaves. All of it is here: where the two ways met, the
    /// compiler would know nothing of the entry any more.
    #[cold]
    #[inline(never)]
    pub(super) fn touch_listed(&mut self, id: EntryId, now: u64) -> &mut T {
        self.leave_list(id);
        self.touch(id, now)
    }

    /// Takes an entry that was used out of the list. Its use has the number before all others then.
    pub(super) fn leave_list(&mut self, id: EntryId) {
        unlink(&mut self.places, id.0, Place::link);
        self.listed -= 1;
        self.list.left += 1;
        self.places[id.index()].node.set_use_number(NUMBERED);
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

    /// The entry used first of those that are not in the list.
    #[cold]
    fn first_numbered(&self) -> Option<EntryId> {
        self.numbered().into_iter().min().map(|(_, id)| id)
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
            let used = self.last_use(node);
            let earlier = self.numbered().into_iter().filter(|(last_use, _)| *last_use < used);
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

    /// The last use of an entry that is not in the list, as far as it was told.
    fn last_use(&self, node: &Node) -> LastUse {
        LastUse { stamp: if self.is_shared { node.last_used } else { 0 }, number: node.use_number() }
    }

    /// The entries that are not in the list, in no order, and their last uses.
    fn numbered(&self) -> Vec<(LastUse, EntryId)> {
        let mut numbered = Vec::with_capacity(self.len - self.listed);
        for (place, Place { node, .. }) in (0..).zip(&self.places) {
            if node.reuse_count != VACANT && node.is_numbered() {
                numbered.push((self.last_use(node), EntryId(place)));
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

#[cfg(test)]
#[test]
fn hits_on_those_that_are_next_pay_for_the_lists_that_they_use_up() {
    const ENTRIES: usize = if cfg!(miri) { 600 } else { 5000 };
    let mut nodes = Nodes::new(false);
    let ids: Vec<EntryId> = (0..ENTRIES)
        .map(|_| {
            nodes.add_place(usize::MAX);
            nodes.insert(0, 0, || ())
        })
        .collect();
    // In an order that is not that of the places: what is sorted is listed at once.
    let mut hit_each = || {
        let mut lists = 0;
        for step in 0..ENTRIES {
            lists += usize::from(nodes.listed == 0);
            assert!(nodes.least_recent(&mut |_, ()| None).is_some());
            nodes.touch(ids[step * 1777 % ENTRIES], 0);
        }
        lists
    };
    // Until the lists have become as short as they become.
    (0..8).for_each(|_| _ = hit_each());
    let lists = hit_each();
    assert!(lists <= SMALLEST_PART + 1, "{lists} lists, each made of {ENTRIES} entries");
}
