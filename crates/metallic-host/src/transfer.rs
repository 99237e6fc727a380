//! The host's memory as a device's.

use std::ops::Range;

use half::slice::HalfFloatSliceExt;
use metallic::device::ComputeDevice;
use metallic::error::MetalError;
use metallic::tensor::{Dtype, Tensor};

use crate::device::HostDevice;
use crate::element::is_element;
use crate::tensor::{Elements, HostTensor};

/// All work is done when the call that asked for it returns.
impl ComputeDevice for HostDevice {
    type Tensor = HostTensor;

    fn identity(&self) -> Option<u64> {
        Some(self.identity())
    }

    fn supports(&self, dtype: Dtype) -> bool {
        is_element(dtype)
    }

    fn zeros(&self, elements: usize, dtype: Dtype) -> Result<HostTensor, MetalError> {
        HostTensor::zeros(elements, dtype)
    }

    fn write(&self, tensor: &mut HostTensor, offset: usize, values: &[f32]) -> Result<(), MetalError> {
        let range = checked("a write", offset, values.len(), tensor)?;
        match tensor.elements_mut() {
            Elements::F32(elements) => elements[range].copy_from_slice(values),
            Elements::F16(elements) => elements[range].convert_from_f32_slice(values),
        }
        Ok(())
    }

    fn read(&self, tensor: &HostTensor, range: Range<usize>) -> Result<Vec<f32>, MetalError> {
        let length = range.end.checked_sub(range.start).ok_or_else(|| {
            MetalError::invalid_params(format!("a read of {range:?}, which ends before it begins"))
        })?;
        let range = checked("a read", range.start, length, tensor)?;
        Ok(match tensor.elements_ref() {
            Elements::F32(elements) => elements[range].to_vec(),
            Elements::F16(elements) => elements[range].to_f32_vec(),
        })
    }

    fn copy(
        &self,
        from: &HostTensor,
        from_offset: usize,
        to: &mut HostTensor,
        to_offset: usize,
        elements: usize,
    ) -> Result<(), MetalError> {
        let source = checked("a copy from", from_offset, elements, from)?;
        let target = checked("a copy to", to_offset, elements, to)?;
        match (from.elements_ref(), to.elements_mut()) {
            (Elements::F32(from), Elements::F32(to)) => to[target].copy_from_slice(&from[source]),
            (Elements::F16(from), Elements::F16(to)) => to[target].copy_from_slice(&from[source]),
            (Elements::F32(_), Elements::F16(_)) | (Elements::F16(_), Elements::F32(_)) => {
                return Err(MetalError::invalid_params(format!(
                    "a copy from {} to {}, which are different types",
                    from.dtype(),
                    to.dtype()
                )));
            }
        }
        Ok(())
    }

    fn synchronize(&self) -> Result<(), MetalError> {
        Ok(())
    }
}

/// The elements from `offset` on, if the tensor has them.
fn checked(
    what: &str,
    offset: usize,
    elements: usize,
    tensor: &HostTensor,
) -> Result<Range<usize>, MetalError> {
    match offset.checked_add(elements) {
        Some(end) if end <= tensor.elements() => Ok(offset..end),
        _ => Err(MetalError::invalid_params(format!(
            "{what} of {elements} elements from {offset} on, of a tensor of {}",
            tensor.elements()
        ))),
    }
}
