//! The adapters of a system, and the choice of one.

use std::fmt;

use metallic::error::MetalError;
use pollster::FutureExt;
use wgpu::{Backend, Backends, DeviceType, DownlevelFlags, Features};

use crate::tensor::TENSOR_PADDING;

/// Which adapter to open.
///
/// The first three look at Vulkan, Metal and Direct3D 12. An adapter of OpenGL is opened by index or name alone: as a rule it
/// is a GPU that another interface reaches better.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AdapterSelection {
    /// A real GPU, discrete before integrated; never a software adapter.
    #[default]
    RealGpu,
    /// A real GPU if there is one, else a software adapter.
    Any,
    /// A software adapter, such as Mesa's lavapipe, even where there is a real GPU.
    Software,
    /// The adapter of this place in [`WgpuDevice::adapters`](crate::WgpuDevice::adapters).
    Index(usize),
    /// The first adapter of [`WgpuDevice::adapters`](crate::WgpuDevice::adapters) whose name, backend or driver contains
    /// this, upper and lower case being alike.
    Name(String),
}

/// What an adapter is and what it supports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdapterDescription {
    /// The adapter's own name.
    pub name: String,
    /// The interface it is reached through: `vulkan`, `metal`, `dx12` or `gl`.
    pub backend: &'static str,
    /// `discrete GPU`, `integrated GPU`, `virtual GPU`, `software` or `other`.
    pub kind: &'static str,
    /// The driver, with its version where it says one.
    pub driver: String,
    /// Whether it runs on the processor, as Mesa's lavapipe and Microsoft's WARP do.
    pub is_software: bool,
    /// Whether its driver puts off compilation to a pipeline's first dispatch. Creation then includes one, so that its
    /// time is true: software adapters and those of OpenGL.
    pub compiles_lazily: bool,
    /// Whether tensors can have 16-bit floats.
    pub f16: bool,
    /// Whether shaders can work across a subgroup.
    pub subgroups: bool,
    /// Whether the device can measure its own time.
    pub timestamps: bool,
    /// Whether small arguments can be part of a command. They are not used: a uniform buffer works everywhere.
    pub immediates: bool,
    /// The size of the largest buffer, in bytes.
    pub max_buffer_bytes: u64,
    /// The size of the largest tensor, in bytes: the largest buffer that a kernel can reach as a whole.
    pub max_tensor_bytes: u64,
    /// The largest number of invocations of a workgroup.
    pub max_workgroup_invocations: u32,
    /// The memory that a workgroup shares, in bytes.
    pub max_workgroup_bytes: u32,
}

impl fmt::Display for AdapterDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kind, backend, driver, .. } = self;
        write!(f, "{name} ({kind}, {backend}")?;
        if !driver.is_empty() {
            write!(f, ", {driver}")?;
        }
        f.write_str(")")
    }
}

impl AdapterDescription {
    pub(crate) fn of(adapter: &wgpu::Adapter) -> Self {
        let info = adapter.get_info();
        let features = adapter.features();
        let limits = adapter.limits();
        let is_software = info.device_type == DeviceType::Cpu;
        Self {
            name: info.name,
            backend: info.backend.to_str(),
            kind: match info.device_type {
                DeviceType::DiscreteGpu => "discrete GPU",
                DeviceType::IntegratedGpu => "integrated GPU",
                DeviceType::VirtualGpu => "virtual GPU",
                DeviceType::Cpu => "software",
                DeviceType::Other => "other",
            },
            driver: [info.driver, info.driver_info].join(" ").trim().to_owned(),
            is_software,
            compiles_lazily: is_software || info.backend == Backend::Gl,
            f16: features.contains(Features::SHADER_F16),
            subgroups: features.contains(Features::SUBGROUP),
            timestamps: features.contains(Features::TIMESTAMP_QUERY),
            immediates: features.contains(Features::IMMEDIATES),
            max_buffer_bytes: limits.max_buffer_size,
            // A buffer is padded to whole vectors, and so has no use for the last bytes of an odd limit.
            max_tensor_bytes: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size)
                / TENSOR_PADDING
                * TENSOR_PADDING,
            max_workgroup_invocations: limits.max_compute_invocations_per_workgroup,
            max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
        }
    }
}

