//! Buffers bound to a layout.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::num::NonZeroU64;
use std::sync::Arc;

use metallic::caching::CacheableKernel;
use metallic::error::MetalError;

use super::connection::Connection;
use super::layout::{ARGUMENT_BYTES, Layouts};
use crate::MAX_BUFFERS;
use crate::fault::captured;

/// A buffer with a number that no other buffer of the program ever has.
#[derive(Debug)]
pub(crate) struct Allocation {
    pub(crate) id: u64,
    pub(crate) buffer: wgpu::Buffer,
}

/// A layout and the buffers bound to it. Equal if the layouts have the same shape and the buffers are the same.
#[derive(Clone)]
pub struct BindGroupKey {
    layouts: Layouts,
    arguments: wgpu::Buffer,
    buffers: [Option<Arc<Allocation>>; MAX_BUFFERS],
}

impl BindGroupKey {
    /// All buffers are bound as a whole: where a tensor begins in one is an argument.
    pub(crate) fn new<'a>(
        layouts: &Layouts,
        arguments: &wgpu::Buffer,
        bound: impl Iterator<Item = &'a Arc<Allocation>>,
    ) -> Self {
        let mut buffers = [const { None }; MAX_BUFFERS];
        for (place, allocation) in buffers.iter_mut().zip(bound) {
            *place = Some(allocation.clone());
        }
        Self { layouts: layouts.clone(), arguments: arguments.clone(), buffers }
    }

    fn ids(&self) -> [u64; MAX_BUFFERS] {
        self.buffers.each_ref().map(|buffer| buffer.as_ref().map_or(0, |buffer| buffer.id))
    }
}

impl PartialEq for BindGroupKey {
    fn eq(&self, other: &Self) -> bool {
        self.layouts == other.layouts && self.ids() == other.ids()
    }
}

impl Eq for BindGroupKey {}

impl Hash for BindGroupKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.layouts.hash(state);
        self.ids().hash(state);
    }
}

impl fmt::Debug for BindGroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.layouts.key;
        f.debug_struct("BindGroupKey")
            .field("reads", &key.reads)
            .field("writes", &key.writes)
            .field("buffers", &&self.ids()[..key.buffers()])
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
        params.clone()
    }

    fn create_cached_resource(
        key: &BindGroupKey,
        device: Option<&Connection>,
    ) -> Result<wgpu::BindGroup, MetalError> {
        let device = &device.ok_or(MetalError::DeviceNotAvailable)?.device;
        captured(device, "creation of a bind group", || {
            let arguments = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &key.arguments,
                offset: 0,
                size: NonZeroU64::new(ARGUMENT_BYTES),
            });
            let buffers = key.buffers.iter().flatten().map(|bound| bound.buffer.as_entire_binding());
            let entries: Vec<_> = (0..)
                .zip(std::iter::once(arguments).chain(buffers))
                .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
                .collect();
            device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("metallic"),
                layout: &key.layouts.group,
                entries: &entries,
            })
        })
    }
}
