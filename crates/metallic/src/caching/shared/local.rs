//! A thread's copy of what it found in a shared cache: a hit takes no lock and writes nothing that other threads use.

use std::hash::Hash;
use std::sync::Arc;

use equivalent::Equivalent;

use super::SharedCore;
use super::head::Head;
use super::node::Node;
use crate::caching::clock::TimeSource;
use crate::caching::drops::Foreign;
use crate::caching::entries::{Entries, Entry, drop_each};
use crate::caching::order::{EntryId, MIN_PLACES, Renumbering};
use crate::caching::sync::atomic::{AtomicU64, Ordering};

/// The entries of one shared cache that one thread has used.
pub(in crate::caching) struct LocalCache<Key, R> {
    core: Arc<SharedCore<Key, R>>,
    entries: Entries<Key, Copy<R>>,
    /// Ids that are free. Those above the entries' number were never given.
    vacant: Vec<u32>,
    len: u32,
    /// The generation of the shared cache that removed entries were let go of up to.
    seen: u64,
    tally: Arc<Tally>,
    /// Where new entries count their hits.
    counts: Arc<Counts>,
    counts_used: usize,
    /// Scratch of [`catch_up`](Self::catch_up), as is the next: empty, and kept for the memory.
    departed: Vec<u64>,
    gone: Vec<Entry<Key, Copy<R>>>,
    /// A use is noted for all threads if the last one was noted this many ticks before.
    tick: u64,
}

struct Copy<R> {
    node: Arc<Node<R>>,
    count: Count,
}

/// The hits of one local copy, which other threads read. Written by one thread alone: a load and a store are enough.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Tally(AtomicU64);

