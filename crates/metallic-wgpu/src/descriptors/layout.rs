//! The cache of layouts.

use std::num::NonZeroU64;

use metallic::caching::CacheableKernel;
use metallic::error::MetalError;

use super::bindings::{LayoutKey, Layouts};
use super::connection::Connection;
use crate::fault::captured;
use crate::limits::ARGUMENT_BYTES;

/// The cache `wgpu_layout`: one entry for each pair of numbers of buffers read and written.
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
        let Connection { device, .. } = device.ok_or(MetalError::DeviceNotAvailable)?;
        captured(device, "creation of a layout", || {
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
        })
    }
}

fn entry(binding: u32, ty: wgpu::BindingType) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry { binding, visibility: wgpu::ShaderStages::COMPUTE, ty, count: None }
}
