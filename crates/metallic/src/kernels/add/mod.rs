//! Sums of two tensors.

#[cfg(feature = "host")]
mod host;
mod operation;

pub use operation::{AddCall, AddKernel, AddKey, AddParams};
