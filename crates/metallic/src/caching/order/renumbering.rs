//! Entries are numbered anew, to give memory back.

use super::EntryId;

/// Where each entry went when they were numbered anew. No entry has a larger id than before.
pub(in crate::caching) struct Renumbering {
    /// New ids by old ones; 0 where there was no entry.
    pub(super) map: Vec<u32>,
}

impl Renumbering {
    /// New ids from 1 for these entries, whose ids are below `places`.
    pub(in crate::caching) fn of(ids: impl Iterator<Item = EntryId>, places: usize) -> Self {
        let mut map = vec![0; places];
        ids.for_each(|id| map[id.index()] = 1);
        let mut last = 0;
        for new in map.iter_mut().filter(|new| **new != 0) {
            last += 1;
            *new = last;
        }
        Self { map }
    }

    /// The new id of an entry; `None` if it had been removed.
    pub(in crate::caching) fn new_id(&self, old: EntryId) -> Option<EntryId> {
        self.map.get(old.index()).filter(|new| **new != 0).map(|new| EntryId(*new))
    }

    /// The old and the new id of every entry, ascending: one can follow the other in place.
    pub(in crate::caching) fn moves(&self) -> impl Iterator<Item = (EntryId, EntryId)> + '_ {
        (0..).map(EntryId).zip(&self.map).filter(|(_, new)| **new != 0).map(|(old, new)| (old, EntryId(*new)))
    }
}

/// Moves the elements of an array by id to the places that `map` has for their old ones, and the sentinel's along.
pub(super) fn renumber_array<T: Copy>(array: &mut Vec<T>, map: &[u32], places: usize, empty: T) {
    let mut moved = vec![empty; places];
    moved[0] = array[0];
    for (old, new) in map.iter().enumerate().filter(|(_, new)| **new != 0) {
        moved[*new as usize] = array[old];
    }
    *array = moved;
}
