//! Which entry is evicted next, and the history of each. Knows ids, stamps and counts, never a key or a resource.
//!
//! Every operation is O(1) but those that say otherwise. A hit changes the history of its entry and nothing else, but that it
//! takes an entry out of the list of those that are next: the algorithms find out from the history what they missed.

mod generations;
mod links;
mod nodes;
mod renumbering;
mod s3_fifo;
mod sieve;
#[cfg(test)]
mod tests;
mod victims;

use generations::Generations;
use links::CreationList;
pub(super) use links::reserve_one;
use nodes::Nodes;
pub(super) use renumbering::Renumbering;
use renumbering::renumber_array;
use s3_fifo::S3Fifo;
use sieve::Sieve;
use victims::Victims;

use super::policy::{EvictionPolicy, VictimOrder};

/// Names an entry of one cache. Place 0 of every array by id is a sentinel, so an id is never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryId(pub(super) u32);

impl EntryId {
    /// The place of this entry in every array of the cache.
    #[inline]
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The history of one entry. Stamps are those of the cache's time source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct EntryHistory {
    pub(super) created_at: u64,
    pub(super) last_used: u64,
    pub(super) reuse_count: u64,
    /// The cost of the creation, in ticks of the time source.
    pub(super) creation_ticks: f32,
}

/// The uses of an entry, as they were counted elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Uses {
    pub(super) last_used: u64,
    pub(super) reuse_count: u64,
    /// The number of [removals](Order::set_removals) before the last use.
    pub(super) removals: u64,
}

/// Of whom every use is told by [`Order::touch`].
pub(super) fn all_told<T>(_: EntryId, _: &T) -> Option<Uses> {
    None
}

/// The order of the entries of one cache, and their values: next to what a use changes of them, since whoever uses an entry wants its
/// value, too.
pub(super) struct Order<T> {
    nodes: Nodes<T>,
    /// Finds the entry to evict to make room.
    victims: Victims,
    /// While a policy limits idle generations.
    generations: Option<Generations>,
    is_shared: bool,
}

impl<T> Order<T> {
    /// An order that is told of every use by [`touch`](Self::touch).
    pub(super) fn new() -> Self {
        Self { nodes: Nodes::new(false), victims: Victims::LeastRecent, generations: None, is_shared: false }
    }

