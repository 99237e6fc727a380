//! Buffers bound to a layout.

use std::fmt;
use std::num::NonZeroU64;

use metallic::caching::CacheableKernel;
use metallic::error::MetalError;

use super::bindable::Allocation;
use super::connection::Connection;
use super::layout::{ARGUMENT_BYTES, LayoutKey};
use crate::MAX_BUFFERS;
use crate::fault::captured;

/// The shape of a layout, and the numbers of the buffers bound to it, of which no two ever have the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BindGroupKey {
    layout: LayoutKey,
    buffers: [u64; MAX_BUFFERS],
}

impl BindGroupKey {
    /// All buffers are bound as a whole: where a tensor begins in one is an argument.
    pub(crate) fn new<'a>(layout: LayoutKey, bound: impl Iterator<Item = &'a Allocation>) -> Self {
        let mut buffers = [0; MAX_BUFFERS];
        for (place, allocation) in buffers.iter_mut().zip(bound) {
            *place = allocation.id;
        }
        Self { layout, buffers }
    }

    fn bound(&self) -> &[u64] {
        &self.buffers[..self.layout.buffers()]
    }
}

impl fmt::Debug for BindGroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.layout;
        f.debug_struct("BindGroupKey")
            .field("reads", &key.reads)
            .field("writes", &key.writes)
            .field("buffers", &self.bound())
            .finish()
    }
}

/// The cache `wgpu_bind_group`. An entry is some hundred bytes: the memory of a tensor that was dropped is given back
/// though bind groups with its buffer are still here. They are never found again and leave by the policy, which is
/// [`DEFAULT_BIND_GROUPS`](crate::DEFAULT_BIND_GROUPS) of the least recently used unless another is set.
#[derive(Debug)]
pub enum BindGroupKernel {}

impl CacheableKernel<Connection> for BindGroupKernel {
    type Key = BindGroupKey;
    type CachedResource = wgpu::BindGroup;
    type Params = BindGroupKey;

    const CACHE_NAME: &'static str = "wgpu_bind_group";

    fn create_cache_key(params: &BindGroupKey) -> BindGroupKey {
        *params
    }

    fn create_cached_resource(
        key: &BindGroupKey,
        device: Option<&Connection>,
    ) -> Result<wgpu::BindGroup, MetalError> {
        let connection = device.ok_or(MetalError::DeviceNotAvailable)?;
        let gone = || MetalError::invalid_params("a bind group of buffers that were dropped");
        let layout = connection.bindable.layout(key.layout).ok_or_else(gone)?;
        let buffers = connection.bindable.buffers(key.bound()).ok_or_else(gone)?;
        bind(&connection.device, &layout, &connection.arguments, buffers.iter())
    }
}

/// A bind group with the arguments of one dispatch, wherever it finds them in their buffer.
pub(super) fn bind<'a>(
    device: &wgpu::Device,
    layout: &wgpu::BindGroupLayout,
    arguments: &'a wgpu::Buffer,
    buffers: impl Iterator<Item = &'a wgpu::Buffer>,
) -> Result<wgpu::BindGroup, MetalError> {
    captured(device, "creation of a bind group", || {
        let arguments = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: arguments,
            offset: 0,
            size: NonZeroU64::new(ARGUMENT_BYTES),
        });
        let buffers = buffers.map(wgpu::Buffer::as_entire_binding);
        let entries: Vec<_> = (0..)
            .zip(std::iter::once(arguments).chain(buffers))
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("metallic"),
            layout,
            entries: &entries,
        })
    })
}
