//! The driver's data of a compiled pipeline, and the store that keeps it across processes.

use metallic::caching::Creation;
use metallic::creation::{Artifact, PersistentKernel};
use metallic::error::MetalError;

use super::connection::Connection;
use crate::fault::captured;

/// A driver's cache of one pipeline.
pub(super) struct DriverCache {
    cache: wgpu::PipelineCache,
    is_loaded: bool,
}

/// The driver's cache to create a pipeline with: from the store, or an empty one to be stored. `None` if nothing is kept, or the
/// driver gives no cache: then it compiles without.
pub(super) fn find<K: PersistentKernel<Connection>>(
    cx: &mut Creation<'_, K, Connection>,
    connection: &Connection,
) -> Option<DriverCache> {
    if connection.fingerprint.is_none() || !cx.has_store() {
        return None;
    }
    if let Some(stored) = cx.stored() {
        // An artifact without that payload is not one of ours, and wgpu refuses empty data.
        match open(connection, stored.payload(Artifact::NATIVE).or(Some(&[]))) {
            Ok(cache) => return Some(DriverCache { cache, is_loaded: true }),
            Err(refusal) => cx.reject(&refusal.to_string()),
        }
    }
    let cache = open(connection, None).ok()?;
    Some(DriverCache { cache, is_loaded: false })
}

impl DriverCache {
    pub(super) fn cache(&self) -> &wgpu::PipelineCache {
        &self.cache
    }

    /// Stores what the driver has put into the cache.
    pub(super) fn save_artifact<K: PersistentKernel<Connection>>(self, cx: &mut Creation<'_, K, Connection>) {
        if self.is_loaded {
            return;
        }
        if let Some(data) = self.cache.get_data() {
            cx.store(data);
        }
    }
}

/// Opens a cache with this data, or an empty one.
///
/// # Errors
/// The data is of another adapter or driver, as far as wgpu's header tells.
#[expect(unsafe_code, reason = "wgpu cannot check the data, and says so")]
fn open(connection: &Connection, data: Option<&[u8]>) -> Result<wgpu::PipelineCache, MetalError> {
    let device = &connection.device;
    let descriptor =
        wgpu::PipelineCacheDescriptor { label: Some("metallic"), data, fallback: data.is_none() };
    // SAFETY: the data was returned by `PipelineCache::get_data`, if it is what this kernel has stored: the store has verified its
    // digest, and that it was stored under this key by this crate, for this driver and this device. Whoever can write to the
    // store without its secret is trusted; a folder that others can write to is refused.
    captured(device, "opening a driver's cache", || unsafe { device.create_pipeline_cache(&descriptor) })
}
