//! Circular lists threaded through an array. A list begins and ends at a place of its own, its sentinel, so that no case
//! is special.

use super::EntryId;

/// The sentinel of a list that has its array for itself.
pub(super) const SENTINEL: u32 = 0;

/// The two neighbours of a place in a list.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Link {
    pub(super) prev: u32,
    pub(super) next: u32,
}

impl Link {
    /// The link of the sentinel of an empty list.
    pub(super) fn to_itself(sentinel: u32) -> Self {
        Self { prev: sentinel, next: sentinel }
    }

    pub(super) fn map(self, to: impl Fn(u32) -> u32) -> Self {
        Self { prev: to(self.prev), next: to(self.next) }
    }
}

#[inline(always)]
pub(super) fn link_last<T>(places: &mut [T], sentinel: u32, place: u32, link: impl Fn(&mut T) -> &mut Link) {
    let last = link(&mut places[sentinel as usize]).prev;
    *link(&mut places[place as usize]) = Link { prev: last, next: sentinel };
    link(&mut places[last as usize]).next = place;
    link(&mut places[sentinel as usize]).prev = place;
}

#[inline(always)]
pub(super) fn unlink<T>(places: &mut [T], place: u32, link: impl Fn(&mut T) -> &mut Link) {
    let Link { prev, next } = *link(&mut places[place as usize]);
    link(&mut places[prev as usize]).next = next;
    link(&mut places[next as usize]).prev = prev;
}

/// The places of a list from its first to its last.
pub(super) fn walk<T>(places: &[T], sentinel: u32, link: fn(&T) -> Link) -> impl Iterator<Item = u32> + '_ {
    let mut place = sentinel;
    std::iter::from_fn(move || {
        place = link(&places[place as usize]).next;
        (place != sentinel).then_some(place)
    })
}

/// The places of a list, which must be `len` and linked in both directions.
pub(super) fn validate<T>(places: &[T], sentinel: u32, len: usize, link: fn(&T) -> Link) -> Vec<u32> {
    let listed: Vec<u32> = walk(places, sentinel, link).take(len + 1).collect();
    assert_eq!(listed.len(), len, "a list holds each of its entries once");
    for place in &listed {
        let Link { prev, next } = link(&places[*place as usize]);
        assert_eq!(link(&places[prev as usize]).next, *place, "links agree");
        assert_eq!(link(&places[next as usize]).prev, *place, "links agree");
    }
    listed
}

/// Makes room for one more element in an array of a sentinel and entries: for twice as many as there were, but not for
/// more than `capacity` entries.
pub(in super::super) fn reserve_one<T>(elements: &mut Vec<T>, capacity: usize) {
    let len = elements.len();
    if len < elements.capacity() {
        return;
    }
    let doubled = len.saturating_mul(2).max(4);
    elements.reserve_exact(doubled.min(capacity.saturating_add(1)).saturating_sub(len).max(1));
}

/// The entries in creation order, each linked to the next older and the next newer one.
#[derive(Default)]
pub(super) struct CreationList {
    /// By id.
    links: Vec<Link>,
}

impl CreationList {
    /// A list of these entries, from the oldest to the newest, in an array of `places`.
    pub(super) fn new(places: usize, by_creation: &[EntryId]) -> Self {
        let mut list = Self { links: vec![Link::default(); places] };
        by_creation.iter().for_each(|id| list.insert(*id));
        list
    }

    pub(super) fn add_place(&mut self, capacity: usize) {
        reserve_one(&mut self.links, capacity);
        self.links.push(Link::default());
    }

    #[inline(always)]
    pub(super) fn insert(&mut self, id: EntryId) {
        link_last(&mut self.links, SENTINEL, id.0, |link| link);
    }

    #[inline(always)]
    pub(super) fn remove(&mut self, id: EntryId) {
        unlink(&mut self.links, id.0, |link| link);
    }

    /// The entry created first.
    #[inline]
    pub(super) fn oldest(&self) -> Option<EntryId> {
        self.newer_than(EntryId(SENTINEL))
    }

    /// The entry created next after `id`.
    #[inline]
    pub(super) fn newer_than(&self, id: EntryId) -> Option<EntryId> {
        let next = self.links[id.index()].next;
        (next != SENTINEL).then_some(EntryId(next))
    }

    pub(super) fn renumber(&mut self, map: &[u32], places: usize) {
        let mut links = vec![Link::default(); places];
        for (old, link) in self.links.iter().enumerate().filter(|(old, _)| *old == 0 || map[*old] != 0) {
            links[map[old] as usize] = link.map(|place| map[place as usize]);
        }
        self.links = links;
    }

    pub(super) fn validate(&self, by_creation: &[EntryId]) {
        let listed = validate(&self.links, SENTINEL, by_creation.len(), |link| *link);
        assert!(listed.iter().eq(by_creation.iter().map(|id| &id.0)), "the list is creation order");
    }
}
