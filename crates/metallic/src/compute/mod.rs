//! The vocabulary of computing: devices, and the tensors in their memory. The crate offers both as
//! [`metallic::device`](crate::device) and [`metallic::tensor`](crate::tensor).

pub mod device;
pub mod tensor;
