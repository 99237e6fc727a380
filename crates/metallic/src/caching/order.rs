//! Which entry is the oldest, and which was used last: two lists threaded through one array.
//!
//! Knows ids, stamps and counts, never a key or a resource. Every operation is O(1) but [`EntryOrder::keep_recency`].

/// Names an entry of one cache. Index 0 of every array is the lists' sentinel, so an id is never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryId(u32);

impl EntryId {
    /// The place of this entry in an array that has no sentinel.
    #[inline]
    pub(super) fn slot(self) -> usize {
        (self.0 as usize).wrapping_sub(1)
    }
}

/// The two neighbours of a node in a circular list. With one sentinel for both ends no case is special.
#[derive(Clone, Copy, Default)]
struct Link {
    prev: u32,
    next: u32,
}

/// What a hit reads and writes, in half a cache line.
#[derive(Clone, Copy, Default)]
struct Node {
    /// From the least recently used to the most. While recency order is not kept it holds the number of the operation
    /// that used the entry last, from which the order can be had when it is wanted.
    recency: Link,
    /// From the oldest to the newest. The vacant nodes are chained through `next`.
    creation: Link,
    last_used: u64,
    reuse_count: u64,
}

/// What a hit does not look at. Four-byte fields, so that an entry takes twelve bytes and not sixteen.
#[derive(Clone, Copy, Default)]
struct Birth {
    created_at: [u32; 2],
    creation_ticks: f32,
}

/// The history of one entry. Stamps are those of the cache's time source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct EntryHistory {
    pub(super) created_at: u64,
    pub(super) last_used: u64,
    pub(super) reuse_count: u64,
    /// What the creation cost, in ticks of the time source, to seven significant digits.
    pub(super) creation_ticks: u64,
}

impl EntryHistory {
    /// What its hits would have cost without the cache.
    pub(super) fn saved_ticks(&self) -> u64 {
        self.reuse_count.saturating_mul(self.creation_ticks)
    }
}

/// The order of the entries of one cache.
pub(super) struct EntryOrder {
    nodes: Vec<Node>,
    births: Vec<Birth>,
    first_vacant: u32,
    len: usize,
    recency_kept: bool,
    /// Numbers the uses while recency order is not kept.
    uses: u64,
}

const SENTINEL: u32 = 0;

