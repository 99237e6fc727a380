//! Buffers bound to a layout.

use std::fmt;
use std::num::NonZeroU64;

use metallic::caching::{CacheableKernel, Creation};
use metallic::error::MetalError;

use super::bindable::Allocation;
use super::bindings::LayoutKey;
use super::connection::Connection;
use super::layout::LayoutKernel;
use crate::fault::captured;
use crate::limits::{ARGUMENT_BYTES, MAX_BUFFERS};

/// The shape of a layout, and the numbers of the buffers bound to it. No two buffers ever have the same number.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BindGroupKey {
    layout: LayoutKey,
    buffers: [u64; MAX_BUFFERS],
}

impl BindGroupKey {
    /// The key of a group that binds these buffers as a whole: where an operand begins is an argument.
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

/// The cache `wgpu_bind_group`. Its default policy keeps the [`DEFAULT_BIND_GROUPS`](crate::DEFAULT_BIND_GROUPS) most
/// recently used. An entry takes some hundred bytes and keeps no tensor's memory: groups of a dropped tensor are never
/// found again, and are evicted in time.
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

    /// Fails: it is created from its layout, which [`create`](Self::create) finds.
    fn create_cached_resource(
        _: &BindGroupKey,
        _: Option<&Connection>,
    ) -> Result<wgpu::BindGroup, MetalError> {
        Err(MetalError::NoRegistry)
    }

    fn create(
        key: &BindGroupKey,
        cx: &mut Creation<'_, Self, Connection>,
    ) -> Result<wgpu::BindGroup, MetalError> {
        let connection = cx.device().ok_or(MetalError::DeviceNotAvailable)?;
        let layouts = cx.get_or_create::<LayoutKernel>(&key.layout)?;
        let gone = || MetalError::invalid_params("a bind group of buffers that were dropped");
        let buffers = connection.bindable.buffers(key.bound()).ok_or_else(gone)?;
        bind(&connection.device, &layouts.group, &connection.arguments, buffers.iter())
    }
}

/// Creates a bind group. Its first binding is the arguments of one dispatch, at an offset that the dispatch gives.
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
