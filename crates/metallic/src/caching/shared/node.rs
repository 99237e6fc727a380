//! A resource that threads share, and what they note of its uses.

use std::sync::{Arc, OnceLock, PoisonError};

use super::local::{Count, count_one};
use crate::caching::drops::Foreign;
use crate::caching::order::{EntryHistory, Uses};
use crate::caching::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::caching::sync::{Mutex, MutexGuard};

/// An entry's resource. Hits of local copies write to it at most once a coarse tick.
pub(in crate::caching) struct Node<R> {
    pub(in crate::caching) resource: R,
    /// The last use, to a coarse tick. Stamps of the cache's time source.
    last_used: AtomicU64,
    /// The removals before the use that was noted last.
    removals: AtomicU64,
    /// `true` if the entry was removed.
    removed: AtomicBool,
    pub(super) hash: u64,
    pub(super) bytes: u64,
    /// The number of its insertion among those of its cache, from 1.
    generation: AtomicU64,
    /// Hits that were counted under the lock, which is also where they are written.
    reuse_count: AtomicU64,
    /// Hits of local copies that are gone.
    retired: AtomicU64,
    /// The counts of local copies.
    counts: Mutex<Counts>,
    label: OnceLock<Arc<str>>,
}

/// The first by itself: most entries are in one local copy, and then nothing is allocated.
#[derive(Default)]
struct Counts {
    first: Option<Count>,
    others: Vec<Count>,
}

impl Counts {
    fn push(&mut self, count: Count) {
        if self.first.is_none() {
            self.first = Some(count);
        } else {
            self.others.push(count);
        }
    }

    /// Takes a count out, if it is there.
    fn take(&mut self, count: &Count) -> Option<Count> {
        if self.first.as_ref().is_some_and(|first| first.is(count)) {
            return std::mem::replace(&mut self.first, self.others.pop());
        }
        let place = self.others.iter().position(|other| other.is(count))?;
        Some(self.others.swap_remove(place))
    }

    fn total_hits(&self) -> u64 {
        self.first.iter().chain(&self.others).map(Count::get).sum()
    }
}

impl<R> Node<R> {
    pub(super) fn new(resource: R, hash: u64, bytes: u64, now: u64, removals: u64) -> Self {
        Self {
            resource,
            last_used: AtomicU64::new(now),
            removals: AtomicU64::new(removals),
            removed: AtomicBool::new(false),
            hash,
            bytes,
            generation: AtomicU64::new(0),
            reuse_count: AtomicU64::new(0),
            retired: AtomicU64::new(0),
            counts: Mutex::default(),
            label: OnceLock::new(),
        }
    }

    /// Notes a use at `now`, unless one was noted less than `tick` before and nothing was removed since. Reads are what threads
    /// share: where nothing is removed, they write once a tick. Where entries change faster than that, each use counts.
    #[inline(always)]
    pub(super) fn touch(&self, now: u64, tick: u64, removals: u64) {
        let is_noted = self.removals.load(Ordering::Relaxed) == removals;
        // A sum that wraps around notes a use too many.
        if !is_noted || now >= self.last_used.load(Ordering::Relaxed).wrapping_add(tick) {
            self.removals.store(removals, Ordering::Relaxed);
            self.last_used.store(now, Ordering::Relaxed);
        }
    }

    /// Counts a hit under the lock: a load and a store are enough.
    #[inline(always)]
    pub(super) fn count_hit(&self, now: u64) {
        self.last_used.store(now, Ordering::Relaxed);
        count_one(&self.reuse_count);
    }

    /// A clone of the resource, for a caller. Whoever calls `clone` and then lets go of the last hold on a resource that panics in
    /// its `Drop` loses the clone: what a function is about to return is not dropped by a panic.
    #[inline(always)]
    pub(in crate::caching) fn cloned(node: Arc<Self>) -> R
    where
        R: Clone,
    {
        // Should this panic, it may be the last hold.
        let node = Foreign::new(node);
        let clone = node.resource.clone();
        match Arc::into_inner(node.into_inner()) {
            None => clone,
            Some(last) => last.dropped_before(clone),
        }
    }

    /// Out of line: a guard around the clone of each hit would send it through memory.
    #[cold]
    #[inline(never)]
    fn dropped_before(self, clone: R) -> R {
        let clone = Foreign::new(clone);
        drop(self);
        clone.into_inner()
    }

    pub(in crate::caching) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// To be called under the lock, before others have the node.
    pub(super) fn set_generation(&self, generation: u64) {
        self.generation.store(generation, Ordering::Relaxed);
    }

    pub(super) fn remove(&self) {
        self.removed.store(true, Ordering::Release);
    }

    pub(super) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Acquire)
    }

    /// Counts the hits of a local copy from now on.
    pub(super) fn add_count(&self, count: Count) {
        self.counts().push(count);
    }

    /// Keeps the hits of a local copy that lets go.
    pub(super) fn retire_count(&self, count: &Count) {
        let mut counts = self.counts();
        if let Some(count) = counts.take(count) {
            self.retired.fetch_add(count.get(), Ordering::Relaxed);
        }
    }

    pub(super) fn uses(&self) -> Uses {
        let counts = self.counts();
        let locals = counts.total_hits();
        let retired = self.retired.load(Ordering::Relaxed);
        let counted_here = self.reuse_count.load(Ordering::Relaxed);
        Uses {
            last_used: self.last_used.load(Ordering::Relaxed),
            removals: self.removals.load(Ordering::Relaxed),
            reuse_count: counted_here.saturating_add(retired).saturating_add(locals),
        }
    }

    /// The history of an entry with what its order was not told of.
    pub(super) fn history(&self, known: EntryHistory) -> EntryHistory {
        let Uses { last_used, reuse_count, .. } = self.uses();
        EntryHistory { last_used: last_used.max(known.last_used), reuse_count, ..known }
    }

    pub(super) fn label(&self, format: impl FnOnce() -> Arc<str>) -> Arc<str> {
        match self.label.get() {
            Some(label) => label.clone(),
            None => {
                // Before the cell is taken: a key's `Debug` is not ours, and may look the key up.
                let label = format();
                self.label.get_or_init(|| label).clone()
            }
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The uses of an entry, as far as its node knows.
pub(super) fn uses<R>(node: &Arc<Node<R>>) -> Option<Uses> {
    Some(node.uses())
}