impl Tally {
    pub(super) fn hits(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

const COUNTS: usize = 16;

/// Entries that memory is kept for to let go of them.
const KEPT: usize = 16;

/// The hits on some entries of one local copy, on cache lines of their own.
#[derive(Default)]
#[repr(align(128))]
struct Counts([AtomicU64; COUNTS]);

/// One of the [`Counts`].
#[derive(Clone)]
pub(super) struct Count {
    counts: Arc<Counts>,
    place: usize,
}

impl Count {
    pub(super) fn get(&self) -> u64 {
        self.counts.0[self.place].load(Ordering::Relaxed)
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.counts, &other.counts) && self.place == other.place
    }
}

/// Counts one more in a counter that no other thread writes now.
#[inline(always)]
pub(super) fn count_one(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

impl<Key: Eq + Hash + Clone, R> LocalCache<Key, R> {
    pub(in crate::caching) fn new(core: Arc<SharedCore<Key, R>>) -> Self {
        let tally = Arc::<Tally>::default();
        let mut state = core.lock();
        state.locals.retain(|local| local.strong_count() > 0);
        state.locals.push(Arc::downgrade(&tally));
        drop(state);
        // A millisecond of the machine's time; a clock that is driven by hand is asked at every use.
        let tick = core.time.shortly_before(0, 1_000_000).max(1);
        let seen = core.head.generation();
        let entries = Entries::default();
        let counts = Arc::default();
        let (vacant, departed, gone) = (Vec::new(), Vec::new(), Vec::new());
        Self { core, entries, vacant, len: 0, seen, tally, counts, counts_used: 0, departed, gone, tick }
    }

    pub(in crate::caching) fn core(&self) -> &Arc<SharedCore<Key, R>> {
        &self.core
    }

    /// The entry with this key, if a look-up is nothing but that.
    #[inline(always)]
    pub(in crate::caching) fn find<Q: Equivalent<Key> + ?Sized>(
        &self,
        hash: u64,
        query: &Q,
    ) -> Option<(EntryId, u64)> {
        let now = TimeSource::hit_stamp_before(self.core.head.fast_path_until())?;
        self.find_now(hash, query).map(|id| (id, now))
    }

    /// [`find`](Self::find) of a look-up whose stamp, `now`, was taken already.
    #[inline(always)]
    pub(in crate::caching) fn find_at<Q: Equivalent<Key> + ?Sized>(
        &self,
        now: u64,
        hash: u64,
        query: &Q,
    ) -> Option<EntryId> {
        if now < self.core.head.fast_path_until() { self.find_now(hash, query) } else { None }
    }

    #[inline(always)]
    fn find_now<Q: Equivalent<Key> + ?Sized>(&self, hash: u64, query: &Q) -> Option<EntryId> {
        if self.core.head.is_at(self.seen) { self.entries.find(hash, query) } else { None }
    }

    /// The resource of an entry that was just found. Counts nothing.
    #[inline(always)]
    pub(super) fn get(&self, id: EntryId) -> &R {
        &self.entries.get(id).resource.node.resource
    }

    /// Counts a hit on an entry that was just found.
    #[inline(always)]
    pub(in crate::caching) fn hit(&self, id: EntryId, now: u64) -> &R {
        let Copy { node, count } = &self.entries.get(id).resource;
        node.touch(now, self.tick, self.seen);
        // It is less than that: this asks no bounds.
        count_one(&count.counts.0[count.place % COUNTS]);
        count_one(&self.tally.0);
        &node.resource
    }

    /// The generation of an entry that was just found.
    pub(in crate::caching) fn generation(&self, id: EntryId) -> u64 {
        self.entries.get(id).resource.node.generation()
    }

    /// [`find`](Self::find) after what was removed was let go of.
    pub(in crate::caching) fn find_again<Q: Equivalent<Key> + ?Sized>(
        &mut self,
        hash: u64,
        query: &Q,
    ) -> Option<(EntryId, u64)> {
        self.catch_up();
        self.find(hash, query)
    }

    /// Keeps what was found in the shared cache, and returns it. It was counted there.
    pub(in crate::caching) fn keep<Q: Equivalent<Key> + ?Sized>(
        &mut self,
        hash: u64,
        query: &Q,
        key: impl FnOnce() -> Key,
        node: Arc<Node<R>>,
    ) -> &R {
        // It may be gone from the shared cache by now, and what is let go of here may panic in its `Drop`, as this one may.
        let node = Foreign::new(node);
        self.catch_up();
        if let Some(id) = self.entries.find(hash, query) {
            if Arc::ptr_eq(&self.entries.get(id).resource.node, &node) {
                return &self.entries.get(id).resource.node.resource;
            }
            self.let_go(id).discard();
        }
        // Before anything is written: building a key is not ours, and may panic.
        let key = key();
        let count = self.new_count();
        node.add_count(count.clone());
        if node.is_removed() {
            // Since it was found. Its departure may be among those that were caught up with already.
            self.seen = Head::long_before(self.seen);
        }
        let id = EntryId(self.vacant.pop().unwrap_or(self.len + 1));
        self.len += 1;
        let node = node.into_inner();
        self.entries.insert(id, hash, Entry { key, resource: Copy { node, count } });
        &self.entries.get(id).resource.node.resource
    }

    /// Lets go of everything.
    pub(in crate::caching) fn park(&mut self) {
        (self.vacant, self.len) = (Vec::new(), 0);
        (self.departed, self.gone) = (Vec::new(), Vec::new());
        drop_each(self.let_go_of_all());
    }

    /// Lets go of the entries that were removed from the shared cache.
    pub(super) fn catch_up(&mut self) {
        if self.core.head.generation() == self.seen {
            return;
        }
        let is_removed = |entry: &Entry<Key, Copy<R>>| entry.resource.node.is_removed();
        let mut hashes = std::mem::take(&mut self.departed);
        let (generation, complete) = self.core.head.departed_since(self.seen, |hash| hashes.push(hash));
        let mut gone = std::mem::take(&mut self.gone);
        if complete {
            for hash in hashes.drain(..) {
                // Keys may share a hash, and each was noted once.
                while let Some(id) = self.entries.find_by(hash, is_removed) {
                    gone.push(self.let_go(id));
                }
            }
        } else {
            let removed: Vec<_> = self.entries.ids().filter(|id| is_removed(self.entries.get(*id))).collect();
            gone.extend(removed.into_iter().map(|id| self.let_go(id)));
        }
        hashes.clear();
        hashes.shrink_to(KEPT);
        (self.seen, self.departed) = (generation, hashes);
        self.shrink();
        // When all are taken out: it runs code that is not ours, and may panic.
        drop_each(gone.drain(..));
        gone.shrink_to(KEPT);
        self.gone = gone;
    }

    /// Takes an entry out, for the caller to drop.
    fn let_go(&mut self, id: EntryId) -> Entry<Key, Copy<R>> {
        let entry = self.entries.take(id);
        entry.resource.node.retire_count(&entry.resource.count);
        self.vacant.push(id.0);
        self.len -= 1;
        entry
    }

    /// Numbers the entries anew and gives memory back, if few of the places are in use.
    fn shrink(&mut self) {
        let places = self.len as usize + self.vacant.len() + 1;
        if places >= MIN_PLACES && (self.len as usize) < places / 4 {
            let map = Renumbering::of(self.entries.ids(), places);
            self.entries.renumber(&map);
            self.vacant = Vec::new();
        }
    }

    fn new_count(&mut self) -> Count {
        if self.counts_used == COUNTS {
            (self.counts, self.counts_used) = (Arc::default(), 0);
        }
        self.counts_used += 1;
        Count { counts: self.counts.clone(), place: self.counts_used - 1 }
    }
}

impl<Key, R> LocalCache<Key, R> {
    /// Hands in what was counted, and takes all entries out, for the caller to drop: that runs code that is not ours, and may
    /// panic.
    fn let_go_of_all(&mut self) -> Vec<Entry<Key, Copy<R>>> {
        let entries: Vec<_> = self.entries.take_all().collect();
        for Entry { resource: Copy { node, count }, .. } in &entries {
            node.retire_count(count);
        }
        let mut state = self.core.lock();
        let hits = self.tally.0.swap(0, Ordering::Relaxed);
        state.cache.counters_mut().add_hits(hits);
        entries
    }
}

impl<Key, R> Drop for LocalCache<Key, R> {
    fn drop(&mut self) {
        let entries = self.let_go_of_all();
        let tally = Arc::as_ptr(&self.tally);
        self.core.lock().locals.retain(|local| !std::ptr::eq(local.as_ptr(), tally));
        drop_each(entries);
    }
}
