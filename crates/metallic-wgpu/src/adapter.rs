//! The adapters of a system: listed, ranked, described and chosen.

use std::cmp::Reverse;
use std::fmt;

use metallic::error::MetalError;
use pollster::FutureExt;
use wgpu::{AdapterInfo, Backend, Backends, DeviceType, DownlevelFlags, Features, Limits};

use crate::limits::{MAX_BUFFERS, TENSOR_PADDING};

/// The adapter to open: always the first of [`WgpuDevice::adapters`](crate::WgpuDevice::adapters) that fits.
///
/// The list begins with the GPUs reached through Vulkan, Metal or Direct3D 12, followed by those that only OpenGL reaches,
/// then software adapters in the same order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AdapterSelection {
    /// A real GPU; never a software adapter.
    #[default]
    RealGpu,
    /// A real GPU if there is one, otherwise a software adapter.
    Any,
    /// A software adapter, such as Mesa's lavapipe and llvmpipe, even on a system with a real GPU.
    Software,
    /// The adapter at this index of [`WgpuDevice::adapters`](crate::WgpuDevice::adapters).
    Index(usize),
    /// An adapter whose description, as displayed, contains this text. Case is ignored.
    Name(String),
}

/// An adapter and what it supports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct AdapterDescription {
    /// The adapter's own name.
    pub name: String,
    /// The interface it is reached through: `vulkan`, `metal`, `dx12` or `gl`.
    pub backend: &'static str,
    /// `discrete GPU`, `integrated GPU`, `virtual GPU`, `software` or `other`.
    pub kind: &'static str,
    /// The driver, with its version if it is known.
    pub driver: String,
    /// `true` if it runs on the processor, as Mesa's lavapipe and Microsoft's WARP do.
    pub is_software: bool,
    /// `true` if its driver compiles at a pipeline's first dispatch, as software adapters and OpenGL do. Creation then
    /// includes a dispatch, so that its time is true.
    pub compiles_lazily: bool,
    /// `true` if what its driver compiles can be kept in a store of artifacts: so it is with GPUs reached through Vulkan. Software
    /// adapters keep nothing that spares them a compilation, and other interfaces give nothing out.
    pub keeps_artifacts: bool,
    /// `true` if tensors can have 16-bit floats.
    pub f16: bool,
    /// `true` if shaders can work across a subgroup.
    pub subgroups: bool,
    /// `true` if the device can measure its own time.
    pub timestamps: bool,
    /// `true` if small arguments can be part of a command. The kernels do not use this: a uniform buffer works everywhere.
    pub immediates: bool,
    /// The size of the largest buffer, in bytes.
    pub max_buffer_bytes: u64,
    /// The size of the largest tensor, in bytes: the largest buffer that a kernel can bind as a whole.
    pub max_tensor_bytes: u64,
    /// The most invocations of a workgroup.
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
    /// The names of the optional features it supports.
    pub fn features(&self) -> impl Iterator<Item = &'static str> {
        let features = [
            ("f16", self.f16),
            ("subgroups", self.subgroups),
            ("timestamps", self.timestamps),
            ("immediates", self.immediates),
        ];
        features.into_iter().filter(|(_, supported)| *supported).map(|(name, _)| name)
    }

    fn new(info: AdapterInfo, features: Features, limits: &Limits) -> Self {
        let is_software = is_software(&info);
        Self {
            name: info.name,
            backend: info.backend.to_str(),
            kind: match info.device_type {
                _ if is_software => "software",
                DeviceType::DiscreteGpu => "discrete GPU",
                DeviceType::IntegratedGpu => "integrated GPU",
                DeviceType::VirtualGpu => "virtual GPU",
                DeviceType::Cpu | DeviceType::Other => "other",
            },
            driver: [info.driver, info.driver_info].join(" ").trim().to_owned(),
            is_software,
            compiles_lazily: is_software || info.backend == Backend::Gl,
            keeps_artifacts: info.backend == Backend::Vulkan
                && !is_software
                && features.contains(Features::PIPELINE_CACHE),
            f16: features.contains(Features::SHADER_F16),
            subgroups: features.contains(Features::SUBGROUP),
            timestamps: features.contains(Features::TIMESTAMP_QUERY),
            immediates: features.contains(Features::IMMEDIATES),
            max_buffer_bytes: limits.max_buffer_size,
            // A tensor is whole vectors, so the last bytes of an odd limit are of no use.
            max_tensor_bytes: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size)
                / TENSOR_PADDING
                * TENSOR_PADDING,
            max_workgroup_invocations: limits.max_compute_invocations_per_workgroup,
            max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
        }
    }
}

