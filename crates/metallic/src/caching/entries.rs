//! From a key to an id to a resource: a table of four-byte ids into one array of keys and resources.

use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use super::order::{EntryId, reserve_one};

/// The keys and resources of one cache. The ids come from its [`EntryOrder`](super::order::EntryOrder).
pub(super) struct Entries<Key, R> {
    index: HashTable<EntryId>,
    slots: Vec<Option<Entry<Key, R>>>,
}

pub(super) struct Entry<Key, R> {
    pub(super) key: Key,
    pub(super) resource: R,
}

impl<Key: Eq + Hash, R> Entries<Key, R> {
    #[inline]
    pub(super) fn hash(key: &Key) -> u64 {
        FxBuildHasher.hash_one(key)
    }

    /// The entry with this key, whose hash is `hash`.
    #[inline]
    pub(super) fn find(&self, hash: u64, key: &Key) -> Option<EntryId> {
        self.index.find(hash, |id| self.get(*id).key == *key).copied()
    }

    #[inline]
    pub(super) fn get(&self, id: EntryId) -> &Entry<Key, R> {
        self.slots[id.slot()].as_ref().expect("an id in use names an entry")
    }

    #[inline]
    pub(super) fn resource_mut(&mut self, id: EntryId) -> &mut R {
        &mut self.slots[id.slot()].as_mut().expect("an id in use names an entry").resource
    }

    /// Puts an entry under a fresh id. `limit` is the number of entries that the cache will not exceed, if it is known.
    pub(super) fn insert(&mut self, id: EntryId, hash: u64, entry: Entry<Key, R>, limit: Option<usize>) {
        let slots = &self.slots;
        let rehash = |id: &EntryId| Self::hash(&slots[id.slot()].as_ref().expect("indexed").key);
        self.index.insert_unique(hash, id, rehash);
        if id.slot() == self.slots.len() {
            reserve_one(&mut self.slots, limit);
            self.slots.push(Some(entry));
        } else {
            self.slots[id.slot()] = Some(entry);
        }
    }

    /// Takes the entry of an id out. Nothing has changed if the key's `Hash` panics.
    pub(super) fn remove(&mut self, id: EntryId) -> Entry<Key, R> {
        let hash = Self::hash(&self.get(id).key);
        let indexed = self.index.find_entry(hash, |other| *other == id);
        indexed.expect("every entry is indexed under its key's hash").remove();
        self.slots[id.slot()].take().expect("an id in use names an entry")
    }

    /// Panics unless the index and the array hold the same `len` entries.
    pub(super) fn validate(&self, len: usize) {
        let occupied = self.slots.iter().flatten().count();
        assert_eq!((self.index.len(), occupied), (len, len), "index and array hold every entry");
        for id in &self.index {
            let key = &self.get(*id).key;
            assert_eq!(self.find(Self::hash(key), key), Some(*id), "an entry is found under its key");
        }
    }
}

impl<Key, R> Default for Entries<Key, R> {
    fn default() -> Self {
        Self { index: HashTable::new(), slots: Vec::new() }
    }
}
