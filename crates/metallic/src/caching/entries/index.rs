//! From a hash to an id: a table of four-byte cells with linear probing, at most half full.
//!
//! The low bits of a hash, as many as the table's size needs, choose the cell to begin at. A cell holds an id in as many
//! low bits, and above them the rest of the hash, so that an entry with another hash is told apart without a look at its
//! key. Removal closes the gap and leaves no tombstone: a cache at
//! its limit, which removes as often as it inserts, never has to clean up.

use crate::caching::order::EntryId;

/// The ids of one cache, found by the hashes of their keys. The caller knows the keys.
pub(super) struct Index {
    /// A power of two of them; 0 is a vacant cell, since no id is 0.
    cells: Vec<u32>,
    len: usize,
}

const MIN_CELLS: usize = 8;

impl Index {
    pub(super) fn new() -> Self {
        Self { cells: vec![0; MIN_CELLS], len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The id that was inserted with this hash, and that `is_match` accepts. `is_match` must decline id 0, which it may be
    /// asked about when the hash looks like a vacant cell.
    #[inline(always)]
    pub(super) fn find(&self, hash: u32, is_match: impl Fn(EntryId) -> bool) -> Option<EntryId> {
        let mask = self.mask();
        let mut at = hash as usize & mask;
        loop {
            let cell = self.cells[at];
            // Equal tags cancel out and leave no bit above the id's. Asked before whether the cell is vacant, for the sake
            // of those who find what they look for.
            if cell ^ hash <= mask as u32 && is_match(self.id_in(cell)) {
                return Some(self.id_in(cell));
            }
            if cell == 0 {
                return None;
            }
            at = (at + 1) & mask;
        }
    }

    /// Inserts an id. `hash_of` gives the hash of an id that was inserted before.
    #[inline(always)]
    pub(super) fn insert(&mut self, hash: u32, id: EntryId, hash_of: impl Fn(EntryId) -> u32) {
        if (self.len + 1) * 2 > self.cells.len() {
            self.grow(hash_of);
        }
        self.place(hash, id);
    }

    /// Removes an id that was inserted with this hash.
    #[inline(always)]
    pub(super) fn remove(&mut self, hash: u32, id: EntryId, hash_of: impl Fn(EntryId) -> u32) {
        let mask = self.mask();
        let mut gap = hash as usize & mask;
        while self.id_in(self.cells[gap]) != id {
            assert!(self.cells[gap] != 0, "the id was inserted with this hash");
            gap = (gap + 1) & mask;
        }
        // Every id up to the next vacant cell moves into the gap, unless it would come to stand before its home.
        let (mut at, mut from_gap) = (gap, 0);
        loop {
            at = (at + 1) & mask;
            from_gap += 1;
            let cell = self.cells[at];
            if cell == 0 {
                break;
            }
            let home = hash_of(self.id_in(cell)) as usize;
            if at.wrapping_sub(home) & mask >= from_gap {
                self.cells[gap] = cell;
                (gap, from_gap) = (at, 0);
            }
        }
        self.cells[gap] = 0;
        self.len -= 1;
    }

    /// All ids, in no order.
    pub(super) fn ids(&self) -> impl Iterator<Item = EntryId> + '_ {
        self.cells.iter().filter(|cell| **cell != 0).map(|cell| self.id_in(*cell))
    }

    /// Cells that are looked at to find an id, on the average.
    #[cfg(test)]
    pub(super) fn mean_steps(&self, hash_of: impl Fn(EntryId) -> u32) -> f64 {
        let occupied = (0..).zip(&self.cells).filter(|(_, cell)| **cell != 0);
        let steps = |(at, cell): (usize, &u32)| {
            1 + (at.wrapping_sub(hash_of(self.id_in(*cell)) as usize) & self.mask())
        };
        occupied.map(steps).sum::<usize>() as f64 / self.len as f64
    }

    #[cold]
    fn grow(&mut self, hash_of: impl Fn(EntryId) -> u32) {
        let mut larger = Self { cells: vec![0; self.cells.len() * 2], len: 0 };
        for id in self.ids() {
            larger.place(hash_of(id), id);
        }
        *self = larger;
    }

    #[inline(always)]
    fn place(&mut self, hash: u32, id: EntryId) {
        let mask = self.mask();
        assert!(id.0 as usize <= mask, "ids are at most as many as entries, and cells twice as many");
        let mut at = hash as usize & mask;
        while self.cells[at] != 0 {
            at = (at + 1) & mask;
        }
        self.cells[at] = hash & !(mask as u32) | id.0;
        self.len += 1;
    }

    #[inline]
    fn id_in(&self, cell: u32) -> EntryId {
        EntryId(cell & self.mask() as u32)
    }

    #[inline]
    fn mask(&self) -> usize {
        self.cells.len() - 1
    }
}
