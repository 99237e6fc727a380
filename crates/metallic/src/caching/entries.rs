//! From a key to an id to a resource.

mod index;

use std::hash::{BuildHasher, Hash};

use equivalent::Equivalent;
use rustc_hash::FxBuildHasher;

use self::index::Index;
use super::drops::{Foreign, run_each};
use super::order::{EntryId, Renumbering, reserve_one};

/// The keys and resources of one cache. The ids come from its [`Order`](super::order::Order).
pub(super) struct Entries<Key, R> {
    index: Index,
    /// By id. Kept, so that removal and growth call no code of the key's.
    hashes: Vec<u32>,
    /// By id.
    slots: Vec<Option<Entry<Key, R>>>,
    /// The bytes that each resource was said to hold when it was inserted, by id: the figure that is taken off when it is removed,
    /// whatever the resource would say by then. Empty until a resource holds something.
    bytes: Vec<u64>,
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

impl<Key, R> Entries<Key, R> {
    /// The entry with this key, whose hash is `hash`.
    #[inline(always)]
    pub(super) fn find<Q: Equivalent<Key> + ?Sized>(&self, hash: u64, query: &Q) -> Option<EntryId> {
        let is_match =
            |id: EntryId| matches!(&self.slots[id.index()], Some(entry) if query.equivalent(&entry.key));
        self.index.find(fold(hash), is_match)
    }

    /// The entry with this hash that `is_match` accepts.
    pub(super) fn find_by(&self, hash: u64, is_match: impl Fn(&Entry<Key, R>) -> bool) -> Option<EntryId> {
        self.index.find(fold(hash), |id| self.try_get(id).is_some_and(&is_match))
    }

    /// The ids of all entries, in no order.
    pub(super) fn ids(&self) -> impl Iterator<Item = EntryId> + '_ {
        self.index.ids()
    }

    #[inline]
    pub(super) fn get(&self, id: EntryId) -> &Entry<Key, R> {
        self.slots[id.index()].as_ref().expect("an id in use names an entry")
    }

    #[inline]
    pub(super) fn resource_mut(&mut self, id: EntryId) -> &mut R {
        &mut self.slots[id.index()].as_mut().expect("an id in use names an entry").resource
    }

    /// The bytes that the resource was inserted with.
    #[inline]
    pub(super) fn bytes(&self, id: EntryId) -> u64 {
        self.bytes.get(id.index()).copied().unwrap_or(0)
    }

    /// Puts an entry under a fresh id. No room is reserved beyond `capacity` entries.
    #[inline(always)]
    pub(super) fn insert(
        &mut self,
        id: EntryId,
        hash: u64,
        entry: Entry<Key, R>,
        bytes: u64,
        capacity: usize,
    ) {
        let hash = fold(hash);
        self.index.insert(hash, id, |id| self.hashes[id.index()]);
        if self.slots.len() <= id.index() {
            self.add_slots(id, capacity);
        }
        self.hashes[id.index()] = hash;
        if bytes > 0 || !self.bytes.is_empty() {
            self.set_bytes(id, bytes);
        }
        self.slots[id.index()] = Some(entry);
    }

    /// Takes an entry out.
    #[inline(always)]
    pub(super) fn take(&mut self, id: EntryId) -> Entry<Key, R> {
        let hashes = &self.hashes[..];
        self.index.remove(hashes[id.index()], id, |id| hashes[id.index()]);
        self.slots[id.index()].take().expect("an id in use names an entry")
    }

    /// Takes all entries out, in no order, and gives their memory back.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = (EntryId, Entry<Key, R>, u64)> + use<Key, R> {
        let mut old = std::mem::take(self);
        let (slots, bytes) = (std::mem::take(&mut old.slots), std::mem::take(&mut old.bytes));
        (0..).zip(slots).filter_map(move |(id, slot)| {
            Some((EntryId(id), slot?, bytes.get(id as usize).copied().unwrap_or(0)))
        })
    }

    /// Moves every entry to its new id, and gives back the memory that is left over.
    pub(super) fn renumber(&mut self, map: &Renumbering) {
        let mut old = std::mem::take(self);
        let places = 1 + old.index.len();
        self.hashes.resize(places, 0);
        self.slots.resize_with(places, || None);
        if !old.bytes.is_empty() {
            self.bytes.resize(places, 0);
        }
        for (place, id) in map.moves() {
            let hash = old.hashes[place.index()];
            self.index.insert(hash, id, |id| self.hashes[id.index()]);
            self.hashes[id.index()] = hash;
            self.slots[id.index()] = old.slots[place.index()].take();
            if let Some(bytes) = self.bytes.get_mut(id.index()) {
                *bytes = old.bytes.get(place.index()).copied().unwrap_or(0);
            }
        }
    }

    /// The entry of an id, unless it was removed.
    pub(super) fn try_get(&self, id: EntryId) -> Option<&Entry<Key, R>> {
        self.slots.get(id.index())?.as_ref()
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

    fn set_bytes(&mut self, id: EntryId, bytes: u64) {
        if self.bytes.len() < self.slots.len() {
            self.bytes.resize(self.slots.len(), 0);
        }
        self.bytes[id.index()] = bytes;
    }
}

impl<Key, R> Drop for Entries<Key, R> {
    fn drop(&mut self) {
        let entries = std::mem::take(&mut self.slots).into_iter().flatten();
        run_each(entries, |Entry { key, resource }| drop((key, Foreign::new(resource))));
    }
}

impl<Key: Eq + Hash, R> Entries<Key, R> {
    /// Panics unless the index and the array hold the same `len` entries.
    pub(super) fn validate(&self, len: usize) {
        let occupied = self.slots.iter().flatten().count();
        assert_eq!((self.index.len(), occupied), (len, len), "index and array hold every entry");
        assert_eq!(self.index.ids().count(), len, "the index holds as many ids as it counts");
        for id in self.index.ids() {
            let key = &self.get(id).key;
            assert_eq!(self.find(hash_of(key), key), Some(id), "an entry is found under its key");
        }
    }
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
                entries.insert(EntryId(n as u32 + 1), hash, Entry { key, resource: () }, 0, usize::MAX);
            }
        }
        // Random hashes in a table that is half full take 1.5 steps on the average.
        let steps = entries.index.mean_steps(|id| entries.hashes[id.index()]);
        assert!(steps < 1.7, "keys {name}: {steps} steps");
    }
}

impl<Key, R> Default for Entries<Key, R> {
    fn default() -> Self {
        // Id 0 is nobody's.
        Self { index: Index::new(), hashes: vec![0], slots: vec![None], bytes: Vec::new() }
    }
}
