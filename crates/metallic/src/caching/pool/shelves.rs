//! The items of each key, in the order of their return.

use std::collections::VecDeque;
use std::hash::Hash;

use equivalent::Equivalent;

use crate::caching::drops::Foreign;
use crate::caching::entries::{Entries, Entry};
use crate::caching::order::{EntryId, Renumbering};

/// Names a key that has items, here or lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShelfId(EntryId);

/// For each key that has items, those that are here.
pub(super) struct Shelves<Key> {
    keys: Entries<Key, Shelf>,
    /// Ids that are free. Those above the number of keys were never given.
    vacant: Vec<EntryId>,
    len: u32,
}

#[derive(Default)]
struct Shelf {
    /// From the item that was returned first.
    items: VecDeque<EntryId>,
    /// Items that are lent or being made.
    lent: usize,
}

impl<Key: Eq + Hash> Shelves<Key> {
    /// Notes that an item of this key is about to be made for a holder. Takes the key only if it has no items yet: where it is not
    /// needed, or its `Eq` panics, it is the caller's to drop, elsewhere.
    pub(super) fn open(&mut self, hash: u64, key: &mut Foreign<Key>) -> ShelfId {
        let id = self.keys.find(hash, &**key).unwrap_or_else(|| {
            self.len += 1;
            let id = self.vacant.pop().unwrap_or(EntryId(self.len));
            let key = key.take().expect("a key that was just looked for");
            self.keys.insert(id, hash, Entry { key, resource: Shelf::default() });
            id
        });
        self.keys.resource_mut(id).lent += 1;
        ShelfId(id)
    }
}

impl<Key> Shelves<Key> {
    /// Takes the item of this key that was returned last.
    pub(super) fn take<Q: Equivalent<Key> + ?Sized>(
        &mut self,
        hash: u64,
        query: &Q,
    ) -> Option<(ShelfId, EntryId)> {
        let id = self.keys.find(hash, query)?;
        let shelf = self.keys.resource_mut(id);
        let item = shelf.items.pop_back()?;
        shelf.lent += 1;
        Some((ShelfId(id), item))
    }

    /// Puts an item back that was lent.
    pub(super) fn put_back(&mut self, shelf: ShelfId, item: EntryId) {
        let shelf = self.keys.resource_mut(shelf.0);
        shelf.items.push_back(item);
        shelf.lent -= 1;
    }

    /// Notes that an item which was lent does not come back. Returns the key if it has no other, to be dropped elsewhere.
    #[must_use]
    pub(super) fn give_up(&mut self, shelf: ShelfId) -> Option<Key> {
        self.keys.resource_mut(shelf.0).lent -= 1;
        self.close(shelf)
    }

    /// Takes out an item that was evicted: most often the one that was returned first. Returns the key as
    /// [`give_up`](Self::give_up).
    #[must_use]
    pub(super) fn remove(&mut self, shelf: ShelfId, item: EntryId) -> Option<Key> {
        let items = &mut self.keys.resource_mut(shelf.0).items;
        if let Some(place) = items.iter().position(|other| *other == item) {
            items.remove(place);
        }
        self.close(shelf)
    }

    /// Takes out all items, and returns the keys that have none any more.
    pub(super) fn remove_all(&mut self) -> Vec<Key> {
        let ids: Vec<EntryId> = self.keys.ids().collect();
        let closed = ids.into_iter().filter_map(|id| {
            self.keys.resource_mut(id).items = VecDeque::new();
            self.close(ShelfId(id))
        });
        closed.collect()
    }

    /// Follows items to their new ids.
    pub(super) fn renumber(&mut self, map: &Renumbering) {
        let ids: Vec<EntryId> = self.keys.ids().collect();
        for id in ids {
            let items = &mut self.keys.resource_mut(id).items;
            items.iter_mut().for_each(|item| *item = map.new_id(*item).unwrap_or(*item));
        }
    }

    fn close(&mut self, shelf: ShelfId) -> Option<Key> {
        let Shelf { items, lent } = self.keys.resource_mut(shelf.0);
        if !items.is_empty() || *lent > 0 {
            return None;
        }
        self.len -= 1;
        if self.len == 0 {
            // Gives the memory back.
            self.vacant = Vec::new();
            return self.keys.take_all().next().map(|entry| entry.key);
        }
        self.vacant.push(shelf.0);
        Some(self.keys.take(shelf.0).key)
    }
}

impl<Key> Default for Shelves<Key> {
    fn default() -> Self {
        Self { keys: Entries::default(), vacant: Vec::new(), len: 0 }
    }
}