/// No adapter is what was asked for: the `source` of the [`MetalError::Device`] that opening a device then returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAdapter {
    /// What was asked for.
    pub wanted: AdapterSelection,
    /// What there is instead.
    pub found: Vec<AdapterDescription>,
}

impl fmt::Display for NoAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.wanted {
            AdapterSelection::RealGpu => f.write_str("there is no real GPU")?,
            AdapterSelection::Any => f.write_str("there is no adapter")?,
            AdapterSelection::Software => f.write_str("there is no software adapter")?,
            AdapterSelection::Index(index) => write!(f, "there is no adapter {index}")?,
            AdapterSelection::Name(name) => write!(f, "there is no adapter named like `{name}`")?,
        }
        for (index, adapter) in self.found.iter().enumerate() {
            write!(f, "{} {adapter}", if index == 0 { ", only" } else { "," })?;
        }
        Ok(())
    }
}

impl std::error::Error for NoAdapter {}

/// All adapters that can run kernels, in an order that does not change from one call to the next.
pub(crate) fn all() -> Vec<wgpu::Adapter> {
    enumerate(Backends::all())
}

/// The adapter that is asked for.
pub(crate) fn select(selection: &AdapterSelection) -> Result<wgpu::Adapter, MetalError> {
    let mut adapters = match selection {
        AdapterSelection::Index(_) | AdapterSelection::Name(_) => all(),
        _ => enumerate(Backends::VULKAN | Backends::METAL | Backends::DX12),
    };
    let is_software = |adapter: &wgpu::Adapter| adapter.get_info().device_type == DeviceType::Cpu;
    let chosen = match selection {
        AdapterSelection::RealGpu => adapters.iter().position(|adapter| !is_software(adapter)),
        AdapterSelection::Any => (!adapters.is_empty()).then_some(0),
        AdapterSelection::Software => adapters.iter().position(is_software),
        AdapterSelection::Index(index) => Some(*index),
        AdapterSelection::Name(part) => adapters.iter().position(|adapter| is_named(adapter, part)),
    };
    match chosen {
        Some(index) if index < adapters.len() => Ok(adapters.swap_remove(index)),
        _ => {
            let found = adapters.iter().map(AdapterDescription::of).collect();
            Err(MetalError::device("choice of an adapter", NoAdapter { wanted: selection.clone(), found }))
        }
    }
}

fn enumerate(backends: Backends) -> Vec<wgpu::Adapter> {
    let descriptor =
        wgpu::InstanceDescriptor { backends, ..wgpu::InstanceDescriptor::new_without_display_handle() };
    let mut adapters = wgpu::Instance::new(descriptor).enumerate_adapters(backends).block_on();
    adapters.retain(|adapter| {
        let runs_compute =
            adapter.get_downlevel_capabilities().flags.contains(DownlevelFlags::COMPUTE_SHADERS);
        runs_compute && adapter.limits().max_storage_buffers_per_shader_stage as usize >= crate::MAX_BUFFERS
    });
    // Stable, so that among equals the backend's own order stays.
    adapters.sort_by_key(|adapter| rank(&adapter.get_info()));
    adapters
}

/// The better adapter first: a discrete GPU before an integrated one, software last, OpenGL after anything else.
fn rank(info: &wgpu::AdapterInfo) -> (u8, bool) {
    let kind = match info.device_type {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    };
    (kind, info.backend == Backend::Gl)
}

fn is_named(adapter: &wgpu::Adapter, part: &str) -> bool {
    AdapterDescription::of(adapter).to_string().to_lowercase().contains(&part.to_lowercase())
}
