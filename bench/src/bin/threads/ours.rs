//! The metallic registries.

use std::hash::BuildHasher;

use metallic::caching::{
    CacheRegistry, CacheableKernel, EvictionPolicy, LocalRegistry, LocalSharedCache, SharedCache,
    SharedRegistry,
};
use metallic::error::MetalError;
use metallic_bench::workload::{Key, Params, Resource};
use rustc_hash::FxBuildHasher;

use crate::contender::{Contender, Reader};
use crate::factory::Factory;

pub struct Gemm;

impl CacheableKernel<Factory> for Gemm {
    type Key = Key;
    type CachedResource = Resource;
    type Params = Params;

    const CACHE_NAME: &'static str = "gemm";

    #[inline]
    fn create_cache_key(params: &Params) -> Key {
        Key::new(params)
    }

    fn create_cached_resource(_: &Key, device: Option<&Factory>) -> Result<Resource, MetalError> {
        device.map(Factory::make).ok_or(MetalError::DeviceNotAvailable)
    }
}

/// A registry for each thread, which share nothing.
pub struct OwnRegistry {
    capacity: usize,
    factory: Factory,
}

pub fn registry(capacity: usize, factory: &Factory) -> CacheRegistry<Factory> {
    let mut registry = CacheRegistry::with_device(factory.clone());
    registry.set_eviction_policy::<Gemm>(EvictionPolicy::size_limited_lru(capacity));
    registry
}

impl Contender for OwnRegistry {
    type Reader<'a> = CacheRegistry<Factory>;

    fn new(capacity: usize, factory: &Factory) -> Self {
        Self { capacity, factory: factory.clone() }
    }

    fn reader(&self) -> CacheRegistry<Factory> {
        registry(self.capacity, &self.factory)
    }
}

impl Reader for CacheRegistry<Factory> {
    type Found<'a> = &'a mut Resource;

    #[inline]
    fn get_or_create(&mut self, params: &Params) -> &mut Resource {
        self.get_or_create::<Gemm>(params, None).expect("the factory never fails")
    }
}

/// A local for each thread over one shared registry.
pub struct Locals(SharedRegistry<Factory>);

fn shared_registry(capacity: usize, factory: &Factory) -> SharedRegistry<Factory> {
    let registry = SharedRegistry::with_device(factory.clone());
    registry.set_eviction_policy::<Gemm>(EvictionPolicy::size_limited_lru(capacity));
    registry
}

impl Contender for Locals {
    type Reader<'a> = LocalRegistry<Factory>;

    fn new(capacity: usize, factory: &Factory) -> Self {
        Self(shared_registry(capacity, factory))
    }

    fn reader(&self) -> LocalRegistry<Factory> {
        self.0.local()
    }
}

impl Reader for LocalRegistry<Factory> {
    type Found<'a> = &'a Resource;

    #[inline]
    fn get_or_create(&mut self, params: &Params) -> &Resource {
        self.get_or_create::<Gemm>(params, None).expect("the factory never fails")
    }
}

/// The shared registry itself, which hands out clones.
pub struct Clones(SharedRegistry<Factory>);

impl Contender for Clones {
    type Reader<'a> = &'a SharedRegistry<Factory>;

    fn new(capacity: usize, factory: &Factory) -> Self {
        Self(shared_registry(capacity, factory))
    }

    fn reader(&self) -> &SharedRegistry<Factory> {
        &self.0
    }
}

impl Reader for &SharedRegistry<Factory> {
    type Found<'a>
        = Resource
    where
        Self: 'a;

    #[inline]
    fn get_or_create(&mut self, params: &Params) -> Resource {
        SharedRegistry::get_or_create::<Gemm>(self, params, None).expect("the factory never fails")
    }
}

/// Caches of one registry that keys are divided among, as a program may do that evicts on all threads at once: each is exact, and
/// all together are nearly.
struct Parts {
    caches: Vec<SharedCache<Key, Resource>>,
    factory: Factory,
}

const PARTS: usize = 64;

impl Parts {
    fn new(capacity: usize, factory: &Factory) -> Self {
        let registry = SharedRegistry::<Factory>::with_device(factory.clone());
        let part = |number: usize| {
            let cache = registry.cache(format!("gemm {number}")).expect("names differ");
            let room = capacity / PARTS + usize::from(number < capacity % PARTS);
            cache.set_eviction_policy(EvictionPolicy::size_limited_lru(room));
            cache
        };
        Self { caches: (0..PARTS).map(part).collect(), factory: factory.clone() }
    }
}

/// The number of the part that a key is in.
fn part_of(key: &Key) -> usize {
    // Not the bits that a cache goes by itself.
    (FxBuildHasher.hash_one(key) >> 40) as usize % PARTS
}

/// A local of each part for each thread.
pub struct Divided(Parts);

impl Contender for Divided {
    type Reader<'a> = DividedLocals;

    fn new(capacity: usize, factory: &Factory) -> Self {
        Self(Parts::new(capacity, factory))
    }

    fn reader(&self) -> DividedLocals {
        let locals = self.0.caches.iter().map(SharedCache::local).collect();
        DividedLocals { locals, factory: self.0.factory.clone() }
    }
}

pub struct DividedLocals {
    locals: Vec<LocalSharedCache<Key, Resource>>,
    factory: Factory,
}

impl Reader for DividedLocals {
    type Found<'a> = &'a Resource;

    #[inline]
    fn get_or_create(&mut self, params: &Params) -> &Resource {
        let key = Key::new(params);
        let local = &mut self.locals[part_of(&key)];
        local.get_or_make(&key, || self.factory.make()).expect("nothing is refused")
    }
}

/// The parts themselves, which hand out clones.
pub struct DividedClones(Parts);

impl Contender for DividedClones {
    type Reader<'a> = &'a DividedClones;

    fn new(capacity: usize, factory: &Factory) -> Self {
        Self(Parts::new(capacity, factory))
    }

    fn reader(&self) -> &Self {
        self
    }
}

impl Reader for &DividedClones {
    type Found<'a>
        = Resource
    where
        Self: 'a;

    #[inline]
    fn get_or_create(&mut self, params: &Params) -> Resource {
        let Parts { caches, factory } = &self.0;
        let key = Key::new(params);
        caches[part_of(&key)].get_or_make(&key, || factory.make()).expect("nothing is refused")
    }
}
