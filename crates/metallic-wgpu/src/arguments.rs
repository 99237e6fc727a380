//! The arguments of a dispatch: numbers, in addition to its buffers.

use metallic::error::MetalError;

use crate::limits::ARGUMENT_BYTES;

/// A number in a kernel's `struct` of arguments. They follow one another without gaps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Argument {
    /// A size, stride or offset: a `u32` in the shader. A dispatch refuses one that does not fit.
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

/// Encodes the arguments as a uniform buffer holds them.
pub(crate) fn encode(arguments: &[Argument]) -> Result<[u8; ARGUMENT_BYTES as usize], MetalError> {
    let mut bytes = [0; ARGUMENT_BYTES as usize];
    if arguments.len() > bytes.len() / 4 {
        return Err(MetalError::invalid_params(format!(
            "{} arguments, where a kernel has at most {}",
            arguments.len(),
            bytes.len() / 4
        )));
    }
    for (place, argument) in bytes.chunks_exact_mut(4).zip(arguments) {
        let word = match *argument {
            Argument::Factor(factor) => factor.to_bits(),
            Argument::Size(size) => u32::try_from(size).map_err(|_| {
                MetalError::invalid_params(format!("{size} does not fit into a shader's u32"))
            })?,
        };
        place.copy_from_slice(&word.to_ne_bytes());
    }
    Ok(bytes)
}