impl EntryOrder {
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node::default()],
            births: Vec::new(),
            first_vacant: SENTINEL,
            len: 0,
            recency_kept: false,
            uses: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Inserts an entry as the newest and the most recently used one. `limit` is the number of entries that the cache
    /// will not exceed, if it is known: no room is reserved beyond it.
    pub(super) fn insert(&mut self, now: u64, creation_ticks: u64, limit: Option<usize>) -> EntryId {
        let index = self.first_vacant;
        let id = if index == SENTINEL {
            let id = u32::try_from(self.nodes.len()).expect("a cache has fewer than 2^32 entries");
            reserve_one(&mut self.births, limit);
            reserve_one(&mut self.nodes, limit.map(|limit| limit.saturating_add(1)));
            self.nodes.push(Node::default());
            self.births.push(Birth::default());
            EntryId(id)
        } else {
            self.first_vacant = self.nodes[index as usize].creation.next;
            EntryId(index)
        };
        let created_at = [now as u32, (now >> 32) as u32];
        self.births[id.slot()] = Birth { created_at, creation_ticks: creation_ticks as f32 };
        let node = &mut self.nodes[id.0 as usize];
        node.last_used = now;
        node.reuse_count = 0;
        self.push_newest(id.0);
        if self.recency_kept {
            self.push_most_recent(id.0);
        } else {
            self.number_use(id.0);
        }
        self.len += 1;
        id
    }

    /// Takes an entry out and returns its history.
    pub(super) fn remove(&mut self, id: EntryId) -> EntryHistory {
        let history = self.history(id);
        if self.recency_kept {
            self.unlink_recency(id.0);
        }
        let Link { prev, next } = self.nodes[id.0 as usize].creation;
        self.nodes[prev as usize].creation.next = next;
        self.nodes[next as usize].creation.prev = prev;
        self.nodes[id.0 as usize].creation = Link { prev: SENTINEL, next: self.first_vacant };
        self.first_vacant = id.0;
        self.len -= 1;
        history
    }

    /// Gives the memory back when all entries are removed.
    pub(super) fn shrink_if_empty(&mut self) {
        if self.len == 0 {
            *self = Self { recency_kept: self.recency_kept, uses: self.uses, ..Self::new() };
        }
    }

    /// Notes a use of an entry.
    #[inline]
    pub(super) fn touch(&mut self, id: EntryId, now: u64) {
        let node = &mut self.nodes[id.0 as usize];
        node.last_used = now;
        node.reuse_count += 1;
        if !self.recency_kept {
            self.number_use(id.0);
        } else if node.recency.next != SENTINEL {
            self.unlink_recency(id.0);
            self.push_most_recent(id.0);
        }
    }

    /// Keeps recency order from now on, or stops keeping it. The order is exact either way: on keeping, the entries are
    /// sorted by their last use, in O(n log n); on stopping, their uses are numbered in the order they had, in O(n).
    pub(super) fn keep_recency(&mut self, keep: bool) {
        if keep == self.recency_kept {
            return;
        }
        if keep {
            let mut ids: Vec<EntryId> = self.by_creation().collect();
            ids.sort_unstable_by_key(|id| self.use_number(*id));
            self.nodes[SENTINEL as usize].recency = Link::default();
            for id in ids {
                self.push_most_recent(id.0);
            }
        } else {
            let ids: Vec<EntryId> = self.by_recency().collect();
            for id in ids {
                self.number_use(id.0);
            }
        }
        self.recency_kept = keep;
    }

    /// The entry unused for longest; `None` if there is none, or if recency order is not kept.
    #[inline]
    pub(super) fn least_recent(&self) -> Option<EntryId> {
        let first = self.nodes[SENTINEL as usize].recency.next;
        (self.recency_kept && first != SENTINEL).then_some(EntryId(first))
    }

    /// The entry created first; `None` if there is none.
    pub(super) fn oldest(&self) -> Option<EntryId> {
        let first = self.nodes[SENTINEL as usize].creation.next;
        (first != SENTINEL).then_some(EntryId(first))
    }

    /// The entry created last; `None` if there is none.
    pub(super) fn newest(&self) -> Option<EntryId> {
        let last = self.nodes[SENTINEL as usize].creation.prev;
        (last != SENTINEL).then_some(EntryId(last))
    }

    pub(super) fn last_used(&self, id: EntryId) -> u64 {
        self.nodes[id.0 as usize].last_used
    }

    pub(super) fn history(&self, id: EntryId) -> EntryHistory {
        let node = &self.nodes[id.0 as usize];
        let Birth { created_at: [low, high], creation_ticks } = self.births[id.slot()];
        EntryHistory {
            created_at: u64::from(low) | u64::from(high) << 32,
            last_used: node.last_used,
            reuse_count: node.reuse_count,
            creation_ticks: creation_ticks as u64,
        }
    }

    /// The entries from the oldest to the newest.
    pub(super) fn by_creation(&self) -> impl Iterator<Item = EntryId> + '_ {
        self.walk(|node| node.creation.next)
    }

    /// Panics unless both lists hold every entry once, in both directions, and no stamp is out of order.
    pub(super) fn validate(&self) {
        let oldest_first: Vec<EntryId> = self.by_creation().take(self.len + 1).collect();
        assert_eq!(oldest_first.len(), self.len, "the creation list holds every entry once");
        assert!(
            oldest_first.is_sorted_by_key(|id| self.history(*id).created_at),
            "creation order follows time"
        );
        let mut in_list = vec![false; self.nodes.len()];
        for id in &oldest_first {
            assert!(!std::mem::replace(&mut in_list[id.0 as usize], true), "{id:?} stands twice in a list");
            let Link { prev, next } = self.nodes[id.0 as usize].creation;
            assert_eq!(self.nodes[prev as usize].creation.next, id.0, "creation links of {id:?} agree");
            assert_eq!(self.nodes[next as usize].creation.prev, id.0, "creation links of {id:?} agree");
        }
        if self.recency_kept {
            let least_first: Vec<EntryId> = self.by_recency().take(self.len + 1).collect();
            assert_eq!(least_first.len(), self.len, "the recency list holds every entry once");
            assert!(least_first.is_sorted_by_key(|id| self.last_used(*id)), "recency order follows time");
            for id in &least_first {
                assert!(std::mem::replace(&mut in_list[id.0 as usize], false), "{id:?} is an entry, once");
                let Link { prev, next } = self.nodes[id.0 as usize].recency;
                assert_eq!(self.nodes[prev as usize].recency.next, id.0, "recency links of {id:?} agree");
                assert_eq!(self.nodes[next as usize].recency.prev, id.0, "recency links of {id:?} agree");
            }
        }
        let mut vacant = 0;
        let mut index = self.first_vacant;
        while index != SENTINEL && vacant <= self.nodes.len() {
            (vacant, index) = (vacant + 1, self.nodes[index as usize].creation.next);
        }
        assert_eq!(1 + self.len + vacant, self.nodes.len(), "a node is the sentinel, an entry or vacant");
    }

    fn by_recency(&self) -> impl Iterator<Item = EntryId> + '_ {
        self.walk(|node| node.recency.next)
    }

    fn walk(&self, next: fn(&Node) -> u32) -> impl Iterator<Item = EntryId> + '_ {
        let mut index = SENTINEL;
        std::iter::from_fn(move || {
            index = next(&self.nodes[index as usize]);
            (index != SENTINEL).then_some(EntryId(index))
        })
    }

    fn push_newest(&mut self, index: u32) {
        let last = self.nodes[SENTINEL as usize].creation.prev;
        self.nodes[index as usize].creation = Link { prev: last, next: SENTINEL };
        self.nodes[last as usize].creation.next = index;
        self.nodes[SENTINEL as usize].creation.prev = index;
    }

    #[inline]
    fn push_most_recent(&mut self, index: u32) {
        let last = self.nodes[SENTINEL as usize].recency.prev;
        self.nodes[index as usize].recency = Link { prev: last, next: SENTINEL };
        self.nodes[last as usize].recency.next = index;
        self.nodes[SENTINEL as usize].recency.prev = index;
    }

    #[inline]
    fn unlink_recency(&mut self, index: u32) {
        let Link { prev, next } = self.nodes[index as usize].recency;
        self.nodes[prev as usize].recency.next = next;
        self.nodes[next as usize].recency.prev = prev;
    }

    #[inline]
    fn number_use(&mut self, index: u32) {
        self.uses += 1;
        self.nodes[index as usize].recency = Link { prev: self.uses as u32, next: (self.uses >> 32) as u32 };
    }

    fn use_number(&self, id: EntryId) -> u64 {
        let Link { prev, next } = self.nodes[id.0 as usize].recency;
        u64::from(prev) | u64::from(next) << 32
    }
}

/// Makes room for one more element: twice as much as there was, but not beyond `limit` elements.
pub(super) fn reserve_one<T>(elements: &mut Vec<T>, limit: Option<usize>) {
    if elements.len() < elements.capacity() {
        return;
    }
    let len = elements.len();
    let doubled = len.saturating_mul(2).max(4);
    elements.reserve_exact(doubled.min(limit.unwrap_or(doubled)).saturating_sub(len).max(1));
}
