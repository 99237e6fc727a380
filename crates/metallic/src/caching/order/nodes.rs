//! The history of each entry, and the order in which they were used. A use is numbered, and moves nothing; a list of the entries
//! that were used first is threaded through the nodes, and made of the numbers when a policy asks who is next and it is empty.

mod recency;

use std::mem;

use self::recency::List;
use super::links::{Link, SENTINEL, link_last, reserve_one, unlink};
use super::{EntryHistory, EntryId, Renumbering, Uses};

/// The fields that a hit reads and writes, and those that fit next to them in half a cache line.
#[derive(Clone, Copy)]
struct Node {
    /// The halves of the number of the last use, or the place in the list. The vacant places are chained through `next`.
    recency: Link,
    last_used: u64,
    reuse_count: u64,
    creation_number: u32,
    creation_ticks: f32,
}

/// Uses that have numbers of their own between two removals. More take those that are for after the next ones.
const USES_BETWEEN_REMOVALS: u64 = 1 << 24;

/// Set in every number of a use, and in no link: no place is that far.
const NUMBERED: u64 = 1 << 63;

/// The number before those of the uses after this many removals.
fn first_number(removals: u64) -> u64 {
    NUMBERED | removals.saturating_mul(USES_BETWEEN_REMOVALS)
}

/// The number of removals before the use with this number.
pub(super) fn removals_before(number: u64) -> u64 {
    (number & !NUMBERED) / USES_BETWEEN_REMOVALS
}

const IN_USE: &str = "an id in use names an entry";

/// The reuse count of a vacant place.
const VACANT: u64 = u64::MAX;

impl Node {
    const VACANT: Self = Self {
        recency: Link { prev: 0, next: 0 },
        last_used: 0,
        reuse_count: VACANT,
        creation_number: 0,
        creation_ticks: 0.0,
    };

    #[inline]
    fn set_use_number(&mut self, number: u64) {
        self.recency = Link { prev: number as u32, next: (number >> 32) as u32 };
    }

    fn use_number(&self) -> u64 {
        u64::from(self.recency.prev) | u64::from(self.recency.next) << 32
    }

    /// Returns `false` if the entry is in the list.
    #[inline]
    fn is_numbered(&self) -> bool {
        self.recency.next >= (NUMBERED >> 32) as u32
    }
}

/// The node of one id and the value that the caller has there, next to each other.
struct Place<T> {
    node: Node,
    /// `None` if the place is vacant.
    value: Option<T>,
}

impl<T> Place<T> {
    const VACANT: Self = Self { node: Node::VACANT, value: None };

    #[inline(always)]
    fn link(&mut self) -> &mut Link {
        &mut self.node.recency
    }
}

/// The nodes and values of all entries, by id. Place 0 is the list's sentinel.
pub(super) struct Nodes<T> {
    places: Vec<Place<T>>,
    /// By id.
    created_at: Vec<u64>,
    /// The first of the vacant places.
    vacant: u32,
    len: usize,
    /// The entries in the list. All others were used after all of these.
    listed: usize,
    list: List,
    /// `true` if uses are learned of late, so that their stamps matter.
    is_shared: bool,
    /// The number given last to a use.
    last_use: u64,
    last_creation: u32,
}

impl<T> Nodes<T> {
    pub(super) fn new(is_shared: bool) -> Self {
        Self {
            is_shared,
            places: vec![Place::VACANT],
            created_at: vec![0],
            vacant: SENTINEL,
            len: 0,
            listed: 0,
            list: List::NONE,
            last_use: NUMBERED,
            last_creation: 0,
        }
    }

    /// Removes all entries and gives their memory back.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.is_shared);
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The length of an array by id.
    pub(super) fn places(&self) -> usize {
        self.places.len()
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.vacant == SENTINEL
    }

    pub(super) fn add_place(&mut self, capacity: usize) {
        let place = u32::try_from(self.places.len()).ok().filter(|place| *place < 1 << 31);
        let place = place.expect("a cache has fewer than 2^31 entries");
        reserve_one(&mut self.places, capacity);
        reserve_one(&mut self.created_at, capacity);
        self.places.push(Place::VACANT);
        self.created_at.push(0);
        self.vacant = place;
    }

