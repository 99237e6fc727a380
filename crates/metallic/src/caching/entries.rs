//! From a key to an id to a resource.

mod index;

use std::hash::{BuildHasher, Hash};

use equivalent::Equivalent;
use rustc_hash::FxBuildHasher;

use self::index::Index;
use super::drops::{drop_first, run_each};
use super::order::{EntryId, Renumbering, reserve_one};

/// Finds entries by the hashes of their keys. What has an id is the caller's.
pub(super) struct Ids {
    index: Index,
    /// By id. Kept, so that removal and growth call no code of the key's.
    hashes: Vec<u32>,
}

/// Keys and resources that are in no order. The ids are the caller's.
pub(super) struct Entries<Key, R> {
    ids: Ids,
    /// By id.
    slots: Vec<Option<Entry<Key, R>>>,
}

pub(super) struct Entry<Key, R> {
    pub(super) key: Key,
    pub(super) resource: R,
}

/// The hash of a key, or of what is equivalent to one.
#[inline(always)]
pub(super) fn hash_of<Q: Hash + ?Sized>(query: &Q) -> u64 {
    FxBuildHasher.hash_one(query)
}

/// The part of a hash that the index goes by. `FxHasher` ends with a rotation by 26, so that the upper bits of a key reach only
/// bits 10 to 25: without this, keys that differ in no others would all begin at one cell.
#[inline(always)]
fn fold(hash: u64) -> u32 {
    let low = hash as u32;
    low ^ low >> 15
}

impl Ids {
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// The id that was inserted with this hash, and that `is_match` accepts, which must decline ids that are not in use.
    #[inline(always)]
    pub(super) fn find(&self, hash: u64, is_match: impl Fn(EntryId) -> bool) -> Option<EntryId> {
        self.index.find(fold(hash), is_match)
    }

    /// All ids, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = EntryId> + '_ {
        self.index.ids()
    }

    /// Inserts a fresh id. No room is reserved beyond `capacity` entries.
    #[inline(always)]
    pub(super) fn insert(&mut self, id: EntryId, hash: u64, capacity: usize) {
        let hash = fold(hash);
        self.index.insert(hash, id, |id| self.hashes[id.index()]);
        if self.hashes.len() <= id.index() {
            self.add_places(id, capacity);
        }
        self.hashes[id.index()] = hash;
    }

    #[inline(always)]
    pub(super) fn remove(&mut self, id: EntryId) {
        let hashes = &self.hashes[..];
        self.index.remove(hashes[id.index()], id, |id| hashes[id.index()]);
    }

    /// Gives each entry its new id, and gives back the memory that is left over.
    pub(super) fn renumber(&mut self, map: &Renumbering) {
        let old = std::mem::take(self);
        self.hashes.resize(1 + old.len(), 0);
        for (place, id) in map.moves() {
            let hash = old.hashes[place.index()];
            self.index.insert(hash, id, |id| self.hashes[id.index()]);
            self.hashes[id.index()] = hash;
        }
    }

    /// Panics unless these are as many ids as are counted, each of which `key_of` has a key of.
    pub(super) fn validate<'a, Key: Eq + Hash + 'a>(&self, key_of: impl Fn(EntryId) -> &'a Key) {
        assert_eq!(self.iter().count(), self.len(), "the index holds as many ids as it counts");
        for id in self.iter() {
            let found = self.find(hash_of(key_of(id)), |other| other == id);
            assert_eq!(found, Some(id), "an entry is found under its key");
        }
    }

    #[cold]
    fn add_places(&mut self, id: EntryId, capacity: usize) {
        while self.hashes.len() <= id.index() {
            reserve_one(&mut self.hashes, capacity);
            self.hashes.push(0);
        }
    }
}

impl Default for Ids {
    fn default() -> Self {
        // Id 0 is nobody's.
        Self { index: Index::new(), hashes: vec![0] }
    }
}

impl<Key, R> Entries<Key, R> {
    /// The entry with this key, whose hash is `hash`.
    #[inline(always)]
    pub(super) fn find<Q: Equivalent<Key> + ?Sized>(&self, hash: u64, query: &Q) -> Option<EntryId> {
        let is_match =
            |id: EntryId| matches!(&self.slots[id.index()], Some(entry) if query.equivalent(&entry.key));
        self.ids.find(hash, is_match)
    }