/// No adapter fits the selection: the `source` of the [`MetalError::Device`] that opening a device then returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAdapter {
    /// The selection.
    pub wanted: AdapterSelection,
    /// All adapters there are.
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

/// All adapters that can run the kernels, the best first. The order is the same at every call.
pub(crate) fn all() -> Vec<(AdapterDescription, wgpu::Adapter)> {
    let backends = Backends::all();
    let descriptor =
        wgpu::InstanceDescriptor { backends, ..wgpu::InstanceDescriptor::new_without_display_handle() };
    let mut adapters = wgpu::Instance::new(descriptor).enumerate_adapters(backends).block_on();
    adapters.retain(|adapter| {
        let runs_compute =
            adapter.get_downlevel_capabilities().flags.contains(DownlevelFlags::COMPUTE_SHADERS);
        runs_compute && adapter.limits().max_storage_buffers_per_shader_stage as usize >= MAX_BUFFERS
    });
    // Stable: equals keep the backend's order.
    adapters.sort_by_key(|adapter| Reverse(rank(&adapter.get_info())));
    let described = |adapter: wgpu::Adapter| {
        let description = AdapterDescription::new(adapter.get_info(), adapter.features(), &adapter.limits());
        (description, adapter)
    };
    adapters.into_iter().map(described).collect()
}

/// The first adapter that fits.
pub(crate) fn select(
    selection: &AdapterSelection,
) -> Result<(AdapterDescription, wgpu::Adapter), MetalError> {
    let (mut found, mut adapters): (Vec<_>, Vec<_>) = all().into_iter().unzip();
    match choose(selection, &found) {
        Some(index) => Ok((found.swap_remove(index), adapters.swap_remove(index))),
        None => {
            let missing = NoAdapter { wanted: selection.clone(), found };
            Err(MetalError::device("choice of an adapter", missing))
        }
    }
}

/// The index of the first adapter that fits.
fn choose(selection: &AdapterSelection, adapters: &[AdapterDescription]) -> Option<usize> {
    match selection {
        AdapterSelection::RealGpu => adapters.iter().position(|adapter| !adapter.is_software),
        AdapterSelection::Any => (!adapters.is_empty()).then_some(0),
        AdapterSelection::Software => adapters.iter().position(|adapter| adapter.is_software),
        AdapterSelection::Index(index) => Some(*index).filter(|index| *index < adapters.len()),
        AdapterSelection::Name(part) => {
            let part = part.to_lowercase();
            adapters.iter().position(|adapter| adapter.to_string().to_lowercase().contains(&part))
        }
    }
}

/// How good an adapter is. OpenGL is the last resort among GPUs and among software adapters: it lacks 16-bit floats, and
/// cannot tell what kind of GPU it has.
fn rank(info: &AdapterInfo) -> (bool, bool, u8) {
    let kind = match info.device_type {
        DeviceType::DiscreteGpu => 4,
        DeviceType::IntegratedGpu => 3,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 1,
        DeviceType::Cpu => 0,
    };
    (!is_software(info), info.backend != Backend::Gl, kind)
}

