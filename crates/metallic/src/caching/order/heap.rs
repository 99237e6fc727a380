//! Recency order where uses are learned of late: a heap by the last use that it knows.
//!
//! A use does not touch the heap. What it knows of an entry is never later than the truth, so that the first entry is the
//! least recently used one as soon as what is known of it is current.

use std::cmp::Ordering;

use super::links::reserve_one;
use super::nodes::{Nodes, removals_before};
use super::{EntryId, Order, Uses, refreshed_count};

/// When an entry was last used: after more removals, or else at a later stamp; among equal stamps the numbers decide, which
/// are given in the order in which uses are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LastUse {
    pub(super) stamp: u64,
    pub(super) number: u64,
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

/// A binary heap that knows where each entry is.
#[derive(Default)]
pub(super) struct RecencyHeap {
    /// No element is used later than those at twice its place, one and two further on.
    elements: Vec<(LastUse, EntryId)>,
    /// The places in `elements`, by id.
    positions: Vec<u32>,
}

impl RecencyHeap {
    /// A heap of these entries, from the least recently used to the most.
    pub(super) fn new(places: usize, by_recency: impl Iterator<Item = (LastUse, EntryId)>) -> Self {
        let mut heap = Self { elements: Vec::new(), positions: vec![0; places] };
        by_recency.for_each(|(last_use, id)| heap.insert(id, last_use));
        heap
    }

    pub(super) fn add_place(&mut self, capacity: usize) {
        reserve_one(&mut self.positions, capacity);
        self.positions.push(0);
    }

    pub(super) fn first(&self) -> Option<(LastUse, EntryId)> {
        self.elements.first().copied()
    }

    pub(super) fn insert(&mut self, id: EntryId, last_use: LastUse) {
        self.positions[id.index()] = self.elements.len() as u32;
        self.elements.push((last_use, id));
        self.rise(self.elements.len() - 1);
    }

    pub(super) fn remove(&mut self, id: EntryId) {
        let position = self.positions[id.index()] as usize;
        self.elements.swap_remove(position);
        if position < self.elements.len() {
            self.restore(position);
        }
    }

    /// Takes note of what was learned of an entry.
    pub(super) fn update(&mut self, id: EntryId, last_use: LastUse) {
        let position = self.positions[id.index()] as usize;
        self.elements[position].0 = last_use;
        self.restore(position);
    }

    pub(super) fn renumber(&mut self, map: &[u32], places: usize) {
        self.elements.shrink_to_fit();
        self.positions = vec![0; places];
        for (position, (_, id)) in self.elements.iter_mut().enumerate() {
            *id = EntryId(map[id.index()]);
            self.positions[id.index()] = position as u32;
        }
    }

    /// Panics unless this is a heap of `len` entries.
    pub(super) fn validate(&self, len: usize) {
        assert_eq!(self.elements.len(), len, "the heap holds every entry");
        for (position, (known, id)) in self.elements.iter().enumerate() {
            assert_eq!(self.positions[id.index()] as usize, position, "an entry is where it is said to be");
            assert!(
                position == 0 || self.elements[(position - 1) / 2].0 <= *known,
                "parents are used earlier"
            );
        }
    }

    /// Puts an element in its place that may be too early or too late.
    fn restore(&mut self, position: usize) {
        let leaf = self.sink(position);
        self.rise(leaf);
    }

    /// Moves an element up to where no parent is used later.
    fn rise(&mut self, mut position: usize) {
        let element = self.elements[position];
        while position > 0 {
            let parent = (position - 1) / 2;
            if self.elements[parent].0 < element.0 {
                break;
            }
            self.settle(position, self.elements[parent]);
            position = parent;
        }
        self.settle(position, element);
    }

    /// Moves an element down to a leaf, whatever its last use: it is nearly always among the latest, and to ask at each place
    /// whether it may stay would take as many comparisons again. Returns its place, which need not be the right one.
    fn sink(&mut self, mut position: usize) -> usize {
        let element = self.elements[position];
        loop {
            let (left, right) = (2 * position + 1, 2 * position + 2);
            let child = match &self.elements[left.min(self.elements.len())..] {
                [] => break,
                [(first, _), (second, _), ..] if second < first => right,
                _ => left,
            };
            self.settle(position, self.elements[child]);
            position = child;
        }
        self.elements[position] = element;
        position
    }

    fn settle(&mut self, position: usize, element: (LastUse, EntryId)) {
        self.elements[position] = element;
        self.positions[element.1.index()] = position as u32;
    }
}

impl<T> Order<T> {
    /// The entry unused for longest; `None` if there is none. To be asked while the policy needs recency order. See
    /// [`Nodes::least_recent`] for what it costs.
    #[inline(always)]
    pub(in crate::caching) fn least_recent(
        &mut self,
        uses: &mut impl FnMut(EntryId, &T) -> Option<Uses>,
    ) -> Option<EntryId> {
        if !self.is_shared {
            return self.nodes.least_recent();
        }
        self.least_recent_of_heap(uses)
    }

    /// The entry used last, as far as it was told; `None` if there is none. O(n).
    pub(in crate::caching) fn most_recent(&self) -> Option<EntryId> {
        if self.is_shared {
            return self.nodes.ids().max_by_key(|id| last_use(&self.nodes, *id));
        }
        self.nodes.most_recent()
    }

    /// The number of entries whose last use, as far as it was told, was before that of this one. O(n).
    pub(in crate::caching) fn count_used_before(&self, id: EntryId) -> usize {
        if self.is_shared {
            let used = last_use(&self.nodes, id);
            return self.nodes.ids().filter(|other| last_use(&self.nodes, *other) < used).count();
        }
        self.nodes.count_used_before(id)
    }

    pub(super) fn new_heap(&self) -> RecencyHeap {
        let mut uses: Vec<_> = self.nodes.ids().map(|id| (last_use(&self.nodes, id), id)).collect();
        uses.sort_unstable_by_key(|(last_use, _)| *last_use);
        RecencyHeap::new(self.nodes.places(), uses.into_iter())
    }

    fn least_recent_of_heap(
        &mut self,
        uses: &mut impl FnMut(EntryId, &T) -> Option<Uses>,
    ) -> Option<EntryId> {
        let heap = self.heap.as_mut()?;
        // So many steps bring every entry up to date. Uses by other threads meanwhile must not keep the search going.
        for _ in 0..self.nodes.len() {
            let (known, id) = heap.first()?;
            refreshed_count(&mut self.nodes, id, uses);
            let last_use = last_use(&self.nodes, id);
            if last_use == known {
                break;
            }
            heap.update(id, last_use);
        }
        heap.first().map(|(_, id)| id)
    }
}

/// In the shared form, whose nodes keep no list.
pub(super) fn last_use<T>(nodes: &Nodes<T>, id: EntryId) -> LastUse {
    LastUse { stamp: nodes.last_used(id), number: nodes.use_number(id) }
}
