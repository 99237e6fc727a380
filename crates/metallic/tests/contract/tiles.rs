//! A kernel with a key of several fields, and registries for it.

use std::time::Duration;

use metallic::PortableKernel;
use metallic::caching::{CacheRegistry, CacheableKernel, SharedRegistry};
use metallic::error::MetalError;
use metallic::manifest::{Manifest, ManifestWriter};
use metallic::testing::{Events, ScriptedDevice, ScriptedResource};
use serde::{Deserialize, Serialize};

pub(crate) const MS: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct TileKey {
    pub(crate) m: u32,
    pub(crate) n: u32,
}

/// The device knows a tile by its `m`.
pub(crate) enum Tile {}

impl CacheableKernel<ScriptedDevice> for Tile {
    type Key = TileKey;
    type CachedResource = ScriptedResource;
    type Params = (u32, u32);

    const CACHE_NAME: &'static str = "tile";

    fn create_cache_key(&(m, n): &(u32, u32)) -> TileKey {
        TileKey { m, n }
    }

    fn create_cached_resource(
        key: &TileKey,
        device: Option<&ScriptedDevice>,
    ) -> Result<ScriptedResource, MetalError> {
        device.ok_or(MetalError::DeviceNotAvailable)?.create(key.m)
    }

    fn resource_bytes(resource: &ScriptedResource) -> u64 {
        resource.bytes
    }
}

impl PortableKernel<ScriptedDevice> for Tile {
    const SCHEMA: u32 = 3;
}

pub(crate) fn shared(device: &ScriptedDevice) -> (SharedRegistry<ScriptedDevice>, Events) {
    let registry = SharedRegistry::with_clock(Some(device.clone()), device.clock().clone());
    let events = Events::new();
    registry.set_sink(Some(events.sink()));
    registry.register::<Tile>();
    (registry, events)
}

pub(crate) fn private(device: &ScriptedDevice) -> (CacheRegistry<ScriptedDevice>, Events) {
    let events = Events::new();
    let registry = CacheRegistry::with_device(device.clone()).with_clock(device.clock().clone());
    let mut registry = registry.with_sink(events.sink());
    registry.register::<Tile>();
    (registry, events)
}

/// The manifest of a program that created tiles with these `m`, each with the cost and the bytes that its device says.
pub(crate) fn recorded(device: &ScriptedDevice, tiles: impl IntoIterator<Item = u32>) -> Manifest {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (registry, _) = shared(device);
    registry.record(ManifestWriter::create(file.path()).unwrap());
    for m in tiles {
        registry.get_or_create::<Tile>(&(m, 1), None).unwrap();
    }
    registry.supervisor().stop_recording().unwrap();
    Manifest::open(file.path()).unwrap()
}
