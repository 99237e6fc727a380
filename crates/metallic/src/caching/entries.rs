//! From a key to an id to a resource.

use std::hash::{BuildHasher, Hash};

use rustc_hash::FxBuildHasher;

use super::index::Index;
use super::order::{EntryId, reserve_one};

/// The keys and resources of one cache. The ids come from its [`Order`](super::order::Order).
pub(super) struct Entries<Key, R> {
    index: Index,
    /// By id. Kept, so that removal and growth call no code of the key's.
    hashes: Vec<u32>,
    /// By id.
    slots: Vec<Option<Entry<Key, R>>>,
}

pub(super) struct Entry<Key, R> {
    pub(super) key: Key,
    pub(super) resource: R,
}

impl<Key: Eq + Hash, R> Entries<Key, R> {
    #[inline]
    pub(super) fn hash(key: &Key) -> u32 {
        FxBuildHasher.hash_one(key) as u32
    }

    /// The entry with this key, whose hash is `hash`.
    #[inline(always)]
    pub(super) fn find(&self, hash: u32, key: &Key) -> Option<EntryId> {
        self.index.find(hash, |id| matches!(&self.slots[id.index()], Some(entry) if entry.key == *key))
    }

    #[inline]
    pub(super) fn get(&self, id: EntryId) -> &Entry<Key, R> {
        self.slots[id.index()].as_ref().expect("an id in use names an entry")
    }

    #[inline]
    pub(super) fn resource_mut(&mut self, id: EntryId) -> &mut R {
        &mut self.slots[id.index()].as_mut().expect("an id in use names an entry").resource
    }

    /// Puts an entry under a fresh id and returns its resource. No room is reserved beyond `capacity` entries.
    #[inline(always)]
    pub(super) fn insert(
        &mut self,
        id: EntryId,
        hash: u32,
        key: Key,
        resource: R,
        capacity: usize,
    ) -> &mut R {
        self.index.insert(hash, id, |id| self.hashes[id.index()]);
        if self.slots.len() <= id.index() {
            self.add_slots(id, capacity);
        }
        self.hashes[id.index()] = hash;
        &mut self.slots[id.index()].insert(Entry { key, resource }).resource
    }

    /// Makes the entry of an id impossible to find.
    #[inline(always)]
    pub(super) fn unindex(&mut self, id: EntryId) {
        let hashes = &self.hashes[..];
        self.index.remove(hashes[id.index()], id, |id| hashes[id.index()]);
    }

    /// Takes an entry out that is not indexed any more.
    #[inline]
    pub(super) fn take(&mut self, id: EntryId) -> Entry<Key, R> {
        self.slots[id.index()].take().expect("an id in use names an entry")
    }

    /// Drops an entry that is not indexed any more, where it stands.
    #[inline]
    pub(super) fn vacate(&mut self, id: EntryId) {
        self.slots[id.index()] = None;
    }

    #[cold]
    fn add_slots(&mut self, id: EntryId, capacity: usize) {
        while self.slots.len() <= id.index() {
            reserve_one(&mut self.slots, capacity);
            reserve_one(&mut self.hashes, capacity);
            self.slots.push(None);
            self.hashes.push(0);
        }
    }

    /// The entry of an id, unless it has left.
    pub(super) fn try_get(&self, id: EntryId) -> Option<&Entry<Key, R>> {
        self.slots.get(id.index())?.as_ref()
    }

    /// Panics unless the index and the array hold the same `len` entries.
    pub(super) fn validate(&self, len: usize) {
        let occupied = self.slots.iter().flatten().count();
        assert_eq!((self.index.len(), occupied), (len, len), "index and array hold every entry");
        assert_eq!(self.index.ids().count(), len, "the index holds as many ids as it counts");
        for id in self.index.ids() {
            let key = &self.get(id).key;
            assert_eq!(self.find(Self::hash(key), key), Some(id), "an entry is found under its key");
        }
    }
}

impl<Key, R> Default for Entries<Key, R> {
    fn default() -> Self {
        // Id 0 is nobody's.
        Self { index: Index::new(), hashes: vec![0], slots: vec![None] }
    }
}
