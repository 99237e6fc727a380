//! The device's own registry.

use std::sync::{Mutex, PoisonError};

use metallic::caching::{CacheRegistry, EvictionPolicy, SendRegistry};
use metallic::error::MetalError;

use super::bind_group::{BindGroupKernel, BindGroupKey};
use super::connection::Connection;
use super::layout::LayoutKernel;
use super::pipeline::{PipelineKernel, PipelineKey, WgpuPipeline};
use crate::limits::DEFAULT_BIND_GROUPS;

/// The registry of what kernels share. All its users come through here: no other file knows that it is one registry behind
/// a lock, which is held while something is created.
pub(crate) struct Descriptors {
    registry: Mutex<SendRegistry<Connection>>,
}

impl Descriptors {
    pub(crate) fn new(connection: Connection) -> Self {
        let mut registry = CacheRegistry::sendable(Some(connection));
        registry
            .set_eviction_policy::<BindGroupKernel>(EvictionPolicy::size_limited_lru(DEFAULT_BIND_GROUPS));
        Self { registry: Mutex::new(registry) }
    }

    pub(crate) fn pipeline(&self, key: &PipelineKey) -> Result<WgpuPipeline, MetalError> {
        self.with(|registry| {
            // The creation of a pipeline finds its layouts where this one leaves them.
            registry.get_or_create::<LayoutKernel>(&key.layout(), None)?;
            registry.get_or_create::<PipelineKernel>(key, None).cloned()
        })
    }

    pub(crate) fn bind_group(&self, key: &BindGroupKey) -> Result<wgpu::BindGroup, MetalError> {
        self.with(|registry| registry.get_or_create::<BindGroupKernel>(key, None).cloned())
    }

    pub(crate) fn with<R>(&self, look: impl FnOnce(&mut SendRegistry<Connection>) -> R) -> R {
        // A panic in `look` leaves whole caches, as all panics in callbacks of a registry do.
        look(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
