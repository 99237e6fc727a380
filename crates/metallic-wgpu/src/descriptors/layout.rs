//! The shape of a kernel's bindings.

use std::hash::{Hash, Hasher};
use std::num::NonZeroU64;

use metallic::caching::CacheableKernel;
use metallic::error::MetalError;

use super::connection::Connection;
use crate::fault::captured;

/// The bytes of a dispatch's arguments, at most: 32 numbers of four bytes.
pub(crate) const ARGUMENT_BYTES: u64 = 128;

/// The bindings of a kernel: at 0 its arguments, then the buffers it only reads, then those it reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LayoutKey {
    /// The buffers that are only read, bound from 1.
    pub reads: u8,
    /// The buffers that are read and written, bound after those.
    pub writes: u8,
}

impl LayoutKey {
    /// The buffers of the kernel, without its arguments.
    pub const fn buffers(self) -> usize {
        self.reads as usize + self.writes as usize
    }
}

/// A bind group layout, and the layout of the pipelines that have nothing but it. Equal if they have the same shape.
#[derive(Clone, Debug)]
pub struct Layouts {
    pub(crate) key: LayoutKey,
    pub(crate) group: wgpu::BindGroupLayout,
    pub(crate) pipeline: wgpu::PipelineLayout,
}

impl PartialEq for Layouts {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Layouts {}

impl Hash for Layouts {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

/// The cache `wgpu_layout`: one entry for each number of buffers read and written.
#[derive(Debug)]
pub enum LayoutKernel {}

impl CacheableKernel<Connection> for LayoutKernel {
    type Key = LayoutKey;
    type CachedResource = Layouts;
    type Params = LayoutKey;

    const CACHE_NAME: &'static str = "wgpu_layout";

    fn create_cache_key(params: &LayoutKey) -> LayoutKey {
        *params
    }

    fn create_cached_resource(key: &LayoutKey, device: Option<&Connection>) -> Result<Layouts, MetalError> {
        let Connection { device, bindable, .. } = device.ok_or(MetalError::DeviceNotAvailable)?;
        let layouts = captured(device, "creation of a layout", || {
            let arguments = entry(
                0,
                wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Uniform,
                    has_dynamic_offset: true,
                    min_binding_size: NonZeroU64::new(ARGUMENT_BYTES),
                },
            );
            let buffers = (0..key.reads + key.writes).map(|index| {
                let ty = wgpu::BufferBindingType::Storage { read_only: index < key.reads };
                entry(
                    u32::from(index) + 1,
                    wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
                )
            });
            let entries: Vec<_> = std::iter::once(arguments).chain(buffers).collect();
            let label = Some("metallic");
            let group = device
                .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
            let pipeline = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label,
                bind_group_layouts: &[Some(&group)],
                immediate_size: 0,
            });
            Layouts { key: *key, group, pipeline }
        })?;
        bindable.add_layout(*key, layouts.group.clone());
        Ok(layouts)
    }
}

fn entry(binding: u32, ty: wgpu::BindingType) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry { binding, visibility: wgpu::ShaderStages::COMPUTE, ty, count: None }
}
