//! The interface that a device offers to the operations of this library.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::creation::Supervisor;
use crate::error::MetalError;
use crate::tensor::{Dtype, Tensor};

/// A device with its own memory. Work is done in the order in which it was asked for, though not necessarily at once:
/// [`read`](Self::read) and [`synchronize`](Self::synchronize) wait for it, and an error of the device itself may come from a
/// later call than the one that caused it.
///
/// Elements are [`Dtype::F32`], or [`Dtype::F16`] where [`supports`](Self::supports) says so. Values go in and out as `f32` and
/// are rounded to the nearest of the tensor's type. Ranges and offsets count elements; what does not fit is
/// [`MetalError::InvalidParams`], and changes nothing.
pub trait ComputeDevice: Sized + 'static {
    /// A run of elements in its memory. Threads share those that were prepared.
    type Tensor: Tensor + Send + Sync;

    /// Returns the number that tells this device from all others of its type in the process; `None` if nothing does. Clones of a
    /// handle are one device. It is asked for at each look-up that names a device, so it should cost next to nothing.
    ///
    /// A cache of what was made on one device refuses another: see [`MetalError::AnotherDevice`].
    fn identity(&self) -> Option<u64> {
        None
    }

    /// Has `supervisor` watch over the creations in the caches that the device has for itself, if it has any.
    fn supervise(&self, _supervisor: &Supervisor) {}

    /// Returns `true` if tensors of this type are supported.
    fn supports(&self, dtype: Dtype) -> bool;

    /// A tensor of zeros.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if the device has no such type or no such size; [`MetalError::Device`] if it is out of
    /// memory.
    fn zeros(&self, elements: usize, dtype: Dtype) -> Result<Self::Tensor, MetalError>;

    /// A tensor with these values.
    ///
    /// # Errors
    /// As [`zeros`](Self::zeros).
    fn upload(&self, values: &[f32], dtype: Dtype) -> Result<Self::Tensor, MetalError> {
        let mut tensor = self.zeros(values.len(), dtype)?;
        self.write(&mut tensor, 0, values)?;
        Ok(tensor)
    }

    /// Writes `values` from element `offset` on.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if they go beyond its end; [`MetalError::Device`] if the device fails.
    fn write(&self, tensor: &mut Self::Tensor, offset: usize, values: &[f32]) -> Result<(), MetalError>;

    /// The values of a range of elements, when all work before is done.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if the range goes beyond its end; [`MetalError::Device`] if the device fails.
    fn read(&self, tensor: &Self::Tensor, range: Range<usize>) -> Result<Vec<f32>, MetalError>;

    /// Copies `elements` elements of one tensor into another of the same type.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if the types differ or either range goes beyond its tensor's end; [`MetalError::Device`] if
    /// the device fails.
    fn copy(
        &self,
        from: &Self::Tensor,
        from_offset: usize,
        to: &mut Self::Tensor,
        to_offset: usize,
        elements: usize,
    ) -> Result<(), MetalError>;

    /// Waits until all work is done.
    ///
    /// # Errors
    /// [`MetalError::Device`] if the device failed since the last call that could say so.
    fn synchronize(&self) -> Result<(), MetalError>;
}

/// Returns a number that was never returned before in this process: an [`identity`](ComputeDevice::identity) for a device that
/// is being opened. An address would not do: another device may be at it when the first is gone.
pub fn new_identity() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}
