//! Sums of two tensors.

mod cache;

pub use cache::{AddCall, AddKernel, AddKey, AddParams};
