//! The caches that a device has for itself, besides those of the registry.

use std::sync::Arc;

use metallic::caching::{CacheMetrics, EvictionPolicy};
use metallic_instrumentation::EventSink;
use metallic_store::ArtifactStore;

/// A snapshot of such a cache.
#[derive(Clone, Debug)]
pub struct DeviceCache {
    /// Its name.
    pub name: String,
    /// Its policy.
    pub policy: Option<EvictionPolicy>,
    /// Its metrics.
    pub metrics: CacheMetrics,
}

/// A device that may have caches for itself.
pub trait DeviceCaches {
    /// Sends their events to this sink.
    fn observe(&self, _sink: &Arc<dyn EventSink>) {}

    /// The names of the caches that can have a policy.
    fn names(&self) -> &'static [&'static str] {
        &[]
    }

    /// Sets the policy of the cache of this name. Returns `false` if the device has no such cache.
    fn set_policy(&self, _name: &str, _policy: EvictionPolicy) -> bool {
        false
    }

    /// Returns `true` if what the device compiles can be kept in a store of artifacts.
    fn keeps_artifacts(&self) -> bool {
        false
    }

    /// Has them kept there.
    fn set_store(&self, _store: Arc<dyn ArtifactStore>) {}

    /// Snapshots in the order of the names.
    fn caches(&self) -> Vec<DeviceCache> {
        Vec::new()
    }
}
