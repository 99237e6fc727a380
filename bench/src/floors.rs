//! The floor that no cache can beat: hash maps that never remove anything.

use std::hint::black_box;

use rustc_hash::FxHashMap;

use crate::contender::Contender;
use crate::workload::{Forge, Key, Params, Resource, Workload};

/// A hash map and nothing else.
pub struct Bare {
    map: FxHashMap<Key, Resource>,
    forge: Forge,
}

impl Bare {
    pub fn new(workload: &Workload) -> Self {
        Self { map: FxHashMap::default(), forge: workload.forge.clone() }
    }

    #[cold]
    fn insert(&mut self, key: Key) {
        let resource = self.forge.make(&key);
        self.map.insert(key, resource);
    }
}

impl Contender for Bare {
    type Found<'a> = ();

    #[inline(always)]
    fn get_or_create(&mut self, params: &Params) {
        let key = Key::new(params);
        match self.map.get_mut(&key) {
            Some(resource) => {
                black_box(resource);
            }
            None => self.insert(key),
        }
    }
}

/// The additions that any cache with ages and hit rates needs: a raw time stamp, and a counter each for the entry and the cache.
pub struct Honest {
    map: FxHashMap<Key, Stamped>,
    hits: u64,
    forge: Forge,
}

struct Stamped {
    resource: Resource,
    last_used: u64,
    uses: u64,
}

impl Honest {
    pub fn new(workload: &Workload) -> Self {
        Self { map: FxHashMap::default(), hits: 0, forge: workload.forge.clone() }
    }

    #[cold]
    fn insert(&mut self, key: Key) {
        let resource = self.forge.make(&key);
        self.map.insert(key, Stamped { resource, last_used: 0, uses: 0 });
    }
}

impl Contender for Honest {
    type Found<'a> = ();

    #[inline(always)]
    fn get_or_create(&mut self, params: &Params) {
        let key = Key::new(params);
        // After the look-up it would cost more: the processor finishes what came before it first.
        let now = stamp();
        match self.map.get_mut(&key) {
            Some(entry) => {
                entry.last_used = now;
                entry.uses += 1;
                self.hits += 1;
                black_box(&mut entry.resource);
            }
            None => self.insert(key),
        }
    }
}

impl Drop for Honest {
    fn drop(&mut self) {
        black_box((self.hits, self.map.values().map(|entry| entry.last_used ^ entry.uses).max()));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn stamp() -> u64 {
    // SAFETY: part of x86-64, touches no memory.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
fn stamp() -> u64 {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed().as_nanos() as u64
}
