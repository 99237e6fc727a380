//! Tensors in a device's memory.

use std::fmt;
use std::sync::Arc;

use metallic::Dtype;
use metallic::error::MetalError;
use metallic::tensor::Tensor;

use crate::descriptors::{Allocation, Connection};
use crate::device::WgpuDevice;
use crate::fault::captured;

/// A run of elements in the memory of a [`WgpuDevice`]. When it is dropped, its memory is given back as soon as the work that
/// uses it is done.
pub struct WgpuTensor {
    pub(crate) allocation: Arc<Allocation>,
    pub(crate) device: WgpuDevice,
    elements: usize,
    dtype: Dtype,
}

impl WgpuTensor {
    pub(crate) fn zeros(device: &WgpuDevice, elements: usize, dtype: Dtype) -> Result<Self, MetalError> {
        if !device.has_type(dtype) {
            return Err(MetalError::invalid_params(format!(
                "tensors of {dtype} are not to be had on {}",
                device.adapter().name
            )));
        }
        let most = device.adapter().max_tensor_bytes;
        let bytes = (elements as u64).checked_mul(dtype.size_bytes() as u64).and_then(padded);
        let bytes = bytes.filter(|bytes| *bytes <= most).ok_or_else(|| {
            MetalError::invalid_params(format!(
                "a tensor of {elements} elements of {dtype}, where the device allows {most} bytes"
            ))
        })?;
        let allocation = allocate(device.connection(), bytes)?;
        Ok(Self { allocation, device: device.clone(), elements, dtype })
    }

    /// wgpu's own handle: the elements, and room up to a multiple of 16 bytes. Commands that the device has recorded and not yet
    /// handed over come after those that are submitted by other means.
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.allocation.buffer
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
        // Bind groups keep the buffer's handle alive; destroying it gives the memory back all the same.
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

/// The size of a vector of four `f32`: buffers consist of whole ones.
pub(crate) const TENSOR_PADDING: u64 = 16;

/// A size of whole vectors, and not nothing, which cannot be bound.
fn padded(bytes: u64) -> Option<u64> {
    bytes.max(1).checked_next_multiple_of(TENSOR_PADDING)
}

/// A buffer of zeros that kernels and copies can use. wgpu clears it before its first use.
pub(crate) fn allocate(connection: &Connection, bytes: u64) -> Result<Arc<Allocation>, MetalError> {
    connection.faults.check("allocation")?;
    let buffer = captured(&connection.device, "allocation", || {
        connection.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("metallic tensor"),
            size: bytes,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    })?;
    connection.faults.check("allocation")?;
    Ok(Arc::new(Allocation::new(&connection.bindable, buffer)))
}
