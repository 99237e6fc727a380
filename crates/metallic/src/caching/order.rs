//! Which entry is the oldest, and which was used last: two lists threaded through one array.
//!
//! Knows ids, stamps and counts, never a key or a resource. A list is kept only while a policy asks for its order;
//! otherwise entries have numbers from which it can be made. Every operation is O(1) but those that say otherwise.

/// Names an entry of one cache. Place 0 of the lists is their sentinel, so an id is never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryId(pub(super) u32);

impl EntryId {
    /// The place of this entry in every array of the cache.
    #[inline]
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A place in a list: the two neighbours. While recency order is not kept, the low and the high half of a number.
#[derive(Clone, Copy, Default)]
struct Link {
    prev: u32,
    next: u32,
}

impl Link {
    #[inline]
    fn numbered(number: u64) -> Self {
        Self { prev: number as u32, next: (number >> 32) as u32 }
    }

    fn number(self) -> u64 {
        u64::from(self.prev) | u64::from(self.next) << 32
    }
}

/// What a hit reads and writes, and what fits beside it in half a cache line.
#[derive(Clone, Copy)]
struct Node {
    /// From the least recently used entry to the most. The vacant places are chained through `next`.
    recency: Link,
    last_used: u64,
    reuse_count: u64,
    creation_number: u32,
    creation_ticks: f32,
}

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
}

/// The history of one entry. Stamps are those of the cache's time source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct EntryHistory {
    pub(super) created_at: u64,
    pub(super) last_used: u64,
    pub(super) reuse_count: u64,
    /// What the creation cost, in ticks of the time source.
    pub(super) creation_ticks: f32,
}

impl EntryHistory {
    /// What its hits would have cost without the cache.
    pub(super) fn saved_ticks(&self) -> f64 {
        self.reuse_count as f64 * f64::from(self.creation_ticks)
    }
}

/// The order of the entries of one cache.
pub(super) struct EntryOrder {
    /// By id. The circular lists begin and end at place 0, so that no case is special.
    nodes: Vec<Node>,
    /// By id.
    created_at: Vec<u64>,
    /// By id, from the oldest entry to the newest; empty while creation order is not kept.
    creation: Vec<Link>,
    /// The first of the vacant places.
    vacant: u32,
    len: usize,
    recency_kept: bool,
    /// The number given last to a use, while recency order is not kept.
    last_use: u64,
    last_creation: u32,
}

const SENTINEL: u32 = 0;

