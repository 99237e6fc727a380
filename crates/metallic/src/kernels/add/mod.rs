//! Sums of two tensors.

mod operation;

pub use operation::{AddCall, AddKernel, AddKey, AddParams};
