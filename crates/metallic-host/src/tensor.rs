//! Elements in the host's own memory.

use half::f16;
use metallic::error::MetalError;
use metallic::tensor::{Dtype, Tensor};

/// A run of elements in the host's memory, of type [`Dtype::F32`] or [`Dtype::F16`].
#[derive(Clone, Debug)]
pub struct HostTensor(Elements);

#[derive(Clone, Debug)]
pub(super) enum Elements {
    F32(Vec<f32>),
    F16(Vec<f16>),
}

impl HostTensor {
    /// Zeros.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] for another type or an impossible size, [`MetalError::Device`] if memory is out.
    pub(super) fn zeros(elements: usize, dtype: Dtype) -> Result<Self, MetalError> {
        if elements > isize::MAX as usize / size_of::<f32>() {
            return Err(MetalError::invalid_params(format!(
                "{elements} elements are larger than the address space"
            )));
        }
        match dtype {
            Dtype::F32 => reserved(elements, 0.0).map(Elements::F32),
            Dtype::F16 => reserved(elements, f16::ZERO).map(Elements::F16),
            _ => return Err(MetalError::invalid_params(format!("the host has no tensors of {dtype}"))),
        }
        .map(Self)
    }

    pub(super) fn elements_mut(&mut self) -> &mut Elements {
        &mut self.0
    }

    pub(super) fn elements_ref(&self) -> &Elements {
        &self.0
    }
}

impl Tensor for HostTensor {
    fn dtype(&self) -> Dtype {
        match &self.0 {
            Elements::F32(_) => Dtype::F32,
            Elements::F16(_) => Dtype::F16,
        }
    }

    fn elements(&self) -> usize {
        match &self.0 {
            Elements::F32(elements) => elements.len(),
            Elements::F16(elements) => elements.len(),
        }
    }
}

fn reserved<E: Clone>(elements: usize, zero: E) -> Result<Vec<E>, MetalError> {
    let mut all = Vec::new();
    all.try_reserve_exact(elements)
        .map_err(|error| MetalError::device(format!("allocating {elements} elements"), error))?;
    all.resize(elements, zero);
    Ok(all)
}
