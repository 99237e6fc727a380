//! Compute pipelines as cached objects.

use objc2::rc::autoreleasepool;
use objc2_metal::MTLDevice;

#[cfg(feature = "store")]
use super::archive;
use super::compile::{MetalPipeline, compile};
use super::key::MetalPipelineKey;
#[cfg(feature = "portable")]
use crate::PortableKernel;
#[cfg(feature = "store")]
use crate::caching::Creation;
use crate::caching::{CacheableKernel, ResourceCache};
#[cfg(feature = "store")]
use crate::creation::{Fingerprint, PersistentKernel};
use crate::device::Device;
use crate::error::MetalError;

/// Caches compute pipelines, compiled from source with their function constants, as [`MetalPipeline`]s. In a registry with a
/// store each is an artifact, a binary archive of Metal's.
#[derive(Debug)]
pub struct MetalPipelineKernel;

impl CacheableKernel for MetalPipelineKernel {
    type Key = MetalPipelineKey;
    type CachedResource = MetalPipeline;
    type Params = MetalPipelineKey;

    const CACHE_NAME: &'static str = "metal_pipeline";

    fn create_cache_key(params: &Self::Params) -> Self::Key {
        params.clone()
    }

    fn create_cached_resource(
        key: &Self::Key,
        device: Option<&Device>,
    ) -> Result<Self::CachedResource, MetalError> {
        let device = device.ok_or(MetalError::DeviceNotAvailable)?;
        autoreleasepool(|_| compile(key, device))
    }

    #[cfg(feature = "store")]
    fn create(
        key: &Self::Key,
        cx: &mut Creation<'_, Self, Device>,
    ) -> Result<Self::CachedResource, MetalError> {
        if cx.has_store() && archive::are_supported() {
            return archive::create(key, cx);
        }
        Self::create_cached_resource(key, cx.device())
    }

    fn device_identity(device: &Device) -> Option<u64> {
        Some(device.registryID())
    }
}

#[cfg(feature = "portable")]
impl PortableKernel for MetalPipelineKernel {
    const SCHEMA: u32 = 1;
}

/// An artifact is an archive of one pipeline. The key has the whole source, so that no content has to be named.
#[cfg(feature = "store")]
impl PersistentKernel for MetalPipelineKernel {
    fn fingerprint(device: &Device) -> Fingerprint {
        archive::fingerprint(device)
    }
}

impl ResourceCache<Device> {
    /// The pipeline of this function with these constants.
    ///
    /// # Errors
    /// [`MetalError::DeviceNotAvailable`] if neither `device` nor the registry has a device. [`MetalError::Device`] with an
    /// [`NsError`](crate::device::NsError) if the source does not compile, has no such function, leaves a constant without a
    /// value, or gives one of another type.
    #[track_caller]
    pub fn get_or_create_metal_pipeline(
        &mut self,
        params: &MetalPipelineKey,
        device: Option<&Device>,
    ) -> Result<&mut MetalPipeline, MetalError> {
        self.registry.get_or_create::<MetalPipelineKernel>(params, device)
    }
}