    /// An order that asks for the uses of an entry before it judges it.
    pub(super) fn new_shared() -> Self {
        Self { nodes: Nodes::new(true), is_shared: true, ..Self::new() }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Inserts an entry as the newest and the most recently used one. By its `hash`, it is recognized when it comes back. No
    /// room is reserved beyond `capacity` entries.
    #[inline(always)]
    pub(super) fn insert(
        &mut self,
        now: u64,
        creation_ticks: u64,
        hash: u64,
        capacity: usize,
        value: impl FnOnce() -> T,
    ) -> EntryId {
        if self.nodes.is_full() {
            self.add_place(capacity);
        }
        let id = self.nodes.insert(now, creation_ticks, value);
        if !matches!(self.victims, Victims::LeastRecent) {
            self.victims.insert(id, hash);
        }
        if let Some(generations) = &mut self.generations {
            generations.insert(id, 0);
        }
        id
    }

    /// [`insert`](Self::insert) of an entry that was here before, and had this history. To SIEVE it is visited if it was ever
    /// used again, and to S3-FIFO its uses count.
    pub(super) fn restore(
        &mut self,
        now: u64,
        history: EntryHistory,
        hash: u64,
        capacity: usize,
        value: T,
    ) -> EntryId {
        let id = self.insert(now, 0, hash, capacity, || value);
        self.nodes.restore(id, history);
        if let Some(generations) = &mut self.generations {
            generations.insert(id, history.reuse_count);
        }
        id
    }

    /// Takes an entry out.
    #[inline(always)]
    pub(super) fn remove(&mut self, id: EntryId) -> T {
        if !matches!(self.victims, Victims::LeastRecent) {
            self.victims.remove(id);
        }
        self.nodes.remove(id)
    }

    /// The value of an entry.
    #[inline(always)]
    pub(super) fn get(&self, id: EntryId) -> &T {
        self.nodes.get(id)
    }

    /// The value of an entry, unless it was removed.
    #[inline(always)]
    pub(super) fn try_get(&self, id: EntryId) -> Option<&T> {
        self.nodes.try_get(id)
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, id: EntryId) -> &mut T {
        self.nodes.get_mut(id)
    }

    /// Notes a use of an entry, and returns its value.
    #[inline(always)]
    pub(super) fn touch(&mut self, id: EntryId, now: u64) -> &mut T {
        self.nodes.touch(id, now)
    }

    /// Notes uses that were counted elsewhere: `reuse_count` in all.
    #[cfg(test)]
    pub(super) fn record_uses(&mut self, id: EntryId, uses: Uses) {
        self.nodes.record_uses(id, uses);
    }

    /// Raises the number of removals so far. Of two uses the one after more removals is the later one, whatever their stamps
    /// say: those of hits may be some milliseconds early, in which a busy cache changes all of its entries.
    pub(super) fn set_removals(&mut self, removals: u64) {
        self.nodes.set_removals(removals);
    }

    /// Notes the uses of all entries that were not told of. O(n).
    pub(super) fn learn(&mut self, uses: impl Fn(&T) -> Option<Uses>) {
        let ids: Vec<_> = self.nodes.ids().collect();
        for id in ids {
            refreshed_count(&mut self.nodes, id, &mut |_, value| uses(value));
        }
    }

    /// Sets the stamps of uses after `now` back, for a clock that went back. O(n), and in the shared form O(n log n).
    pub(super) fn clamp_uses(&mut self, now: u64) {
        self.nodes.clamp_uses(now);
    }

    /// Evicts as this policy says from now on. What is known of the order stays; an order that begins to matter is exact, and
    /// takes O(n log n). To SIEVE no entry is visited then; to S3-FIFO all are in the main queue, without hits.
    pub(super) fn set_policy(&mut self, policy: &EvictionPolicy) {
        if !policy.needs_recency() {
            self.nodes.dissolve_list();
        }
        if policy.max_idle_generations().is_none() {
            self.generations = None;
        } else if self.generations.is_none() {
            let reuse_counts = self.nodes.ids().map(|id| (id, self.nodes.reuse_count(id)));
            self.generations = Some(Generations::new(self.nodes.places(), reuse_counts));
        }
        match (policy.victim_order(), &mut self.victims) {
            (VictimOrder::Creation, Victims::Oldest(_)) | (VictimOrder::Sieve, Victims::Sieve(_)) => {}
            (VictimOrder::S3Fifo, Victims::S3Fifo(queues)) => queues.resize(policy),
            (order, _) => self.victims = self.new_victims(order, policy),
        }
    }

    /// The entry to evict to make room, which must then be removed; `None` if there is none. `uses` is asked for the uses of
    /// an entry that is looked at, if not all were told.
    #[inline(always)]
    pub(super) fn next_victim(
        &mut self,
        uses: &mut impl FnMut(EntryId, &T) -> Option<Uses>,
    ) -> Option<EntryId> {
        if matches!(self.victims, Victims::LeastRecent) {
            return self.least_recent(uses);
        }
        self.next_in_line(uses)
    }

    /// [`next_victim`](Self::next_victim) of an order other than that of use.
    fn next_in_line(&mut self, uses: &mut impl FnMut(EntryId, &T) -> Option<Uses>) -> Option<EntryId> {
        let nodes = &mut self.nodes;
        match &mut self.victims {
            Victims::LeastRecent => None,
            Victims::Oldest(list) => list.oldest(),
            Victims::Sieve(sieve) => sieve.next_victim(nodes.len(), |id| refreshed_count(nodes, id, uses)),
            Victims::S3Fifo(queues) => queues.next_victim(|id| refreshed_count(nodes, id, uses)),
        }
    }

    /// Returns `true` if the eviction of the last victim has another one, even if there is room now.
    #[inline]
    pub(super) fn is_mid_eviction(&self) -> bool {
        matches!(&self.victims, Victims::S3Fifo(queues) if queues.is_mid_eviction())
    }

    /// The entry unused for longest; `None` if there is none. To be asked while the policy needs recency order. See
    /// [`Nodes::least_recent`] for what it costs.
    #[inline(always)]
    pub(super) fn least_recent(
        &mut self,
        uses: &mut impl FnMut(EntryId, &T) -> Option<Uses>,
    ) -> Option<EntryId> {
        self.nodes.least_recent(uses)
    }

    /// The entry used last, as far as it was told; `None` if there is none. O(n).
    pub(super) fn most_recent(&self) -> Option<EntryId> {
        self.nodes.most_recent()
    }

    /// The number of entries whose last use, as far as it was told, was before that of this one. O(n).
    pub(super) fn count_used_before(&self, id: EntryId) -> usize {
        self.nodes.count_used_before(id)
    }

    /// All entries from the oldest to the newest, in O(n log n).
    pub(super) fn by_creation(&self) -> Vec<EntryId> {
        self.nodes.by_creation()
    }

    #[inline]
    pub(super) fn last_used(&self, id: EntryId) -> u64 {
        self.nodes.last_used(id)
    }

    #[cfg(test)]
    #[inline]
    pub(super) fn reuse_count(&self, id: EntryId) -> u64 {
        self.nodes.reuse_count(id)
    }

    #[inline]
    pub(super) fn history(&self, id: EntryId) -> EntryHistory {
        self.nodes.history(id)
    }

    /// The histories of all entries, in no order: one look at each, and at most at three vacant places beside it where
    /// [`compact`](Self::compact) is called after evictions.
    pub(super) fn histories(&self) -> impl Iterator<Item = (&T, EntryHistory)> + '_ {
        self.nodes.ids().map(|id| (self.nodes.get(id), self.nodes.history(id)))
    }

