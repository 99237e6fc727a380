//! Matrix products as cached objects.

use objc2::AnyThread;
use objc2::rc::{Retained, autoreleasepool};
use objc2::runtime::ProtocolObject;
use objc2_metal::{MTLCommandBuffer, MTLDevice};
use objc2_metal_performance_shaders::{MPSMatrix, MPSMatrixMultiplication};

use super::descriptor::MpsMatrixDescriptor;
use super::key::{MpsGemmKey, MpsGemmParams, MpsScaledGemmParams};
use crate::caching::{CacheableKernel, ResourceCache};
use crate::device::Device;
use crate::error::MetalError;
use crate::kernels::mps;
use crate::tensor::Dtype;

/// Caches plain products, `C = op(A) op(B)`, as [`MpsGemm`]s.
#[derive(Debug)]
pub struct MpsGemmKernel;

/// Caches products with factors, `C = alpha op(A) op(B) + beta C`, as [`MpsGemm`]s. They are counted apart, so that the
/// many sizes of plain products and the few of accumulating ones can have a policy each.
#[derive(Debug)]
pub struct MpsScaledGemmKernel;

/// An [`MPSMatrixMultiplication`]. It stays on its thread, as Apple asks of every [`MPSKernel`].
///
/// [`MPSMatrixMultiplication`]: https://developer.apple.com/documentation/metalperformanceshaders/mpsmatrixmultiplication
/// [`MPSKernel`]: https://developer.apple.com/documentation/metalperformanceshaders/mpskernel
#[derive(Clone, Debug)]
pub struct MpsGemm {
    // Origins and batch range can be changed through any handle, so it is not handed out: they stay at their defaults, the
    // upper left corner of every matrix.
    multiplication: Retained<MPSMatrixMultiplication>,
    key: MpsGemmKey,
}

impl CacheableKernel for MpsGemmKernel {
    type Key = MpsGemmKey;
    type CachedResource = MpsGemm;
    type Params = MpsGemmParams;

    const CACHE_NAME: &'static str = "mps_gemm";

    fn create_cache_key(params: &Self::Params) -> Self::Key {
        params.into()
    }

    fn create_cached_resource(
        key: &Self::Key,
        device: Option<&Device>,
    ) -> Result<Self::CachedResource, MetalError> {
        MpsGemm::new(key, device)
    }

    fn device_identity(device: &Device) -> Option<u64> {
        Some(device.registryID())
    }
}

impl CacheableKernel for MpsScaledGemmKernel {
    type Key = MpsGemmKey;
    type CachedResource = MpsGemm;
    type Params = MpsScaledGemmParams;

    const CACHE_NAME: &'static str = "mps_scaled_gemm";

    fn create_cache_key(params: &Self::Params) -> Self::Key {
        params.into()
    }

    fn create_cached_resource(
        key: &Self::Key,
        device: Option<&Device>,
    ) -> Result<Self::CachedResource, MetalError> {
        MpsGemm::new(key, device)
    }

    fn device_identity(device: &Device) -> Option<u64> {
        Some(device.registryID())
    }
}

impl MpsGemm {
    fn new(key: &MpsGemmKey, device: Option<&Device>) -> Result<Self, MetalError> {
        key.check()?;
        let device = mps::supported(device)?;
        let multiplication = autoreleasepool(|_| {
            // SAFETY: the device supports the shaders, and no size is zero.
            unsafe {
                MPSMatrixMultiplication::initWithDevice_transposeLeft_transposeRight_resultRows_resultColumns_interiorColumns_alpha_beta(
                    MPSMatrixMultiplication::alloc(),
                    device,
                    key.transpose_left,
                    key.transpose_right,
                    key.m,
                    key.n,
                    key.k,
                    f64::from(key.alpha.get()),
                    f64::from(key.beta.get()),
                )
            }
        });
        Ok(Self { multiplication, key: *key })
    }

    /// The product it computes.
    pub fn key(&self) -> &MpsGemmKey {
        &self.key
    }

    /// Encodes the product of each pair of matrices of `left` and `right` into `command_buffer`.
    ///
    /// | matrices | rows | columns |
    /// |---|---|---|
    /// | `left` | `m`, or `k` if transposed | `k`, or `m` if transposed |
    /// | `right` | `k`, or `n` if transposed | `n`, or `k` if transposed |
    /// | `result` | `m` | `n` |
    ///
    /// All may be larger ([`encode(commandBuffer:leftMatrix:rightMatrix:resultMatrix:)`]): the upper left part of each is
    /// used. Strides and alignment are those of [`MpsMatrixLayout`](super::MpsMatrixLayout), and may differ between them.
    ///
    /// [`encode(commandBuffer:leftMatrix:rightMatrix:resultMatrix:)`]: https://developer.apple.com/documentation/metalperformanceshaders/mpsmatrixmultiplication/encode(commandbuffer:leftmatrix:rightmatrix:resultmatrix:)
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if a matrix is too small, of another type, or the numbers of matrices differ. Nothing
    /// was encoded then.
    ///
    /// # Safety
    /// The compiler does not see what the GPU does. Until the command buffer has completed, nothing else may write the
    /// operands or touch the result, and the buffers must live, which a command buffer sees to unless it was made with
    /// unretained references. The result must not overlap an operand. All of them must belong to the device of this
    /// resource, and no encoder may be open on the command buffer.
    pub unsafe fn encode(
        &self,
        command_buffer: &ProtocolObject<dyn MTLCommandBuffer>,
        left: &MPSMatrix,
        right: &MPSMatrix,
        result: &MPSMatrix,
    ) -> Result<(), MetalError> {
        let layout = MpsMatrixDescriptor::layout_of;
        self.key.check_operands(&layout(left)?, &layout(right)?, &layout(result)?)?;
        autoreleasepool(|_| {
            // SAFETY: the sizes and types fit, and the caller answers for what the GPU does.
            unsafe {
                self.multiplication.encodeToCommandBuffer_leftMatrix_rightMatrix_resultMatrix(
                    command_buffer,
                    left,
                    right,
                    result,
                );
            }
        });
        Ok(())
    }
}

impl ResourceCache<Device> {
    /// The product `C = op(A) op(B)`, with C of `m` rows and `n` columns and sums of length `k`.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if a size is zero or `dtype` neither [`Dtype::F32`] nor [`Dtype::F16`];
    /// [`MetalError::DeviceNotAvailable`] if neither `device` nor the registry has a device; [`MetalError::Device`] if Metal
    /// Performance Shaders do not run on it.
    #[expect(clippy::too_many_arguments, reason = "a product has them")]
    #[track_caller]
    pub fn get_or_create_mps_gemm(
        &mut self,
        m: usize,
        n: usize,
        k: usize,
        dtype: Dtype,
        transpose_left: bool,
        transpose_right: bool,
        device: Option<&Device>,
    ) -> Result<&mut MpsGemm, MetalError> {
        let params = (m, n, k, dtype, transpose_left, transpose_right);
        self.registry.get_or_create::<MpsGemmKernel>(&params, device)
    }

    /// The product `C = alpha op(A) op(B) + beta C`.
    ///
    /// # Errors
    /// Those of [`get_or_create_mps_gemm`](Self::get_or_create_mps_gemm).
    #[track_caller]
    pub fn get_or_create_mps_scaled_gemm(
        &mut self,
        params: &MpsScaledGemmParams,
        device: Option<&Device>,
    ) -> Result<&mut MpsGemm, MetalError> {
        self.registry.get_or_create::<MpsScaledGemmKernel>(params, device)
    }
}
