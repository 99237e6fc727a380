//! Attention as a cached object.

use objc2::AnyThread;
use objc2::rc::{Retained, autoreleasepool};
use objc2::runtime::ProtocolObject;
use objc2_foundation::NSArray;
use objc2_metal::{MTLBuffer, MTLDevice};
use objc2_metal_performance_shaders::MPSCommandBuffer;
use objc2_metal_performance_shaders_graph::{MPSGraphExecutable, MPSGraphTensorData};

use super::graph::{self, Feed};
use super::key::{SdpaKey, SdpaParams};
use crate::caching::{CacheableKernel, ResourceCache};
use crate::device::Device;
use crate::error::MetalError;
use crate::kernels::mps;

/// Caches scaled dot-product attention as compiled graphs, [`Sdpa`]. Needs macOS 12 or iOS 15.
#[derive(Debug)]
pub struct SdpaKernel;

/// An `MPSGraphExecutable` for `softmax(scale Q K^T + M) V`.
#[derive(Clone, Debug)]
pub struct Sdpa {
    executable: Retained<MPSGraphExecutable>,
    feeds: Vec<Feed>,
    key: SdpaKey,
}

/// The buffers of one attention, each with a tensor from its first byte on, of the shapes that [`SdpaParams`] gives.
#[derive(Clone, Copy, Debug)]
pub struct SdpaOperands<'a> {
    /// Q.
    pub query: &'a ProtocolObject<dyn MTLBuffer>,
    /// K.
    pub key: &'a ProtocolObject<dyn MTLBuffer>,
    /// V.
    pub value: &'a ProtocolObject<dyn MTLBuffer>,
    /// M, if and only if the attention is masked.
    pub mask: Option<&'a ProtocolObject<dyn MTLBuffer>>,
    /// The destination of the attention.
    pub result: &'a ProtocolObject<dyn MTLBuffer>,
}

impl CacheableKernel for SdpaKernel {
    type Key = SdpaKey;
    type CachedResource = Sdpa;
    type Params = SdpaParams;

    const CACHE_NAME: &'static str = "sdpa";

    fn create_cache_key(params: &Self::Params) -> Self::Key {
        params.into()
    }

    fn create_cached_resource(
        key: &Self::Key,
        device: Option<&Device>,
    ) -> Result<Self::CachedResource, MetalError> {
        key.check()?;
        let device = mps::supported(device)?;
        let (executable, feeds) = autoreleasepool(|_| graph::compile(key, device))?;
        Ok(Sdpa { executable, feeds, key: *key })
    }

    fn device_identity(device: &Device) -> Option<u64> {
        Some(device.registryID())
    }
}

impl Sdpa {
    /// The shapes it is compiled for.
    pub fn key(&self) -> &SdpaKey {
        &self.key
    }

    /// Encodes the attention into `command_buffer`. MPSGraph may commit what is encoded so far and go on with a new
    /// underlying command buffer, so commit and wait through the `MPSCommandBuffer` alone ([`encode(to:)`]).
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if a buffer is smaller than its tensor, or a mask is missing or not wanted. Nothing was
    /// encoded then.
    ///
    /// # Safety
    /// Until the command buffer has completed, nothing else may write the operands or touch the result, and the buffers must
    /// live. The result must not overlap an operand. All of them must belong to the device of this resource, and no encoder
    /// may be open on the command buffer.
    ///
    /// [`encode(to:)`]: https://developer.apple.com/documentation/metalperformanceshadersgraph/mpsgraphexecutable/encode(to:inputs:results:executiondescriptor:)
    pub unsafe fn encode(
        &self,
        command_buffer: &MPSCommandBuffer,
        operands: &SdpaOperands<'_>,
    ) -> Result<(), MetalError> {
        if operands.mask.is_some() != self.key.masked {
            let reason =
                if self.key.masked { "an attention without its mask" } else { "a mask that is not used" };
            return Err(MetalError::invalid_params(reason));
        }
        autoreleasepool(|_| {
            let (queries, keys) = (self.key.query_shape(), self.key.key_shape());
            let inputs: Vec<_> = self
                .feeds
                .iter()
                .filter_map(|feed| match feed {
                    Feed::Query => Some(self.tensor(operands.query, &queries)),
                    Feed::Key => Some(self.tensor(operands.key, &keys)),
                    Feed::Value => Some(self.tensor(operands.value, &keys)),
                    Feed::Mask => operands.mask.map(|mask| self.tensor(mask, &self.key.mask_shape())),
                })
                .collect::<Result<_, _>>()?;
            let result = self.tensor(operands.result, &queries)?;
            // SAFETY: inputs in the order of the executable's feeds, each of the shape and type it was compiled for; the
            // caller answers for what the GPU does.
            unsafe {
                self.executable.encodeToCommandBuffer_inputsArray_resultsArray_executionDescriptor(
                    command_buffer,
                    &NSArray::from_retained_slice(&inputs),
                    Some(&NSArray::from_retained_slice(&[result])),
                    None,
                );
            }
            Ok(())
        })
    }

    /// A tensor over the start of a buffer. Nothing is read or copied.
    fn tensor(
        &self,
        buffer: &ProtocolObject<dyn MTLBuffer>,
        shape: &[usize],
    ) -> Result<Retained<MPSGraphTensorData>, MetalError> {
        let bytes = self.key.bytes(shape)?;
        if buffer.length() < bytes {
            return Err(MetalError::invalid_params(format!(
                "an attention tensor {shape:?} of {bytes} bytes in a buffer of {}",
                buffer.length()
            )));
        }
        // SAFETY: the buffer holds the tensor, and any bits are an element of these types.
        Ok(unsafe {
            MPSGraphTensorData::initWithMTLBuffer_shape_dataType(
                MPSGraphTensorData::alloc(),
                buffer,
                &graph::shape(shape),
                mps::data_type(self.key.dtype),
            )
        })
    }
}

impl ResourceCache<Device> {
    /// The attention for these shapes.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if a size is zero, the tensors exceed the address space, the scale is not finite, or the
    /// type is neither `F32` nor `F16`; [`MetalError::DeviceNotAvailable`] if neither `device` nor the registry has a device;
    /// [`MetalError::Device`] if Metal Performance Shaders do not run on it.
    #[track_caller]
    pub fn get_or_create_sdpa(
        &mut self,
        params: &SdpaParams,
        device: Option<&Device>,
    ) -> Result<&mut Sdpa, MetalError> {
        self.registry.get_or_create::<SdpaKernel>(params, device)
    }
}