    /// Takes out the values of all entries, in no order. [`clear`](Self::clear) is to be called next.
    pub(super) fn take_values(&mut self) -> Vec<(EntryId, T)> {
        self.nodes.take_values()
    }

    /// Removes all entries, forgets those that were evicted, and gives the memory back. The policy stays.
    pub(super) fn clear(&mut self) {
        self.nodes.clear();
        let places = self.nodes.places();
        self.victims.clear(places);
        if let Some(generations) = &mut self.generations {
            *generations = Generations::new(places, std::iter::empty());
        }
    }

    /// Returns `true` if fewer than a quarter of the places are in use: then [`compact`](Self::compact) is due.
    #[inline]
    pub(super) fn is_sparse(&self) -> bool {
        let places = self.nodes.places();
        places >= MIN_PLACES && self.len() < places / 4
    }

    /// Numbers the entries anew and gives memory back. O(n) of the places; if they were sparse, most of that was paid for by
    /// removals since the last time. Every id known outside must then follow.
    pub(super) fn compact(&mut self) -> Renumbering {
        let renumbering = Renumbering::of(self.nodes.ids(), self.nodes.places());
        let map = &renumbering.map;
        let places = self.len() + 1;
        self.nodes.renumber(&renumbering, places);
        if let Some(generations) = &mut self.generations {
            generations.renumber(map, places);
        }
        self.victims.renumber(map, places);
        renumbering
    }

    /// Panics unless every structure holds every entry once, in the order that it is for.
    pub(super) fn validate(&self) {
        self.nodes.validate();
        let reuse_count = |id| self.nodes.reuse_count(id);
        match &self.victims {
            Victims::LeastRecent => {}
            Victims::Oldest(list) => list.validate(&self.by_creation()),
            Victims::Sieve(sieve) => sieve.validate(&self.by_creation(), reuse_count),
            Victims::S3Fifo(queues) => queues.validate(self.len(), reuse_count),
        }
    }

    /// The stamps of the last uses in recency order, and of the creations in theirs. `None` in the shared form, where both are
    /// learned of late.
    pub(super) fn stamps_in_order(&self) -> Option<[Vec<u64>; 2]> {
        (!self.is_shared).then(|| self.nodes.stamps_in_order())
    }

    #[cold]
    fn add_place(&mut self, capacity: usize) {
        self.nodes.add_place(capacity);
        self.victims.add_place(capacity);
        if let Some(generations) = &mut self.generations {
            generations.add_place(capacity);
        }
    }

    fn new_victims(&self, order: VictimOrder, policy: &EvictionPolicy) -> Victims {
        let (places, reuse_count) = (self.nodes.places(), |id| self.nodes.reuse_count(id));
        match order {
            VictimOrder::Recency => Victims::LeastRecent,
            VictimOrder::Creation => Victims::Oldest(CreationList::new(places, &self.by_creation())),
            VictimOrder::Sieve => Victims::Sieve(Sieve::new(places, &self.by_creation(), reuse_count)),
            VictimOrder::S3Fifo => {
                Victims::S3Fifo(Box::new(S3Fifo::new(policy, places, &self.by_creation(), reuse_count)))
            }
        }
    }
}

/// The reuse count of an entry after its uses were asked for.
#[inline(always)]
fn refreshed_count<T>(
    nodes: &mut Nodes<T>,
    id: EntryId,
    uses: &mut impl FnMut(EntryId, &T) -> Option<Uses>,
) -> u64 {
    if let Some(uses) = uses(id, nodes.get(id)) {
        nodes.record_uses(id, uses);
    }
    nodes.reuse_count(id)
}

/// Fewer places are not worth a compaction.
pub(super) const MIN_PLACES: usize = 64;
