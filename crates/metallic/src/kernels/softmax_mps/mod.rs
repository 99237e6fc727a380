//! Softmax over the rows of a matrix by Metal Performance Shaders.

#[cfg(target_vendor = "apple")]
mod cache;
mod key;

#[cfg(target_vendor = "apple")]
pub use cache::{SoftmaxMps, SoftmaxMpsKernel};
pub use key::{SoftmaxMpsKey, SoftmaxMpsParams};
