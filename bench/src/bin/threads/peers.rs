//! Other caches and maps for threads, with Fx hashing, by the call that gets or inserts.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::{Mutex, PoisonError, RwLock};

use metallic_bench::workload::{Key, Params, Resource};
use quick_cache::UnitWeighter;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::contender::{Contender, Reader};
use crate::factory::Factory;

/// A map for each thread: the limit of what a look-up can cost.
pub struct OwnMap(Factory);

pub struct OwnMapReader<'a> {
    map: FxHashMap<Key, Resource>,
    factory: &'a Factory,
}

impl Contender for OwnMap {
    type Reader<'a> = OwnMapReader<'a>;

    fn new(_: usize, factory: &Factory) -> Self {
        Self(factory.clone())
    }

    fn reader(&self) -> OwnMapReader<'_> {
        OwnMapReader { map: FxHashMap::default(), factory: &self.0 }
    }
}

impl Reader for OwnMapReader<'_> {
    type Found<'a>
        = ()
    where
        Self: 'a;

    // A borrow that ends here: one that is returned would need a second look-up, or the entry's longer one.
    #[inline]
    fn get_or_create(&mut self, params: &Params) {
        let key = Key::new(params);
        match self.map.get(&key) {
            Some(found) => _ = black_box(found),
            None => _ = self.map.insert(key, self.factory.make()),
        }
    }
}

/// Contenders that all threads reach through a reference, and that hand out what `$found` says.
macro_rules! shared {
    ($name:ident { $map:ty }, |$capacity:ident| $new:expr, |$this:ident, $key:ident| $found:ty = $get:expr) => {
        pub struct $name {
            map: $map,
            factory: Factory,
        }

        impl Contender for $name {
            type Reader<'a> = &'a Self;

            fn new($capacity: usize, factory: &Factory) -> Self {
                Self { map: $new, factory: factory.clone() }
            }

            fn reader(&self) -> &Self {
                self
            }
        }

        impl Reader for &$name {
            type Found<'a>
                = $found
            where
                Self: 'a;

            #[inline]
            fn get_or_create(&mut self, params: &Params) -> $found {
                let $this = &**self;
                let $key = Key::new(params);
                $get
            }
        }
    };
}

shared! {
    Quick { quick_cache::sync::Cache<Key, Resource, UnitWeighter, FxBuildHasher> },
    |capacity| quick_cache::sync::Cache::with(
        capacity, capacity as u64, UnitWeighter, FxBuildHasher, Default::default()
    ),
    |this, key| Resource = {
        let Ok(found) = this.map.get_or_insert_with(&key, || Ok::<_, Infallible>(this.factory.make()));
        found
    }
}

shared! {
    Moka { moka::sync::Cache<Key, Resource, FxBuildHasher> },
    |capacity| moka::sync::Cache::builder().max_capacity(capacity as u64).build_with_hasher(FxBuildHasher),
    |this, key| Resource = this.map.get_with_by_ref(&key, || this.factory.make())
}

// A look-up by `get` first: it takes a shard's lock for reading only.
shared! {
    Dash { dashmap::DashMap<Key, Resource, FxBuildHasher> },
    |_capacity| dashmap::DashMap::with_hasher(FxBuildHasher),
    |this, key| Resource = match this.map.get(&key) {
        Some(found) => found.clone(),
        None => this.map.entry(key).or_insert_with(|| this.factory.make()).clone(),
    }
}

type PapayaMap = papaya::HashMap<Key, Resource, FxBuildHasher>;

shared! {
    Papaya { PapayaMap },
    |_capacity| papaya::HashMap::builder().hasher(FxBuildHasher).build(),
    |this, key| Resource = {
        let map = this.map.pin();
        match map.get(&key) {
            Some(found) => found.clone(),
            None => map.get_or_insert_with(key, || this.factory.make()).clone(),
        }
    }
}

// A borrow that ends with the look-up, as it does where the guard is not kept.
shared! {
    PapayaBorrows { PapayaMap },
    |_capacity| papaya::HashMap::builder().hasher(FxBuildHasher).build(),
    |this, key| () = {
        let map = this.map.pin();
        match map.get(&key) {
            Some(found) => _ = black_box(found),
            None => _ = map.get_or_insert_with(key, || this.factory.make()),
        }
    }
}

shared! {
    Locked { Mutex<FxHashMap<Key, Resource>> },
    |_capacity| Mutex::default(),
    |this, key| Resource = {
        let mut map = this.map.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = map.get(&key) {
            return found.clone();
        }
        map.entry(key).or_insert_with(|| this.factory.make()).clone()
    }
}

shared! {
    Reading { RwLock<FxHashMap<Key, Resource>> },
    |_capacity| RwLock::default(),
    |this, key| Resource = {
        if let Some(found) = this.map.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return found.clone();
        }
        let mut map = this.map.write().unwrap_or_else(PoisonError::into_inner);
        map.entry(key).or_insert_with(|| this.factory.make()).clone()
    }
}
