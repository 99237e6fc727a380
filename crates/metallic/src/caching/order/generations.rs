//! In which generation each entry was last used. A generation is what the engine calls one: a step, a frame, a request.

use super::links::reserve_one;
use super::{EntryId, Order, Uses, refreshed_count};

/// Kept while a policy limits idle generations. A hit does not touch it: an entry was used in the current generation if its
/// reuse count is not the one that is known of it.
pub(super) struct Generations {
    current: u64,
    /// The stamp at which the current generation began, and the removals before it.
    began: (u64, u64),
    /// By id.
    known: Vec<Known>,
}

#[derive(Clone, Copy, Default)]
struct Known {
    generation: u64,
    /// The reuse count when this generation was noted.
    reuse_count: u64,
}

impl Generations {
    /// Entries with these reuse counts, of which all count as used in the first generation.
    pub(super) fn new(places: usize, reuse_counts: impl Iterator<Item = (EntryId, u64)>) -> Self {
        let mut new = Self { current: 0, began: (0, 0), known: vec![Known::default(); places] };
        reuse_counts.for_each(|(id, reuse_count)| new.insert(id, reuse_count));
        new
    }

    pub(super) fn add_place(&mut self, capacity: usize) {
        reserve_one(&mut self.known, capacity);
        self.known.push(Known::default());
    }

    pub(super) fn insert(&mut self, id: EntryId, reuse_count: u64) {
        self.known[id.index()] = Known { generation: self.current, reuse_count };
    }

    /// Generations that have begun since the one in which the entry was last used.
    pub(super) fn idle(&self, id: EntryId, reuse_count: u64) -> u64 {
        let known = self.known[id.index()];
        if known.reuse_count == reuse_count { self.current - known.generation } else { 0 }
    }

    /// Notes the use of an entry in the current generation, and returns `false` if it was not used in it.
    pub(super) fn note(&mut self, id: EntryId, reuse_count: u64) -> bool {
        let is_used = self.idle(id, reuse_count) == 0;
        if is_used {
            self.insert(id, reuse_count);
        }
        is_used
    }

    pub(super) fn began(&self) -> (u64, u64) {
        self.began
    }

    /// Begins the next generation. Every entry that was used in the one that ends must have been noted.
    pub(super) fn begin_next(&mut self, now: u64, removals: u64) {
        self.current += 1;
        self.began = (now, removals);
    }

    pub(super) fn renumber(&mut self, map: &[u32], places: usize) {
        super::renumber_array(&mut self.known, map, places, Known::default());
    }
}

impl<T> Order<T> {
    /// Begins the next generation at `now`, and returns `false` if no policy asks for generations. `uses` is as for
    /// [`next_victim`](Self::next_victim). O(n).
    pub(in crate::caching) fn next_generation(
        &mut self,
        now: u64,
        uses: &mut impl FnMut(EntryId, &T) -> Option<Uses>,
    ) -> bool {
        let (nodes, is_shared) = (&mut self.nodes, self.is_shared);
        let Some(generations) = &mut self.generations else { return false };
        if is_shared {
            let began = generations.began();
            for id in (1..nodes.places() as u32).map(EntryId) {
                if nodes.is_vacant(id) {
                    continue;
                }
                let known = nodes.reuse_count(id);
                // What other threads count has a coarse stamp. It was in this generation, or it would be known: so that recency
                // order agrees with generations, it was not before the beginning.
                let mut dated = |id, value: &T| {
                    let uses = uses(id, value)?;
                    let is_new = uses.reuse_count > known || generations.idle(id, known) == 0;
                    let (stamp, removals) = if is_new { began } else { (0, 0) };
                    let (last_used, removals) = (uses.last_used.max(stamp), uses.removals.max(removals));
                    Some(Uses { last_used, removals, ..uses })
                };
                let reuse_count = refreshed_count(nodes, id, &mut dated);
                generations.note(id, reuse_count);
            }
        } else {
            for id in nodes.ids() {
                generations.note(id, nodes.reuse_count(id));
            }
        }
        generations.begin_next(now, nodes.removals());
        true
    }

    /// Generations that have begun since the one in which the entry was last used, as far as it was told; 0 if no policy asks.
    pub(in crate::caching) fn idle_generations(&self, id: EntryId) -> u64 {
        self.generations.as_ref().map_or(0, |generations| generations.idle(id, self.nodes.reuse_count(id)))
    }
}
