//! Sums of two tensors.

mod cache;
#[cfg(feature = "host")]
mod host;

pub use cache::{AddCall, AddKernel, AddKey, AddParams};
