//! What tensors are made of.

mod dtype;
mod float_bits;

pub use dtype::Dtype;
pub use float_bits::F32Bits;
