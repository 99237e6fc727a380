//! The cost of each key, for the number of keys that the memory allows.

use std::cmp::Ordering;
use std::hash::{BuildHasher, RandomState};

use rustc_hash::FxHashMap;

use crate::input::RegistryId;

/// A key's life in one registry so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFigures {
    /// The key as it is in the log, cut after [`KeyLedger::LABEL`] bytes.
    pub label: Box<str>,
    /// Which cache it belongs to: its place in the collector's list.
    pub cache: u32,
    /// Look-ups that found it.
    pub hits: u64,
    /// Look-ups that did not.
    pub misses: u64,
    /// Creations that went well.
    pub created: u64,
    /// Creations that failed or panicked.
    pub failed: u64,
    /// Time spent in all of its creations, in nanoseconds.
    pub creation_ns: u64,
    /// The number of its evictions.
    pub evicted: u64,
    /// Creations of entries that a policy had evicted.
    pub rebuilt: u64,
    /// Time spent in those, in nanoseconds.
    pub rebuilt_ns: u64,
    /// Its presence in its cache.
    pub presence: Presence,
    /// When it was last looked up.
    pub used_at: Option<u64>,
}

/// The last known state of a key's entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// It was never created.
    #[default]
    Never,
    /// It is there.
    Present,
    /// A policy evicted it.
    Evicted,
    /// The caller removed it.
    Removed,
}

/// The sums of the keys that the ledger has forgotten, of one cache or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Keys let go of; a key that came back and was let go of again counts again.
    pub keys: u64,
    /// Their misses.
    pub misses: u64,
    /// Their creations that went well.
    pub created: u64,
    /// Time spent in creating them, in nanoseconds.
    pub creation_ns: u64,
    /// Creations of entries that a policy had evicted.
    pub rebuilt: u64,
    /// Time spent in those, in nanoseconds.
    pub rebuilt_ns: u64,
}

impl KeyFigures {
    /// Adds the figures of the same key in another registry.
    pub fn add(&mut self, other: &Self) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.created += other.created;
        self.failed += other.failed;
        self.creation_ns = self.creation_ns.saturating_add(other.creation_ns);
        self.evicted += other.evicted;
        self.rebuilt += other.rebuilt;
        self.rebuilt_ns = self.rebuilt_ns.saturating_add(other.rebuilt_ns);
    }
}

impl Forgotten {
    fn add(&mut self, key: &KeyFigures) {
        self.keys += 1;
        self.misses += key.misses;
        self.created += key.created;
        self.creation_ns = self.creation_ns.saturating_add(key.creation_ns);
        self.rebuilt += key.rebuilt;
        self.rebuilt_ns = self.rebuilt_ns.saturating_add(key.rebuilt_ns);
    }
}

/// The figures of the keys of a log, up to a limit.
///
/// Up to the limit they are exact. Beyond it the ledger lets go of the cheaper half of its keys and keeps only their sums,
/// one for each cache. A key that comes back starts anew, so what is said of it may lack something: of creation time, at
/// most [`lacking_ns`](Self::lacking_ns).
///
/// A key is known by a hash of its label of 64 bits: among ten million keys, two are taken for one with a probability of
/// one to four hundred thousand.
#[derive(Debug)]
pub struct KeyLedger {
    keys: FxHashMap<u64, KeyFigures>,
    hasher: RandomState,
    limit: usize,
    forgotten: Vec<Forgotten>,
    lacking_ns: u64,
}

impl KeyLedger {
    /// Longest label kept, in bytes.
    pub const LABEL: usize = 240;

    /// A ledger of at most `limit` keys, and at least two.
    pub fn new(limit: usize) -> Self {
        let limit = limit.max(2);
        Self {
            keys: FxHashMap::default(),
            hasher: RandomState::new(),
            limit,
            forgotten: Vec::new(),
            lacking_ns: 0,
        }
    }

    /// The figures of a key of this registry, if it has any.
    pub fn get_mut(&mut self, label: &str, registry: RegistryId) -> Option<&mut KeyFigures> {
        self.keys.get_mut(&self.hasher.hash_one((registry, label)))
    }

    /// The figures of a key of this registry, in the cache at `cache` in the collector's list.
    pub fn entry(&mut self, label: &str, registry: RegistryId, cache: usize) -> &mut KeyFigures {
        let hash = self.hasher.hash_one((registry, label));
        if self.keys.len() >= self.limit && !self.keys.contains_key(&hash) {
            self.forget_half();
        }
        self.keys.entry(hash).or_insert_with(|| KeyFigures {
            label: label[..label.floor_char_boundary(Self::LABEL)].into(),
            cache: cache as u32,
            ..KeyFigures::default()
        })
    }

