//! Recency order where uses are learned of late: a heap by the last use that it knows.
//!
//! A use does not touch the heap. What it knows of an entry is never later than the truth, so that the first entry is the
//! least recently used one as soon as what is known of it is current.

use std::cmp::Ordering;

use super::EntryId;
use super::links::reserve_one;
use super::nodes::removals_before;

/// When an entry was last used: after more removals, or else at a later stamp; among equal stamps the numbers decide, which
/// are given in the order in which uses are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LastUse {
    pub(super) stamp: u64,
    pub(super) number: u64,
}

impl Ord for LastUse {
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
        let position = self.rise(position);
        self.sink(position);
    }

    fn rise(&mut self, mut position: usize) -> usize {
        while position > 0 {
            let parent = (position - 1) / 2;
            if self.elements[parent].0 < self.elements[position].0 {
                break;
            }
            self.elements.swap(parent, position);
            self.settle(position);
            position = parent;
        }
        self.settle(position);
        position
    }

    fn sink(&mut self, mut position: usize) {
        loop {
            let children = 2 * position + 1..self.elements.len().min(2 * position + 3);
            let Some(child) = children.min_by_key(|child| self.elements[*child].0) else { break };
            if self.elements[position].0 < self.elements[child].0 {
                break;
            }
            self.elements.swap(position, child);
            self.settle(position);
            position = child;
        }
        self.settle(position);
    }

    fn settle(&mut self, position: usize) {
        self.positions[self.elements[position].1.index()] = position as u32;
    }
}
