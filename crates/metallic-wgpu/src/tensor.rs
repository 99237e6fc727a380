//! Tensors in the memory of a device.

use std::fmt;
use std::sync::Arc;

use metallic::Dtype;
use metallic::error::MetalError;
use metallic::tensor::Tensor;

use crate::descriptors::Allocation;
use crate::device::WgpuDevice;
use crate::limits::TENSOR_PADDING;

/// Consecutive elements in the memory of a [`WgpuDevice`]. When it is dropped, its memory is freed as soon as the work that
/// uses it is done.
pub struct WgpuTensor {
    pub(crate) allocation: Arc<Allocation>,
    device: WgpuDevice,
    elements: usize,
    dtype: Dtype,
}

impl WgpuTensor {
    pub(crate) fn zeros(device: &WgpuDevice, elements: usize, dtype: Dtype) -> Result<Self, MetalError> {
        if !device.has_type(dtype) {
            return Err(MetalError::invalid_params(format!(
                "tensors of {dtype} are not supported on {}",
                device.adapter().name
            )));
        }
        let most = device.adapter().max_tensor_bytes;
        let bytes = (elements as u64).checked_mul(dtype.size_bytes() as u64).and_then(padded);
        let bytes = bytes.filter(|bytes| *bytes <= most).ok_or_else(|| {
            MetalError::invalid_params(format!(
                "a tensor of {elements} elements of {dtype}, where the device allows at most {most} bytes"
            ))
        })?;
        let allocation = device.connection().allocate(bytes)?;
        Ok(Self { allocation, device: device.clone(), elements, dtype })
    }

    /// The wgpu buffer: the elements, padded to a multiple of 16 bytes. Commands that the device has recorded and not yet
    /// submitted run after those submitted by other means.
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.allocation.buffer
    }

    /// Refuses a tensor of another device.
    pub(crate) fn check_is_on(&self, device: &WgpuDevice) -> Result<(), MetalError> {
        if device.is_same(&self.device) {
            return Ok(());
        }
        Err(MetalError::invalid_params("a tensor is on another device"))
    }
}

impl Tensor for WgpuTensor {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn elements(&self) -> usize {
        self.elements
    }

    fn bytes(&self) -> u64 {
        self.allocation.buffer.size()
    }
}

impl Drop for WgpuTensor {
    fn drop(&mut self) {
        // Bind groups keep the buffer's handle alive, and destroying the buffer frees its memory all the same.
        self.device.retire(&self.allocation);
    }
}

impl fmt::Debug for WgpuTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WgpuTensor")
            .field("id", &self.allocation.id)
            .field("elements", &self.elements)
            .field("dtype", &self.dtype)
            .finish_non_exhaustive()
    }
}

/// Rounds a size up to whole vectors, at least one: an empty buffer cannot be bound.
fn padded(bytes: u64) -> Option<u64> {
    bytes.max(1).checked_next_multiple_of(TENSOR_PADDING)
}
