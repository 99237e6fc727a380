//! Element types, layouts and views of tensors.

mod device_tensor;
mod dtype;
mod float_bits;

pub use device_tensor::{MatrixLayout, MatrixMut, MatrixRef, Tensor, check_tensor};
pub use dtype::Dtype;
pub use float_bits::F32Bits;
