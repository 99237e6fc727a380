//! A device on which everything is done at once: what a step costs here is what it costs around the operations, look-ups in
//! the registry, checks of shapes and the model's own book-keeping.

use std::ops::Range;

use metallic::device::ComputeDevice;
use metallic::error::MetalError;
use metallic::kernels::{Operation, Runs};
use metallic::tensor::{Dtype, Tensor};

#[derive(Clone, Copy, Debug)]
pub struct NullDevice;

/// A tensor without values.
#[derive(Debug)]
pub struct NullTensor {
    elements: usize,
    dtype: Dtype,
}

impl Tensor for NullTensor {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn elements(&self) -> usize {
        self.elements
    }
}

impl ComputeDevice for NullDevice {
    type Tensor = NullTensor;

    fn supports(&self, _dtype: Dtype) -> bool {
        true
    }

    fn zeros(&self, elements: usize, dtype: Dtype) -> Result<NullTensor, MetalError> {
        Ok(NullTensor { elements, dtype })
    }

    fn write(&self, _tensor: &mut NullTensor, _offset: usize, _values: &[f32]) -> Result<(), MetalError> {
        Ok(())
    }

    fn read(&self, _tensor: &NullTensor, range: Range<usize>) -> Result<Vec<f32>, MetalError> {
        Ok(vec![0.0; range.len()])
    }

    fn copy(
        &self,
        _from: &NullTensor,
        _from_offset: usize,
        _to: &mut NullTensor,
        _to_offset: usize,
        _elements: usize,
    ) -> Result<(), MetalError> {
        Ok(())
    }

    fn synchronize(&self) -> Result<(), MetalError> {
        Ok(())
    }
}

impl<O: Operation> Runs<O> for NullDevice {
    type Plan = ();

    fn plan(&self, _key: &O::Key) -> Result<(), MetalError> {
        Ok(())
    }

    fn run(&self, _plan: &(), _key: &O::Key, _call: O::Call<'_, NullTensor>) -> Result<(), MetalError> {
        Ok(())
    }
}
