//! The adapters of wgpu.

use std::fmt;
use std::sync::Arc;

use metallic::caching::{CacheableKernel, EvictionPolicy};
use metallic::error::MetalError;
use metallic_instrumentation::{CacheName, EventSink};
use metallic_store::ArtifactStore;
use metallic_wgpu::{
    AdapterDescription, AdapterSelection, BindGroupKernel, Connection, LayoutKernel, NoAdapter,
    PipelineKernel, WgpuDevice,
};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::Unopened;
use crate::devices::{DeviceCache, DeviceCaches, Task, WantedAdapter};
use crate::units::bytes;

/// The names of the caches that such a device has for itself.
pub(crate) const CACHES: &[&str] = &[
    <BindGroupKernel as CacheableKernel<Connection>>::CACHE_NAME,
    <LayoutKernel as CacheableKernel<Connection>>::CACHE_NAME,
    <PipelineKernel as CacheableKernel<Connection>>::CACHE_NAME,
];

/// A device of wgpu that is open.
#[derive(Debug)]
pub struct Device(WgpuDevice);

impl Device {
    /// Performs a task on the device.
    pub(crate) fn perform<T: Task>(self, task: T) -> T::Output {
        task.perform(self.0)
    }
}

/// An adapter of wgpu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter(AdapterDescription);

impl Adapter {
    /// Its features, and its limits.
    pub(crate) fn details(&self) -> [String; 2] {
        let adapter = &self.0;
        let features = [
            ("f16", adapter.f16),
            ("subgroups", adapter.subgroups),
            ("timestamps", adapter.timestamps),
            ("immediates", adapter.immediates),
        ];
        let features: Vec<_> = features.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect();
        let features = if features.is_empty() { "nothing optional".to_owned() } else { features.join(", ") };
        let limits = format!(
            "tensors up to {}; workgroups of up to {} invocations with {}{}; {}",
            bytes(adapter.max_tensor_bytes),
            adapter.max_workgroup_invocations,
            bytes(adapter.max_workgroup_bytes.into()),
            if adapter.compiles_lazily { "; compiles at the first dispatch" } else { "" },
            kept(adapter)
        );
        [format!("supports {features}"), limits]
    }
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Adapter {
    /// Its fields under their own names, which are part of the schema of `metallic devices --json`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        macro_rules! fields {
            ($($field:ident),+) => {{
                let fields = [$(stringify!($field)),+];
                let mut adapter = serializer.serialize_struct("Adapter", fields.len())?;
                $(adapter.serialize_field(stringify!($field), &self.0.$field)?;)+
                adapter.end()
            }};
        }
        fields!(
            name,
            backend,
            kind,
            driver,
            is_software,
            compiles_lazily,
            keeps_artifacts,
            f16,
            subgroups,
            timestamps,
            immediates,
            max_buffer_bytes,
            max_tensor_bytes,
            max_workgroup_invocations,
            max_workgroup_bytes
        )
    }
}

impl DeviceCaches for WgpuDevice {
    fn observe(&self, sink: &Arc<dyn EventSink>) {
        self.descriptors().set_sink(Some(Arc::clone(sink)));
    }

    fn names(&self) -> &'static [&'static str] {
        CACHES
    }

    fn set_policy(&self, name: &str, policy: EvictionPolicy) -> bool {
        self.descriptors().set_eviction_policy_of(name, policy);
        CACHES.contains(&name)
    }

    fn keeps_artifacts(&self) -> bool {
        self.adapter().keeps_artifacts
    }

    fn set_store(&self, store: Arc<dyn ArtifactStore>) {
        WgpuDevice::set_store(self, Some(store));
    }

    fn caches(&self) -> Vec<DeviceCache> {
        let registry = self.descriptors();
        let snapshot = |(name, metrics): (CacheName, _)| {
            let policy = registry.eviction_policy_of(&name);
            DeviceCache { name: name.to_string(), policy, metrics }
        };
        registry.metrics_by_name().map(snapshot).collect()
    }
}

/// Says what the adapter keeps in a store; if that is nothing, why, and what follows.
fn kept(adapter: &AdapterDescription) -> String {
    let why = match adapter {
        AdapterDescription { keeps_artifacts: true, .. } => return "keeps pipelines in a store".to_owned(),
        AdapterDescription { is_software: true, .. } => {
            "software, whose driver has nothing to keep".to_owned()
        }
        AdapterDescription { backend: "vulkan", .. } => "its driver has no pipeline caches".to_owned(),
        AdapterDescription { backend, .. } => format!("used through {backend}, not Vulkan"),
    };
    format!("keeps nothing in a store ({why}), and `--store` is refused")
}

/// All adapters, in the order in which `--device wgpu:NUMBER` counts them.
pub(crate) fn adapters() -> Vec<Adapter> {
    WgpuDevice::adapters().into_iter().map(Adapter).collect()
}

/// The adapter that is wanted, and its name.
pub(in crate::devices) fn open(wanted: &WantedAdapter) -> Result<(Device, String), Unopened> {
    let selection = match wanted {
        WantedAdapter::Any => AdapterSelection::Any,
        WantedAdapter::Software => AdapterSelection::Software,
        WantedAdapter::Named(name) => AdapterSelection::Name(name.clone()),
        WantedAdapter::Numbered(number) => AdapterSelection::Index(*number),
    };
    WgpuDevice::new(&selection).map(named).map_err(Unopened::Failed)
}

/// A real GPU that can hold a tensor of `largest` bytes, and its name.
pub(in crate::devices) fn open_gpu(largest: u64) -> Result<(Device, String), Unopened> {
    let device = WgpuDevice::new(&AdapterSelection::RealGpu).map_err(|error| match &error {
        MetalError::Device { source, .. } if source.is::<NoAdapter>() => {
            Unopened::Unsuitable(source.to_string())
        }
        _ => Unopened::Failed(error),
    })?;
    match too_small(&device.adapter().name, device.adapter().max_tensor_bytes, largest) {
        Some(reason) => Err(Unopened::Unsuitable(reason)),
        None => Ok(named(device)),
    }
}

fn named(device: WgpuDevice) -> (Device, String) {
    let name = device.adapter().to_string();
    (Device(device), name)
}

/// Why the adapter cannot hold the model, if it cannot.
fn too_small(name: &str, max: u64, largest: u64) -> Option<String> {
    (largest > max).then(|| {
        format!("{name} has tensors up to {}, and the model has one of {}", bytes(max), bytes(largest))
    })
}

#[cfg(test)]
mod tests {
    use super::too_small;

    #[test]
    fn an_adapter_that_cannot_hold_the_largest_tensor_is_too_small() {
        assert_eq!(too_small("a GPU", 1 << 20, 1 << 20), None);
        let cause = too_small("a GPU", 1 << 20, 1 << 21).expect("it is too small");
        assert!(cause.starts_with("a GPU has tensors up to 1"), "{cause}");
    }
}