    /// The entry with this hash that `is_match` accepts.
    pub(super) fn find_by(&self, hash: u64, is_match: impl Fn(&Entry<Key, R>) -> bool) -> Option<EntryId> {
        self.ids.find(hash, |id| self.slots.get(id.index()).and_then(Option::as_ref).is_some_and(&is_match))
    }

    /// The ids of all entries, in no order.
    pub(super) fn ids(&self) -> impl Iterator<Item = EntryId> + '_ {
        self.ids.iter()
    }

    #[inline]
    pub(super) fn get(&self, id: EntryId) -> &Entry<Key, R> {
        self.slots[id.index()].as_ref().expect("an id in use names an entry")
    }

    #[inline]
    pub(super) fn resource_mut(&mut self, id: EntryId) -> &mut R {
        &mut self.slots[id.index()].as_mut().expect("an id in use names an entry").resource
    }

    /// Puts an entry under a fresh id.
    #[inline(always)]
    pub(super) fn insert(&mut self, id: EntryId, hash: u64, entry: Entry<Key, R>) {
        self.ids.insert(id, hash, usize::MAX);
        if self.slots.len() <= id.index() {
            self.slots.resize_with(id.index() + 1, || None);
        }
        self.slots[id.index()] = Some(entry);
    }

    /// Takes an entry out.
    #[inline(always)]
    pub(super) fn take(&mut self, id: EntryId) -> Entry<Key, R> {
        self.ids.remove(id);
        self.slots[id.index()].take().expect("an id in use names an entry")
    }

    /// Takes all entries out, in no order, and gives their memory back.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Entry<Key, R>> + use<Key, R> {
        std::mem::take(&mut std::mem::take(self).slots).into_iter().flatten()
    }

    /// Moves every entry to its new id, and gives back the memory that is left over.
    pub(super) fn renumber(&mut self, map: &Renumbering) {
        for (old, new) in map.moves() {
            self.slots.swap(old.index(), new.index());
        }
        self.ids.renumber(map);
        self.slots.truncate(1 + self.ids.len());
        self.slots.shrink_to_fit();
    }
}

impl<Key, R> Drop for Entries<Key, R> {
    fn drop(&mut self) {
        let entries = std::mem::take(&mut self.slots).into_iter().flatten();
        drop_each(entries);
    }
}

impl<Key, R> Entry<Key, R> {
    /// Drops the key, and the resource even if that panics: a second panic on the way would end the process.
    #[inline]
    pub(super) fn discard(self) {
        drop(drop_first(self.key, self.resource));
    }
}

/// Drops entries of which any part may panic.
pub(super) fn drop_each<Key, R>(entries: impl IntoIterator<Item = Entry<Key, R>>) {
    run_each(entries, Entry::discard);
}

#[cfg(test)]
#[test]
fn keys_that_differ_in_a_few_bits_only_are_found_in_few_steps() {
    type KeyOf = fn(u64) -> u64;
    let families: [(&str, KeyOf); 9] = [
        ("in sequence", |n| n),
        ("pages", |n| n << 12),
        ("above bit 31", |n| n << 32),
        ("above bit 39", |n| n << 40),
        ("above bit 47", |n| n << 48),
        ("above bit 51", |n| n << 52),
        ("powers of two", |n| 2_f64.powi(n as i32 - 500).to_bits()),
        ("whole numbers as floats", |n| (n as f64).to_bits()),
        ("three dimensions", |n| (n / 100) << 32 | (n / 10 % 10) << 16 | (n % 10)),
    ];
    for (name, key) in families {
        let mut entries = Entries::default();
        for n in 0..1000 {
            let key = key(n);
            let hash = hash_of(&key);
            if entries.find(hash, &key).is_none() {
                entries.insert(EntryId(n as u32 + 1), hash, Entry { key, resource: () });
            }
        }
        // Random hashes in a table that is half full take 1.5 steps on the average.
        let steps = entries.ids.index.mean_steps(|id| entries.ids.hashes[id.index()]);
        assert!(steps < 1.7, "keys {name}: {steps} steps");
    }
}

impl<Key, R> Default for Entries<Key, R> {
    fn default() -> Self {
        Self { ids: Ids::default(), slots: vec![None] }
    }
}