impl EntryOrder {
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node::VACANT],
            created_at: vec![0],
            creation: Vec::new(),
            vacant: SENTINEL,
            len: 0,
            recency_kept: false,
            last_use: 0,
            last_creation: 0,
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Inserts an entry as the newest and the most recently used one. No room is reserved beyond `capacity` entries.
    #[inline(always)]
    pub(super) fn insert(&mut self, now: u64, creation_ticks: u64, capacity: usize) -> EntryId {
        if self.vacant == SENTINEL {
            self.add_place(capacity);
        }
        if self.last_creation == u32::MAX {
            self.renumber_creations();
        }
        self.last_creation += 1;
        let id = EntryId(self.vacant);
        let nodes = &mut self.nodes[..];
        let node = &mut nodes[id.index()];
        self.vacant = node.recency.next;
        node.last_used = now;
        node.reuse_count = 0;
        node.creation_number = self.last_creation;
        node.creation_ticks = creation_ticks as f32;
        if self.recency_kept {
            link_last(nodes, id, |node| &mut node.recency);
        } else {
            self.last_use += 1;
            node.recency = Link::numbered(self.last_use);
        }
        self.created_at[id.index()] = now;
        if !self.creation.is_empty() {
            link_last(&mut self.creation, id, |link| link);
        }
        self.len += 1;
        id
    }

    /// Takes an entry out.
    #[inline(always)]
    pub(super) fn remove(&mut self, id: EntryId) {
        let nodes = &mut self.nodes[..];
        if self.recency_kept {
            unlink(nodes, id, |node| &mut node.recency);
        }
        let node = &mut nodes[id.index()];
        node.reuse_count = VACANT;
        node.recency.next = self.vacant;
        self.vacant = id.0;
        if !self.creation.is_empty() {
            unlink(&mut self.creation, id, |link| link);
        }
        self.len -= 1;
    }

    /// Notes a use of an entry.
    #[inline(always)]
    pub(super) fn touch(&mut self, id: EntryId, now: u64) {
        // A slice of its own, so that the compiler knows that no link written changes where the nodes are.
        let nodes = &mut self.nodes[..];
        let node = &mut nodes[id.index()];
        node.last_used = now;
        node.reuse_count += 1;
        if self.recency_kept {
            unlink(nodes, id, |node| &mut node.recency);
            link_last(nodes, id, |node| &mut node.recency);
        } else {
            self.last_use += 1;
            node.recency = Link::numbered(self.last_use);
        }
    }

    /// Keeps recency order from now on, or stops keeping it. The order is exact either way: the list is made by sorting
    /// the entries by the numbers of their last use, in O(n log n), and given up by numbering them, in O(n).
    pub(super) fn keep_recency(&mut self, keep: bool) {
        if keep == self.recency_kept {
            return;
        }
        let in_order = self.by_recency();
        self.recency_kept = keep;
        self.nodes[SENTINEL as usize].recency = Link::default();
        for id in in_order {
            if keep {
                link_last(&mut self.nodes, id, |node| &mut node.recency);
            } else {
                self.last_use += 1;
                self.nodes[id.index()].recency = Link::numbered(self.last_use);
            }
        }
    }

    /// Keeps creation order from now on, which takes O(n log n) once, or stops keeping it.
    pub(super) fn keep_creation(&mut self, keep: bool) {
        if !keep {
            self.creation = Vec::new();
        } else if self.creation.is_empty() {
            self.creation = vec![Link::default(); self.nodes.len()];
            for id in self.by_creation() {
                link_last(&mut self.creation, id, |link| link);
            }
        }
    }

    /// The entry unused for longest; `None` if there is none, or if recency order is not kept.
    #[inline]
    pub(super) fn least_recent(&self) -> Option<EntryId> {
        let first = self.nodes[SENTINEL as usize].recency.next;
        (self.recency_kept && first != SENTINEL).then_some(EntryId(first))
    }

    /// The entry created first; `None` if there is none, or if creation order is not kept.
    #[inline]
    pub(super) fn oldest(&self) -> Option<EntryId> {
        let first = self.creation.get(SENTINEL as usize)?.next;
        (first != SENTINEL).then_some(EntryId(first))
    }

    /// The entry used last; `None` if there is none. O(n) while recency order is not kept.
    pub(super) fn most_recent(&self) -> Option<EntryId> {
        if !self.recency_kept {
            return self.ids().max_by_key(|id| self.use_number(*id));
        }
        let last = self.nodes[SENTINEL as usize].recency.prev;
        (last != SENTINEL).then_some(EntryId(last))
    }

    /// All entries from the oldest to the newest, in O(n log n).
    pub(super) fn by_creation(&self) -> Vec<EntryId> {
        let mut ids: Vec<EntryId> = self.ids().collect();
        ids.sort_unstable_by_key(|id| self.nodes[id.index()].creation_number);
        ids
    }

    pub(super) fn last_used(&self, id: EntryId) -> u64 {
        self.nodes[id.index()].last_used
    }

    #[inline]
    pub(super) fn reuse_count(&self, id: EntryId) -> u64 {
        self.nodes[id.index()].reuse_count
    }

    pub(super) fn history(&self, id: EntryId) -> EntryHistory {
        let Node { last_used, reuse_count, creation_ticks, .. } = self.nodes[id.index()];
        EntryHistory { created_at: self.created_at[id.index()], last_used, reuse_count, creation_ticks }
    }

    /// The histories of all entries, in no order.
    pub(super) fn histories(&self) -> impl Iterator<Item = EntryHistory> + '_ {
        self.ids().map(|id| self.history(id))
    }

    /// Gives the memory back when all entries are removed.
    pub(super) fn shrink_if_empty(&mut self) {
        if self.len == 0 {
            let (recency_kept, creation_kept) = (self.recency_kept, !self.creation.is_empty());
            *self = Self { recency_kept, ..Self::new() };
            self.keep_creation(creation_kept);
        }
    }

    /// Panics unless the lists that are kept hold every entry once, in both directions, and no stamp is out of order.
    /// A hit's stamp may be `hit_tick` before one that was taken earlier.
    pub(super) fn validate(&self, hit_tick: u64) {
        assert_eq!(self.ids().count(), self.len, "the entries are as many as are counted");
        if self.recency_kept {
            let listed = validate_list(&self.nodes, self.len, |node| node.recency);
            assert_eq!(listed, self.by_recency(), "the list is recency order");
            let mut latest = 0;
            for id in listed {
                assert!(self.last_used(id) >= latest, "recency order follows time");
                latest = latest.max(self.last_used(id).saturating_sub(hit_tick));
            }
        }
        let by_creation = self.by_creation();
        if !self.creation.is_empty() {
            let listed = validate_list(&self.creation, self.len, |link| *link);
            assert_eq!(listed, by_creation, "the list is creation order");
        }
        let created_at = |id: &EntryId| self.created_at[id.index()];
        assert!(by_creation.is_sorted_by_key(created_at), "creation order follows time");
        let mut vacant = 0;
        let mut index = self.vacant;
        while index != SENTINEL && vacant <= self.nodes.len() {
            (vacant, index) = (vacant + 1, self.nodes[index as usize].recency.next);
        }
        assert_eq!(
            1 + self.len + vacant,
            self.nodes.len(),
            "a place is the sentinel's, an entry's or vacant"
        );
    }

    fn ids(&self) -> impl Iterator<Item = EntryId> + '_ {
        let occupied = |(_, node): &(u32, &Node)| node.reuse_count != VACANT;
        (0..).zip(&self.nodes).filter(occupied).map(|(index, _)| EntryId(index))
    }

    /// All entries from the least recently used to the most.
    fn by_recency(&self) -> Vec<EntryId> {
        if self.recency_kept {
            return walk(&self.nodes, |node| node.recency).collect();
        }
        let mut ids: Vec<EntryId> = self.ids().collect();
        ids.sort_unstable_by_key(|id| self.use_number(*id));
        ids
    }

    fn use_number(&self, id: EntryId) -> u64 {
        self.nodes[id.index()].recency.number()
    }

    #[cold]
    fn add_place(&mut self, capacity: usize) {
        let id = u32::try_from(self.nodes.len()).expect("a cache has fewer than 2^32 entries");
        reserve_one(&mut self.nodes, capacity);
        reserve_one(&mut self.created_at, capacity);
        self.nodes.push(Node::VACANT);
        self.created_at.push(0);
        if !self.creation.is_empty() {
            reserve_one(&mut self.creation, capacity);
            self.creation.push(Link::default());
        }
        self.vacant = id;
    }

    /// Gives the entries new numbers from 1, in their order, when the numbers are used up.
    #[cold]
    fn renumber_creations(&mut self) {
        self.last_creation = 0;
        for id in self.by_creation() {
            self.last_creation += 1;
            self.nodes[id.index()].creation_number = self.last_creation;
        }
    }
}

