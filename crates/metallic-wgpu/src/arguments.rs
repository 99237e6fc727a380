//! What a dispatch is told besides its buffers.

use metallic::error::MetalError;

use crate::descriptors::ARGUMENT_BYTES;

/// A number in a kernel's `struct` of arguments, where they stand one after the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Argument {
    /// A `u32`: a size, a stride, an offset. What does not fit into one is an error of the dispatch.
    Size(usize),
    /// An `f32`.
    Factor(f32),
}

impl From<usize> for Argument {
    fn from(size: usize) -> Self {
        Self::Size(size)
    }
}

impl From<f32> for Argument {
    fn from(factor: f32) -> Self {
        Self::Factor(factor)
    }
}

/// The bytes of a uniform buffer that hold these arguments.
pub(crate) fn encode(arguments: &[Argument]) -> Result<[u8; ARGUMENT_BYTES as usize], MetalError> {
    let mut bytes = [0; ARGUMENT_BYTES as usize];
    if arguments.len() > bytes.len() / 4 {
        return Err(MetalError::invalid_params(format!(
            "{} arguments, where a kernel can have {}",
            arguments.len(),
            bytes.len() / 4
        )));
    }
    for (place, argument) in bytes.chunks_exact_mut(4).zip(arguments) {
        let word = match *argument {
            Argument::Factor(factor) => factor.to_bits(),
            Argument::Size(size) => u32::try_from(size).map_err(|_| {
                MetalError::invalid_params(format!("{size} is beyond the numbers of a shader"))
            })?,
        };
        place.copy_from_slice(&word.to_ne_bytes());
    }
    Ok(bytes)
}
