//! An item in the hands of its holder.

use std::fmt::{self, Debug};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use metallic_instrumentation::RemovalCause;

use super::{PoolCore, Shelved};
use crate::caching::drops::{Foreign, run_each};
use crate::caching::entries::{Entry, hash_of};
use crate::caching::keyed_cache::nothing_newer;
use crate::caching::order::EntryHistory;

/// An item of a [`Pool`](super::Pool), lent to the holder of this. It is returned when this is dropped, also by a panic, unless
/// its device was lost since it was lent ([`SharedRegistry::device_lost`](crate::caching::SharedRegistry::device_lost)). It may
/// outlive the registry and be dropped on another thread.
///
/// The pool's user must know whether an item that a panic returns is fit for the next holder; [`detach`](Self::detach) keeps
/// it out.
pub struct Lent<Key, R> {
    core: Arc<PoolCore<Key, R>>,
    /// `None` once it was returned.
    item: Option<Item<Key, R>>,
}

/// An item that is lent, and what the pool knows of it.
pub(super) struct Item<Key, R> {
    pub(super) key: Key,
    pub(super) shelved: Shelved<R>,
    pub(super) history: EntryHistory,
    /// Devices that had been lost when it was lent.
    pub(super) epoch: u64,
}

impl<Key, R> Lent<Key, R> {
    pub(super) fn new(core: Arc<PoolCore<Key, R>>, item: Item<Key, R>) -> Self {
        Self { core, item: Some(item) }
    }

    /// Takes the item out of the pool for good. Counts as a removal.
    pub fn detach(mut lent: Self) -> R {
        let item = lent.item.take().expect("an item is returned by a drop");
        let resource = lent.core.remove(item, RemovalCause::Removed);
        // It may be the last that knows of the pool.
        drop(lent);
        resource.into_inner()
    }

    /// The key of the item.
    pub fn key(lent: &Self) -> &Key {
        &lent.item().key
    }

    pub(super) fn item(&self) -> &Item<Key, R> {
        self.item.as_ref().expect("an item is returned by a drop")
    }

    pub(super) fn item_mut(&mut self) -> &mut Item<Key, R> {
        self.item.as_mut().expect("an item is returned by a drop")
    }
}

impl<Key, R> PoolCore<Key, R> {
    /// Keeps an item that is lent out for good, and returns it.
    fn remove(&self, item: Item<Key, R>, cause: RemovalCause) -> Foreign<R> {
        let Item { key, shelved: Shelved { resource, shelf, label, .. }, history, .. } = item;
        let (key, resource) = (Foreign::new(key), Foreign::new(resource));
        // Before anything is changed, and whatever the clock does.
        let now = self.time.stamp_or(history.last_used);
        let mut state = self.lock();
        state.lent -= 1;
        state.cache.give_up();
        let last = state.shelves.give_up(shelf).map(Foreign::new);
        let (reporter, size) = (state.reporter.clone(), state.cache.len());
        drop(state);
        if let Some(reporter) = reporter {
            reporter.removed(|| label.unwrap_or_else(|| self.label(&key)), &history, 0, cause, now);
            reporter.cleared(1, size, now);
        }
        drop((last, key));
        resource
    }

    /// Takes an item back, and drops what is too much then.
    fn take_back(&self, item: Item<Key, R>) {
        let Item { key, shelved, history, epoch } = item;
        let (shelf, hash) = (shelved.shelf, hash_of(&shelved.serial));
        // Before anything is changed, and whatever the clock does: the item is taken back.
        let now = self.time.stamp_or(history.last_used);
        let mut state = self.lock();
        if state.epoch != epoch {
            drop(state);
            drop(self.remove(Item { key, shelved, history, epoch }, RemovalCause::Cleared));
            return;
        }
        state.lent -= 1;
        let expired = self.expire(&mut state, now);
        let entry = Entry { key, resource: shelved };
        let (id, departures) = state.cache.take_back(entry, history, hash, now, nothing_newer);
        state.shelves.put_back(shelf, id);
        let evicted = self.leave(&mut state, departures);
        drop(state);
        self.see_off(&expired);
        self.see_off(&evicted);
        drop((expired, evicted));
    }
}

impl<Key, R> Drop for Lent<Key, R> {
    fn drop(&mut self) {
        let Some(item) = self.item.take() else { return };
        // Should another panic be under way, one from the `Drop` of what is evicted would end the process.
        run_each([item], |item| self.core.take_back(item));
    }
}

impl<Key, R> Deref for Lent<Key, R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.item().shelved.resource
    }
}

impl<Key, R> DerefMut for Lent<Key, R> {
    fn deref_mut(&mut self) -> &mut R {
        &mut self.item_mut().shelved.resource
    }
}

impl<Key: Debug, R: Debug> Debug for Lent<Key, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent")
            .field("pool", &self.core.name)
            .field("key", Self::key(self))
            .field("item", &**self)
            .finish()
    }
}