#[inline(always)]
fn link_last<T>(places: &mut [T], id: EntryId, link: impl Fn(&mut T) -> &mut Link) {
    let last = link(&mut places[SENTINEL as usize]).prev;
    *link(&mut places[id.index()]) = Link { prev: last, next: SENTINEL };
    link(&mut places[last as usize]).next = id.0;
    link(&mut places[SENTINEL as usize]).prev = id.0;
}

#[inline(always)]
fn unlink<T>(places: &mut [T], id: EntryId, link: impl Fn(&mut T) -> &mut Link) {
    let Link { prev, next } = *link(&mut places[id.index()]);
    link(&mut places[prev as usize]).next = next;
    link(&mut places[next as usize]).prev = prev;
}

fn walk<T>(places: &[T], link: fn(&T) -> Link) -> impl Iterator<Item = EntryId> + '_ {
    let mut index = SENTINEL;
    std::iter::from_fn(move || {
        index = link(&places[index as usize]).next;
        (index != SENTINEL).then_some(EntryId(index))
    })
}

/// The ids in a list, which must be as many as `len` and linked in both directions.
fn validate_list<T>(places: &[T], len: usize, link: fn(&T) -> Link) -> Vec<EntryId> {
    let listed: Vec<EntryId> = walk(places, link).take(len + 1).collect();
    assert_eq!(listed.len(), len, "a list that is kept holds every entry");
    for id in &listed {
        let Link { prev, next } = link(&places[id.index()]);
        assert_eq!(link(&places[prev as usize]).next, id.0, "links agree");
        assert_eq!(link(&places[next as usize]).prev, id.0, "links agree");
    }
    listed
}

/// Makes room for one more element in an array of a sentinel and entries: for twice as many as there were, but not for
/// more than `capacity` entries.
pub(super) fn reserve_one<T>(elements: &mut Vec<T>, capacity: usize) {
    let len = elements.len();
    if len < elements.capacity() {
        return;
    }
    let doubled = len.saturating_mul(2).max(4);
    elements.reserve_exact(doubled.min(capacity.saturating_add(1)).saturating_sub(len).max(1));
}

#[cfg(test)]
#[test]
fn creation_order_outlives_the_numbers_it_is_kept_by() {
    let mut order = EntryOrder { last_creation: u32::MAX - 2, ..EntryOrder::new() };
    let mut ids: Vec<EntryId> = (0..3).map(|now| order.insert(now, 0, usize::MAX)).collect();
    order.remove(ids.remove(1));
    ids.extend((3..6).map(|now| order.insert(now, 0, usize::MAX)));
    assert_eq!((order.last_creation, order.by_creation()), (6, ids), "numbered anew from 1, in order");
    order.validate(0);
}
