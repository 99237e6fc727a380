//! The metallic caches.

use std::sync::Arc;

use metallic::caching::{CacheRegistry, CacheableKernel, EvictionPolicy, KernelCache};
use metallic::error::MetalError;
use metallic_instrumentation::{Event, EventKind, EventSink};

use crate::contender::Contender;
use crate::workload::{Forge, Key, Params, Resource, Workload};

/// One of several kernels of the same make.
pub struct Gemm<const I: usize>;

const NAMES: [&str; 8] = ["gemm0", "gemm1", "gemm2", "gemm3", "gemm4", "gemm5", "gemm6", "gemm7"];

impl<const I: usize> CacheableKernel<Forge> for Gemm<I> {
    type Key = Key;
    type CachedResource = Resource;
    type Params = Params;

    const CACHE_NAME: &'static str = NAMES[I];

    #[inline]
    fn create_cache_key(params: &Params) -> Key {
        Key::new(params)
    }

    #[inline]
    fn create_cached_resource(key: &Key, device: Option<&Forge>) -> Result<Resource, MetalError> {
        device.map(|forge| forge.make(key)).ok_or_else(|| MetalError::DeviceNotAvailable)
    }
}

pub type Registry = CacheRegistry<Forge>;
pub type Cache = KernelCache<Gemm<0>, Forge>;

/// A registry with one kernel under a policy.
pub fn registry(workload: &Workload, policy: EvictionPolicy) -> Registry {
    let mut registry = Registry::with_device(workload.forge.clone());
    registry.set_eviction_policy::<Gemm<0>>(policy);
    registry
}

impl Contender for Registry {
    type Found<'a> = &'a mut Resource;

    #[inline(always)]
    fn get_or_create(&mut self, params: &Params) -> &mut Resource {
        self.get_or_create::<Gemm<0>>(params, None).expect("the forge never fails")
    }
}

impl Contender for Cache {
    type Found<'a> = &'a mut Resource;

    #[inline(always)]
    fn get_or_create(&mut self, params: &Params) -> &mut Resource {
        self.get_or_create(params, None).expect("the forge never fails")
    }
}

/// Wants events of one kind or none, and does nothing with them.
pub struct Picky(pub Option<EventKind>);

impl Picky {
    pub fn sink(wanted: Option<EventKind>) -> Arc<dyn EventSink> {
        Arc::new(Self(wanted))
    }
}

impl EventSink for Picky {
    fn enabled(&self, kind: EventKind) -> bool {
        self.0 == Some(kind)
    }

    fn record(&self, event: &Event) {
        std::hint::black_box(event);
    }
}
