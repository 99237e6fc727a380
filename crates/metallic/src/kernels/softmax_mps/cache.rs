//! Softmax as a cached object.

use objc2::AnyThread;
use objc2::rc::{Retained, autoreleasepool};
use objc2::runtime::ProtocolObject;
use objc2_metal::{MTLCommandBuffer, MTLDevice};
use objc2_metal_performance_shaders::{MPSMatrix, MPSMatrixSoftMax};

use super::key::{SoftmaxMpsKey, SoftmaxMpsParams};
use crate::caching::{CacheableKernel, ResourceCache};
use crate::device::Device;
use crate::error::MetalError;
use crate::kernels::matmul_mps::MpsMatrixDescriptor;
use crate::kernels::mps;

/// Caches softmaxes over rows, by the bucket of the row length, as [`SoftmaxMps`].
#[derive(Debug)]
pub struct SoftmaxMpsKernel;

/// An [`MPSMatrixSoftMax`]: `B[i, j] = exp(A[i, j]) / sum over l of exp(A[i, l])`. It stays on its thread, as Apple asks of
/// every `MPSKernel`.
///
/// [`MPSMatrixSoftMax`]: https://developer.apple.com/documentation/metalperformanceshaders/mpsmatrixsoftmax
#[derive(Clone, Debug)]
pub struct SoftmaxMps {
    // The size of the work is a property that each encoding sets, so no other handle may exist.
    softmax: Retained<MPSMatrixSoftMax>,
    key: SoftmaxMpsKey,
}

impl CacheableKernel for SoftmaxMpsKernel {
    type Key = SoftmaxMpsKey;
    type CachedResource = SoftmaxMps;
    type Params = SoftmaxMpsParams;

    const CACHE_NAME: &'static str = "mps_softmax";

    fn create_cache_key(params: &Self::Params) -> Self::Key {
        params.into()
    }

    fn create_cached_resource(
        key: &Self::Key,
        device: Option<&Device>,
    ) -> Result<Self::CachedResource, MetalError> {
        key.check()?;
        let device = mps::supported(device)?;
        let softmax = autoreleasepool(|_| {
            // SAFETY: the device supports the shaders.
            unsafe { MPSMatrixSoftMax::initWithDevice(MPSMatrixSoftMax::alloc(), device) }
        });
        Ok(SoftmaxMps { softmax, key: *key })
    }

    fn device_identity(device: &Device) -> Option<u64> {
        Some(device.registryID())
    }
}

impl SoftmaxMps {
    /// The bucket and type it is for.
    pub fn key(&self) -> &SoftmaxMpsKey {
        &self.key
    }

    /// Encodes the softmax of the first `columns` elements of the first `rows` rows of each matrix of `input`. Both `input`
    /// and `result` have at least so many ([`encode(commandBuffer:inputMatrix:resultMatrix:)`]); what `result` holds beyond
    /// them is not written. Strides and alignment are those of
    /// [`MpsMatrixLayout`](crate::kernels::matmul_mps::MpsMatrixLayout), and may differ between the two.
    ///
    /// [`encode(commandBuffer:inputMatrix:resultMatrix:)`]: https://developer.apple.com/documentation/metalperformanceshaders/mpsmatrixsoftmax/encode(commandbuffer:inputmatrix:resultmatrix:)
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if `columns` lies outside the bucket, or a matrix is too small, of another type, or the
    /// numbers of matrices differ. Nothing was encoded then.
    ///
    /// # Safety
    /// Until the command buffer has completed, nothing else may write the input or touch the result, and the buffers must
    /// live, which a command buffer sees to unless it was made with unretained references. Both must belong to the device of
    /// this resource, and no encoder may be open on the command buffer.
    pub unsafe fn encode(
        &self,
        command_buffer: &ProtocolObject<dyn MTLCommandBuffer>,
        input: &MPSMatrix,
        result: &MPSMatrix,
        rows: usize,
        columns: usize,
    ) -> Result<(), MetalError> {
        let layout = MpsMatrixDescriptor::layout_of;
        self.key.check_operands(&layout(input)?, &layout(result)?, rows, columns)?;
        autoreleasepool(|_| {
            // SAFETY: rows and columns lie within both matrices, which are of one type that the softmax takes, and the
            // caller answers for what the GPU does.
            unsafe {
                self.softmax.setSourceRows(rows);
                self.softmax.setSourceColumns(columns);
                self.softmax.encodeToCommandBuffer_inputMatrix_resultMatrix(command_buffer, input, result);
            }
        });
        Ok(())
    }
}

impl ResourceCache<Device> {
    /// The softmax for rows of this length and type.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if the length is zero or the type neither `F32` nor `F16`;
    /// [`MetalError::DeviceNotAvailable`] if neither `device` nor the registry has a device; [`MetalError::Device`] if Metal
    /// Performance Shaders do not run on it.
    #[track_caller]
    pub fn get_or_create_mps_softmax(
        &mut self,
        params: &SoftmaxMpsParams,
        device: Option<&Device>,
    ) -> Result<&mut SoftmaxMps, MetalError> {
        self.registry.get_or_create::<SoftmaxMpsKernel>(params, device)
    }
}
