//! The adapters of wgpu, in a program that was built with it.

use metallic_wgpu::{AdapterDescription, WgpuDevice};

use super::list::Adapter;

/// All of them, in the order in which `--device wgpu:NUMBER` counts them.
pub(crate) fn all() -> Vec<Adapter> {
    WgpuDevice::adapters().into_iter().map(described).collect()
}

/// What this adapter is.
pub(crate) fn described(adapter: AdapterDescription) -> Adapter {
    Adapter {
        name: adapter.name,
        backend: adapter.backend,
        kind: adapter.kind,
        driver: adapter.driver,
        is_software: adapter.is_software,
        compiles_lazily: adapter.compiles_lazily,
        f16: adapter.f16,
        subgroups: adapter.subgroups,
        timestamps: adapter.timestamps,
        immediates: adapter.immediates,
        max_buffer_bytes: adapter.max_buffer_bytes,
        max_tensor_bytes: adapter.max_tensor_bytes,
        max_workgroup_invocations: adapter.max_workgroup_invocations,
        max_workgroup_bytes: adapter.max_workgroup_bytes,
    }
}