/// Returns `true` if an adapter runs on the processor. OpenGL does not say, and wgpu knows only some of its software renderers by
/// their names; others would pass as GPUs.
fn is_software(info: &AdapterInfo) -> bool {
    const RENDERERS: [&str; 5] =
        ["softpipe", "software rasterizer", "swrast", "gdi generic", "microsoft basic render"];
    let name = info.name.to_lowercase();
    info.device_type == DeviceType::Cpu
        || info.backend == Backend::Gl && RENDERERS.iter().any(|renderer| name.contains(renderer))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An adapter that says of itself what wgpu does: its number, kind and interface.
    fn adapter(device_type: DeviceType, backend: Backend, name: &str) -> AdapterInfo {
        AdapterInfo { name: name.to_owned(), ..AdapterInfo::new(device_type, backend) }
    }

    /// One of each kind that matters, the best first.
    fn ranking() -> Vec<AdapterInfo> {
        use Backend::{Dx12, Gl, Metal, Vulkan};
        use DeviceType::{Cpu, DiscreteGpu, IntegratedGpu, Other, VirtualGpu};
        vec![
            adapter(DiscreteGpu, Vulkan, "discrete"),
            adapter(IntegratedGpu, Metal, "integrated"),
            adapter(VirtualGpu, Dx12, "virtual"),
            adapter(Other, Vulkan, "unknown"),
            adapter(IntegratedGpu, Gl, "integrated, through OpenGL"),
            adapter(Other, Gl, "unknown, through OpenGL"),
            adapter(Cpu, Vulkan, "lavapipe"),
            adapter(Cpu, Gl, "llvmpipe"),
        ]
    }

    fn described(infos: impl IntoIterator<Item = AdapterInfo>) -> Vec<AdapterDescription> {
        let describe = |info| AdapterDescription::new(info, Features::empty(), &Limits::default());
        infos.into_iter().map(describe).collect()
    }

    /// The names of the adapters that are chosen, when the best is taken out of the system time after time.
    fn chosen(selection: &AdapterSelection) -> Vec<String> {
        let mut adapters = described(ranking());
        let mut chosen = Vec::new();
        while let Some(index) = choose(selection, &adapters) {
            chosen.push(adapters.remove(index).name);
        }
        chosen
    }

    #[test]
    fn each_adapter_is_better_than_those_after_it() {
        let ranking = ranking();
        for pair in ranking.windows(2) {
            assert!(rank(&pair[0]) > rank(&pair[1]), "{} before {}", pair[0].name, pair[1].name);
        }
    }

    #[test]
    fn a_gpu_that_only_opengl_reaches_is_better_than_none_and_software_is_none() {
        let names: Vec<_> = ranking().into_iter().map(|info| info.name).collect();
        assert_eq!(chosen(&AdapterSelection::Any), names);
        assert_eq!(chosen(&AdapterSelection::RealGpu), names[..6]);
        assert_eq!(chosen(&AdapterSelection::Software), names[6..]);
    }

    #[test]
    fn a_software_renderer_that_opengl_takes_for_a_gpu_is_software() {
        let names =
            ["softpipe", "Software Rasterizer", "GDI Generic", "D3D12 (Microsoft Basic Render Driver)"];
        for name in names {
            let software = described([adapter(DeviceType::Other, Backend::Gl, name)]);
            assert!(software[0].is_software && software[0].kind == "software", "{name}");
            assert_eq!(choose(&AdapterSelection::RealGpu, &software), None, "{name}");
            assert_eq!(choose(&AdapterSelection::Software, &software), Some(0), "{name}");
        }
        // Vulkan tells what a device is, whatever its name.
        assert!(!described([adapter(DeviceType::DiscreteGpu, Backend::Vulkan, "softpipe")])[0].is_software);
    }

    #[test]
    fn an_adapter_is_found_by_its_index_and_by_any_part_of_its_description() {
        let adapters = described(ranking());
        let index = |selection| choose(&selection, &adapters);
        assert_eq!(index(AdapterSelection::Index(7)), Some(7));
        assert_eq!(index(AdapterSelection::Index(8)), None);
        assert_eq!(index(AdapterSelection::Name("OPENGL".into())), Some(4));
        assert_eq!(index(AdapterSelection::Name("software, gl".into())), Some(7));
        assert_eq!(index(AdapterSelection::Name("cuda".into())), None);
    }
}
