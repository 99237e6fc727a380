//! Softmax over the rows of a matrix by Metal Performance Shaders.

#[cfg(all(target_vendor = "apple", feature = "apple"))]
mod cache;
mod key;

#[cfg(all(target_vendor = "apple", feature = "apple"))]
pub use cache::{SoftmaxMps, SoftmaxMpsKernel};
pub use key::{SoftmaxMpsKey, SoftmaxMpsParams};