    /// The keys there are figures of, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &KeyFigures> {
        self.keys.values()
    }

    /// The most keys there are figures of at any time.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The sums of the forgotten keys of the cache at this place in the collector's list.
    pub fn forgotten(&self, cache: usize) -> Forgotten {
        self.forgotten.get(cache).copied().unwrap_or_default()
    }

    /// The most creation time, in nanoseconds, that the figures of one key may lack.
    pub fn lacking_ns(&self) -> u64 {
        self.lacking_ns
    }

    fn forget_half(&mut self) {
        // Of keys that cost the same, those unused for longer go.
        let worth = |key: &KeyFigures| (key.creation_ns, key.misses, key.used_at);
        let kept = self.limit / 2;
        let mut worths: Vec<_> = self.keys.values().map(worth).collect();
        let place = worths.len() - kept;
        let threshold = *worths.select_nth_unstable(place).1;
        let above = worths.iter().filter(|&&worth| worth > threshold).count();
        let mut room_for_equals = kept - above;
        let Self { keys, forgotten, .. } = self;
        let mut dearest = 0;
        keys.retain(|_, key| {
            let keep = match worth(key).cmp(&threshold) {
                Ordering::Greater => true,
                Ordering::Less => false,
                Ordering::Equal if room_for_equals == 0 => false,
                Ordering::Equal => {
                    room_for_equals -= 1;
                    true
                }
            };
            if !keep {
                let cache = key.cache as usize;
                if forgotten.len() <= cache {
                    forgotten.resize(cache + 1, Forgotten::default());
                }
                forgotten[cache].add(key);
                dearest = dearest.max(key.creation_ns);
            }
            keep
        });
        self.lacking_ns = self.lacking_ns.saturating_add(dearest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(ledger: &mut KeyLedger, label: &str, ns: u64) {
        let key = ledger.entry(label, RegistryId::default(), 0);
        key.created += 1;
        key.creation_ns += ns;
    }

    #[test]
    fn under_the_limit_every_key_is_kept() {
        let mut ledger = KeyLedger::new(100);
        (0..100).for_each(|n| create(&mut ledger, &format!("c:{n}"), n));
        assert_eq!(ledger.iter().count(), 100);
        assert_eq!(ledger.forgotten(0), Forgotten::default());
        assert_eq!(ledger.lacking_ns(), 0);
    }

    #[test]
    fn beyond_the_limit_the_dearest_keys_stay_and_the_sums_are_whole() {
        let mut ledger = KeyLedger::new(100);
        create(&mut ledger, "c:dear", 1_000_000);
        (0..10_000).for_each(|n| create(&mut ledger, &format!("c:{n}"), 10));
        assert!(ledger.iter().count() <= 100);
        assert_eq!(ledger.get_mut("c:dear", RegistryId::default()).unwrap().creation_ns, 1_000_000);
        let kept: u64 = ledger.iter().map(|key| key.creation_ns).sum();
        assert_eq!(kept + ledger.forgotten(0).creation_ns, 1_000_000 + 10_000 * 10);
        assert_eq!(ledger.iter().count() as u64 + ledger.forgotten(0).keys, 10_001);
    }

    #[test]
    fn what_a_key_may_lack_is_said() {
        let mut ledger = KeyLedger::new(10);
        create(&mut ledger, "c:back", 5);
        (0..1000).for_each(|n| create(&mut ledger, &format!("c:{n}"), 10 + n));
        create(&mut ledger, "c:back", 7);
        let lacks = 12 - ledger.get_mut("c:back", RegistryId::default()).unwrap().creation_ns;
        assert!(lacks > 0 && lacks <= ledger.lacking_ns());
    }

    #[test]
    fn a_long_label_is_cut_and_still_told_apart() {
        let mut ledger = KeyLedger::new(10);
        let stem = "é".repeat(KeyLedger::LABEL);
        create(&mut ledger, &format!("{stem}1"), 1);
        create(&mut ledger, &format!("{stem}2"), 2);
        assert_eq!(ledger.iter().count(), 2);
        assert!(ledger.iter().all(|key| key.label.len() <= KeyLedger::LABEL));
    }
}
