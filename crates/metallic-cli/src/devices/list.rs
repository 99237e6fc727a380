//! What there is, and what it supports.

use serde::Serialize;

/// All devices, and which of them `--device auto` takes: the schema of `metallic devices --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Devices {
    /// The version of this schema.
    pub schema: u32,
    /// What `--device auto` takes.
    pub auto: String,
    /// `host` or `wgpu`: what kind of device that is.
    pub auto_kind: &'static str,
    /// Why.
    pub why: String,
    /// The processor.
    pub host: Host,
    /// The adapters of wgpu; `--device wgpu:NUMBER` counts from 0.
    pub adapters: Vec<Adapter>,
}

/// The processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Host {
    /// Its name, where the system tells it.
    pub name: Option<String>,
    /// Threads that it runs at once.
    pub threads: usize,
    /// Extensions that matrix products profit from.
    pub extensions: Vec<&'static str>,
    /// Whether tensors can have 16-bit floats.
    pub f16: bool,
}

/// An adapter of wgpu.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Adapter {
    /// Its own name.
    pub name: String,
    /// The interface it is reached through.
    pub backend: &'static str,
    /// What it is.
    pub kind: &'static str,
    /// The driver, with its version where it says one.
    pub driver: String,
    /// Whether it runs on the processor.
    pub is_software: bool,
    /// Whether its driver puts off compilation to the first dispatch.
    pub compiles_lazily: bool,
    /// Whether tensors can have 16-bit floats.
    pub f16: bool,
    /// Whether shaders can work across a subgroup.
    pub subgroups: bool,
    /// Whether it can measure its own time.
    pub timestamps: bool,
    /// Whether small arguments can be part of a command.
    pub immediates: bool,
    /// The size of the largest buffer.
    pub max_buffer_bytes: u64,
    /// The size of the largest tensor.
    pub max_tensor_bytes: u64,
    /// The largest number of invocations of a workgroup.
    pub max_workgroup_invocations: u32,
    /// The memory that a workgroup shares.
    pub max_workgroup_bytes: u32,
}

impl Adapter {
    /// What it supports, in words.
    pub(crate) fn features(&self) -> Vec<&'static str> {
        let features = [
            ("f16", self.f16),
            ("subgroups", self.subgroups),
            ("timestamps", self.timestamps),
            ("immediates", self.immediates),
        ];
        features.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect()
    }
}