    /// Takes a vacant place, which there must be, for the newest and most recently used entry.
    #[inline(always)]
    pub(super) fn insert(&mut self, now: u64, creation_ticks: u64, value: impl FnOnce() -> T) -> EntryId {
        if self.last_creation == u32::MAX {
            self.renumber_creations();
        }
        self.last_creation += 1;
        let id = EntryId(self.vacant);
        let places = &mut self.places[..];
        let Place { node, value: place } = &mut places[id.index()];
        // There was none to drop.
        mem::forget(place.replace(value()));
        self.vacant = node.recency.next;
        node.last_used = now;
        node.reuse_count = 0;
        node.creation_number = self.last_creation;
        node.creation_ticks = creation_ticks as f32;
        // Of a use that is learned of late, it is not known whether it was before this.
        if self.listed == self.len && self.listed > 0 && !self.is_shared {
            link_last(places, SENTINEL, id.0, Place::link);
            self.listed += 1;
        } else {
            self.last_use += 1;
            node.set_use_number(self.last_use);
        }
        self.created_at[id.index()] = now;
        self.len += 1;
        id
    }

    /// Gives an entry its former history, all but its last use.
    pub(super) fn restore(&mut self, id: EntryId, history: EntryHistory) {
        let node = self.node_mut(id);
        (node.reuse_count, node.creation_ticks) = (history.reuse_count, history.creation_ticks);
        self.created_at[id.index()] = history.created_at;
    }

    #[inline(always)]
    pub(super) fn remove(&mut self, id: EntryId) -> T {
        let places = &mut self.places[..];
        if !places[id.index()].node.is_numbered() {
            unlink(places, id.0, Place::link);
            self.listed -= 1;
        }
        let Place { node, value } = &mut places[id.index()];
        node.reuse_count = VACANT;
        node.recency.next = self.vacant;
        self.vacant = id.0;
        self.len -= 1;
        value.take().expect(IN_USE)
    }

    /// The value of an entry.
    #[inline(always)]
    pub(super) fn get(&self, id: EntryId) -> &T {
        self.try_get(id).expect(IN_USE)
    }

    /// The value of an entry, unless it was removed.
    #[inline(always)]
    pub(super) fn try_get(&self, id: EntryId) -> Option<&T> {
        self.places.get(id.index())?.value.as_ref()
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, id: EntryId) -> &mut T {
        self.places[id.index()].value.as_mut().expect(IN_USE)
    }

    /// Takes out the values of all entries, in no order. [`clear`](Self::clear) is to be called next.
    pub(super) fn take_values(&mut self) -> Vec<(EntryId, T)> {
        let values =
            (0..).zip(&mut self.places).map(|(place, Place { value, .. })| (EntryId(place), value.take()));
        values.filter_map(|(id, value)| Some((id, value?))).collect()
    }

    #[inline(always)]
    pub(super) fn touch(&mut self, id: EntryId, now: u64) -> &mut T {
        if !self.node(id).is_numbered() {
            return self.touch_listed(id, now);
        }
        let Place { node, value } = &mut self.places[id.index()];
        // Before anything is written: the compiler then still knows that the entry was just found.
        let value = value.as_mut().expect(IN_USE);
        node.last_used = now;
        node.reuse_count += 1;
        self.last_use += 1;
        node.set_use_number(self.last_use);
        value
    }

    /// Notes uses that were counted elsewhere, and returns `true` if there are more than are known: then the entry leaves the list.
    pub(super) fn record_uses(&mut self, id: EntryId, uses: Uses) -> bool {
        let node = self.node_mut(id);
        let is_used = uses.last_used > node.last_used || uses.reuse_count > node.reuse_count;
        node.last_used = node.last_used.max(uses.last_used);
        node.reuse_count = node.reuse_count.max(uses.reuse_count);
        if !node.is_numbered() {
            if !is_used {
                return false;
            }
            self.leave_list(id);
        }
        let node = self.node_mut(id);
        node.set_use_number(node.use_number().max(first_number(uses.removals)));
        is_used
    }

    /// Numbers uses from now on as those after this many removals.
    pub(super) fn set_removals(&mut self, removals: u64) {
        self.last_use = self.last_use.max(first_number(removals));
    }

    /// The number of removals that uses are numbered by now.
    pub(super) fn removals(&self) -> u64 {
        removals_before(self.last_use)
    }

    pub(super) fn is_vacant(&self, id: EntryId) -> bool {
        self.node(id).reuse_count == VACANT
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = EntryId> + '_ {
        let occupied = |(_, place): &(u32, &Place<T>)| place.node.reuse_count != VACANT;
        (0..).zip(&self.places).filter(occupied).map(|(place, _)| EntryId(place))
    }

