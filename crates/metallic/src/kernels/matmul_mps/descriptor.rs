//! Descriptors of matrices, cached apart from the products that use them.

use objc2::AnyThread;
use objc2::rc::{Retained, autoreleasepool};
use objc2::runtime::ProtocolObject;
use objc2_metal::MTLBuffer;
use objc2_metal_performance_shaders::{MPSMatrix, MPSMatrixDescriptor};

use super::layout::MpsMatrixLayout;
use crate::caching::{CacheableKernel, ResourceCache};
use crate::device::Device;
use crate::error::MetalError;
use crate::kernels::mps;
use crate::tensor::Dtype;

/// Caches [`MpsMatrixDescriptor`]s by their layout. Needs no device.
#[derive(Debug)]
pub struct MpsMatrixDescriptorKernel;

/// An `MPSMatrixDescriptor`, which makes matrices over buffers.
#[derive(Clone, Debug)]
pub struct MpsMatrixDescriptor {
    // Can be changed through any handle, so it is not handed out.
    descriptor: Retained<MPSMatrixDescriptor>,
    layout: MpsMatrixLayout,
}

impl CacheableKernel for MpsMatrixDescriptorKernel {
    type Key = MpsMatrixLayout;
    type CachedResource = MpsMatrixDescriptor;
    type Params = MpsMatrixLayout;

    const CACHE_NAME: &'static str = "mps_matrix_descriptor";

    fn create_cache_key(layout: &Self::Params) -> Self::Key {
        *layout
    }

    fn create_cached_resource(
        layout: &Self::Key,
        _device: Option<&Device>,
    ) -> Result<Self::CachedResource, MetalError> {
        layout.buffer_bytes()?;
        let descriptor = autoreleasepool(|_| {
            // SAFETY: `buffer_bytes` has checked the rules that Apple documents for the strides.
            unsafe {
                MPSMatrixDescriptor::matrixDescriptorWithRows_columns_matrices_rowBytes_matrixBytes_dataType(
                    layout.rows,
                    layout.columns,
                    layout.matrices,
                    layout.row_bytes,
                    layout.matrix_bytes,
                    mps::data_type(layout.dtype),
                )
            }
        });
        Ok(MpsMatrixDescriptor { descriptor, layout: *layout })
    }
}

impl MpsMatrixDescriptor {
    /// The distance between rows of so many columns that is fastest, in bytes ([`rowBytes(forColumns:dataType:)`]).
    ///
    /// [`rowBytes(forColumns:dataType:)`]: https://developer.apple.com/documentation/metalperformanceshaders/mpsmatrixdescriptor/rowbytes(forcolumns:datatype:)
    pub fn recommended_row_bytes(columns: usize, dtype: Dtype) -> usize {
        // SAFETY: a plain computation on numbers.
        unsafe { MPSMatrixDescriptor::rowBytesForColumns_dataType(columns, mps::data_type(dtype)) }
    }

    /// Where the elements lie.
    pub fn layout(&self) -> &MpsMatrixLayout {
        &self.layout
    }

    /// The matrices that begin `offset` bytes into `buffer`. Nothing is read or copied.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if `offset` is not a multiple of the size of an element, or the buffer ends before the
    /// last element.
    pub fn matrix(
        &self,
        buffer: &ProtocolObject<dyn MTLBuffer>,
        offset: usize,
    ) -> Result<Retained<MPSMatrix>, MetalError> {
        let bytes = self.layout.buffer_bytes()?;
        if !offset.is_multiple_of(self.layout.dtype.size_bytes()) {
            return Err(MetalError::invalid_params(format!(
                "a matrix of {} at byte {offset}",
                self.layout.dtype
            )));
        }
        if offset.checked_add(bytes).is_none_or(|end| buffer.length() < end) {
            return Err(MetalError::invalid_params(format!(
                "a matrix of {bytes} bytes at byte {offset} of a buffer of {}",
                buffer.length()
            )));
        }
        // SAFETY: the buffer holds all elements, and any bits are an element of these types. The matrix retains the buffer;
        // access to its contents is up to who encodes work on it.
        Ok(unsafe {
            MPSMatrix::initWithBuffer_offset_descriptor(MPSMatrix::alloc(), buffer, offset, &self.descriptor)
        })
    }

    /// The layout of a matrix that somebody made.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if its elements are of none of this library's types.
    pub(in crate::kernels) fn layout_of(matrix: &MPSMatrix) -> Result<MpsMatrixLayout, MetalError> {
        // SAFETY: plain getters of a live object.
        unsafe {
            Ok(MpsMatrixLayout {
                rows: matrix.rows(),
                columns: matrix.columns(),
                matrices: matrix.matrices(),
                row_bytes: matrix.rowBytes(),
                matrix_bytes: matrix.matrixBytes(),
                dtype: mps::dtype(matrix.dataType())
                    .ok_or_else(|| MetalError::invalid_params("a matrix with elements of an unknown type"))?,
            })
        }
    }
}

impl ResourceCache<Device> {
    /// The descriptor of matrices of this layout.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if the layout breaks a rule of [`MpsMatrixLayout`].
    #[track_caller]
    pub fn get_or_create_mps_matrix_descriptor(
        &mut self,
        layout: &MpsMatrixLayout,
    ) -> Result<&mut MpsMatrixDescriptor, MetalError> {
        self.registry.get_or_create::<MpsMatrixDescriptorKernel>(layout, None)
    }
}
