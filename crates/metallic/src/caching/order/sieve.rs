//! SIEVE (Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024): a hand goes from the oldest entry to the newest, spares
//! those that were used since it last came by, and evicts the first that was not.

use super::EntryId;
use super::links::{CreationList, SENTINEL, reserve_one};

/// The state of the algorithm. A hit does not touch it: an entry was visited if its reuse count is not the one it had when
/// the hand passed it.
pub(super) struct Sieve {
    list: CreationList,
    /// The reuse counts when the hand passed, by id.
    seen: Vec<u64>,
    /// Where the search continues; at the oldest entry if this is the sentinel.
    hand: u32,
}

impl Sieve {
    /// Of these entries, from the oldest to the newest, none is visited.
    pub(super) fn new(
        places: usize,
        by_creation: &[EntryId],
        mut reuse_count: impl FnMut(EntryId) -> u64,
    ) -> Self {
        let mut seen = vec![0; places];
        by_creation.iter().for_each(|id| seen[id.index()] = reuse_count(*id));
        Self { list: CreationList::new(places, by_creation), seen, hand: SENTINEL }
    }

    pub(super) fn add_place(&mut self, capacity: usize) {
        self.list.add_place(capacity);
        reserve_one(&mut self.seen, capacity);
        self.seen.push(0);
    }

    pub(super) fn insert(&mut self, id: EntryId) {
        self.list.insert(id);
        self.seen[id.index()] = 0;
    }

    pub(super) fn remove(&mut self, id: EntryId) {
        if self.hand == id.0 {
            self.hand = self.after(id);
        }
        self.list.remove(id);
    }

    /// The entry to evict. `reuse_count` is that of this moment.
    pub(super) fn next_victim(
        &mut self,
        len: usize,
        mut reuse_count: impl FnMut(EntryId) -> u64,
    ) -> Option<EntryId> {
        // One round forgets all visits. Those that other threads pay meanwhile must not keep the hand going.
        for _ in 0..len {
            let id = self.at_hand()?;
            let count = reuse_count(id);
            if count == self.seen[id.index()] {
                break;
            }
            self.seen[id.index()] = count;
            self.hand = self.after(id);
        }
        let id = self.at_hand()?;
        self.hand = self.after(id);
        Some(id)
    }

    pub(super) fn renumber(&mut self, map: &[u32], places: usize) {
        self.list.renumber(map, places);
        self.hand = map[self.hand as usize];
        super::renumber_array(&mut self.seen, map, places, 0);
    }

    pub(super) fn validate(&self, by_creation: &[EntryId], reuse_count: impl Fn(EntryId) -> u64) {
        self.list.validate(by_creation);
        let hand = EntryId(self.hand);
        assert!(self.hand == SENTINEL || by_creation.contains(&hand), "the hand is at an entry");
        let counted = |id: &EntryId| self.seen[id.index()] <= reuse_count(*id);
        assert!(by_creation.iter().all(counted), "no use was seen that was not");
    }

    fn at_hand(&self) -> Option<EntryId> {
        match self.hand {
            SENTINEL => self.list.oldest(),
            hand => Some(EntryId(hand)),
        }
    }

    fn after(&self, id: EntryId) -> u32 {
        self.list.newer_than(id).map_or(SENTINEL, |id| id.0)
    }
}
