//! Other caches, each with room for all resident keys, with Fx hashing, and by the call that gets or inserts.

use std::num::NonZeroUsize;

use hashlink::linked_hash_map::Entry;
use quick_cache::UnitWeighter;
use rustc_hash::FxBuildHasher;
use schnellru::ByLength;

use crate::contender::Contender;
use crate::workload::{Forge, Key, Params, Resource, Workload};

pub struct Lru {
    cache: lru::LruCache<Key, Resource, FxBuildHasher>,
    forge: Forge,
}

impl Lru {
    pub fn new(workload: &Workload) -> Self {
        let capacity = NonZeroUsize::new(workload.capacity).expect("a cache holds something");
        Self { cache: lru::LruCache::with_hasher(capacity, FxBuildHasher), forge: workload.forge.clone() }
    }
}

impl Contender for Lru {
    type Found<'a> = &'a mut Resource;

    #[inline(always)]
    fn get_or_create(&mut self, params: &Params) -> &mut Resource {
        self.cache.get_or_insert_mut_with_key(Key::new(params), |key| self.forge.make(key))
    }
}

pub struct SchnellRu {
    cache: schnellru::LruMap<Key, Resource, ByLength, FxBuildHasher>,
    forge: Forge,
}

impl SchnellRu {
    pub fn new(workload: &Workload) -> Self {
        let limiter = ByLength::new(workload.capacity as u32);
        Self { cache: schnellru::LruMap::with_hasher(limiter, FxBuildHasher), forge: workload.forge.clone() }
    }
}

impl Contender for SchnellRu {
    type Found<'a> = Option<&'a mut Resource>;

    #[inline(always)]
    fn get_or_create(&mut self, params: &Params) -> Option<&mut Resource> {
        let key = Key::new(params);
        // The closure is not given the key, and the call takes it: a copy is made, of plain numbers.
        let for_creation = key.clone();
        self.cache.get_or_insert(key, || self.forge.make(&for_creation))
    }
}

/// Its `entry` may exceed the capacity by one, and needs telling that an entry was used.
pub struct HashLink {
    cache: hashlink::LruCache<Key, Resource, FxBuildHasher>,
    forge: Forge,
}

impl HashLink {
    pub fn new(workload: &Workload) -> Self {
        Self {
            cache: hashlink::LruCache::with_hasher(workload.capacity, FxBuildHasher),
            forge: workload.forge.clone(),
        }
    }
}

impl Contender for HashLink {
    type Found<'a> = &'a mut Resource;

    #[inline(always)]
    fn get_or_create(&mut self, params: &Params) -> &mut Resource {
        match self.cache.entry(Key::new(params)) {
            Entry::Occupied(mut entry) => {
                entry.to_back();
                entry.into_mut()
            }
            Entry::Vacant(entry) => {
                let resource = self.forge.make(entry.key());
                entry.insert(resource)
            }
        }
    }
}

type Unsync = quick_cache::unsync::Cache<Key, Resource, UnitWeighter, FxBuildHasher>;

/// Not strictly LRU: a hit sets a mark.
pub struct QuickCache {
    cache: Unsync,
    forge: Forge,
}

impl QuickCache {
    pub fn new(workload: &Workload) -> Self {
        let capacity = workload.capacity;
        Self {
            cache: Unsync::with(capacity, capacity as u64, UnitWeighter, FxBuildHasher, Default::default()),
            forge: workload.forge.clone(),
        }
    }
}

impl Contender for QuickCache {
    type Found<'a> = Option<&'a Resource>;

    #[inline(always)]
    fn get_or_create(&mut self, params: &Params) -> Option<&Resource> {
        let key = Key::new(params);
        let found =
            self.cache.get_or_insert_with(&key, || Ok::<_, std::convert::Infallible>(self.forge.make(&key)));
        let Ok(resource) = found;
        resource
    }
}

/// For several threads at once, which has its price; a hit is handed out as a clone.
pub struct Moka {
    cache: moka::sync::Cache<Key, Resource, FxBuildHasher>,
    forge: Forge,
}

impl Moka {
    pub fn new(workload: &Workload) -> Self {
        Self {
            cache: moka::sync::Cache::builder()
                .max_capacity(workload.capacity as u64)
                .build_with_hasher(FxBuildHasher),
            forge: workload.forge.clone(),
        }
    }
}

impl Contender for Moka {
    type Found<'a> = Resource;

    #[inline(always)]
    fn get_or_create(&mut self, params: &Params) -> Resource {
        let key = Key::new(params);
        self.cache.get_with_by_ref(&key, || self.forge.make(&key))
    }
}