    /// All entries from the oldest to the newest, in O(n log n).
    pub(super) fn by_creation(&self) -> Vec<EntryId> {
        let mut ids: Vec<EntryId> = self.ids().collect();
        ids.sort_unstable_by_key(|id| self.node(*id).creation_number);
        ids
    }

    #[inline]
    pub(super) fn last_used(&self, id: EntryId) -> u64 {
        self.node(id).last_used
    }

    /// Sets the stamps of uses after `now` back.
    pub(super) fn clamp_uses(&mut self, now: u64) {
        if self.is_shared {
            // It goes by stamps.
            self.dissolve_list();
        }
        for Place { node, .. } in &mut self.places {
            node.last_used = node.last_used.min(now);
        }
    }

    #[inline]
    pub(super) fn reuse_count(&self, id: EntryId) -> u64 {
        self.node(id).reuse_count
    }

    #[inline]
    pub(super) fn history(&self, id: EntryId) -> EntryHistory {
        let Node { last_used, reuse_count, creation_ticks, .. } = *self.node(id);
        EntryHistory { created_at: self.created_at[id.index()], last_used, reuse_count, creation_ticks }
    }

    /// Gives each entry its new place.
    pub(super) fn renumber(&mut self, renumbering: &Renumbering, places: usize) {
        let map = &renumbering.map;
        let in_list = |(place, node): &(usize, &mut Node)| {
            *place == SENTINEL as usize || node.reuse_count != VACANT && !node.is_numbered()
        };
        let nodes = self.places.iter_mut().map(|place| &mut place.node);
        for (_, node) in nodes.enumerate().filter(in_list) {
            node.recency = node.recency.map(|place| map[place as usize]);
        }
        // Ascending, and none goes further up: whoever was in its new place has left it.
        for (old, new) in renumbering.moves() {
            self.places.swap(old.index(), new.index());
        }
        self.places.truncate(places);
        self.places.shrink_to_fit();
        super::renumber_array(&mut self.created_at, map, places, 0);
        self.vacant = SENTINEL;
    }

    /// Panics unless every entry has a number or is in the list, and every other place is vacant.
    pub(super) fn validate(&self) {
        assert_eq!(self.ids().count(), self.len, "the entries are as many as are counted");
        self.validate_list();
        let mut vacant = 0;
        let mut place = self.vacant;
        while place != SENTINEL && vacant <= self.places.len() {
            (vacant, place) = (vacant + 1, self.places[place as usize].node.recency.next);
        }
        let places = self.places.len();
        assert_eq!(1 + self.len + vacant, places, "a place is the sentinel's, an entry's or vacant");
    }

    /// The stamps of the last uses in recency order, and of the creations in theirs.
    pub(super) fn stamps_in_order(&self) -> [Vec<u64>; 2] {
        let last_used = self.by_recency().into_iter().map(|id| self.last_used(id));
        let created_at = self.by_creation().into_iter().map(|id| self.created_at[id.index()]);
        [last_used.collect(), created_at.collect()]
    }

    #[inline(always)]
    fn node(&self, id: EntryId) -> &Node {
        &self.places[id.index()].node
    }

    #[inline(always)]
    fn node_mut(&mut self, id: EntryId) -> &mut Node {
        &mut self.places[id.index()].node
    }

    /// Gives the entries new numbers from 1, in their order, when the numbers are used up.
    #[cold]
    fn renumber_creations(&mut self) {
        self.last_creation = 0;
        for id in self.by_creation() {
            self.last_creation += 1;
            self.node_mut(id).creation_number = self.last_creation;
        }
    }
}

#[cfg(test)]
#[test]
fn creation_order_outlives_the_numbers_it_is_kept_by() {
    let mut nodes = Nodes { last_creation: u32::MAX - 2, ..Nodes::new(false) };
    let insert = |nodes: &mut Nodes<()>, now| {
        if nodes.is_full() {
            nodes.add_place(usize::MAX);
        }
        nodes.insert(now, 0, || ())
    };
    let mut ids: Vec<EntryId> = (0..3).map(|now| insert(&mut nodes, now)).collect();
    nodes.remove(ids.remove(1));
    ids.extend((3..6).map(|now| insert(&mut nodes, now)));
    assert_eq!((nodes.last_creation, nodes.by_creation()), (6, ids), "numbered anew from 1, in order");
    nodes.validate();
}
