//! Softmax over rows, as of attention scores.

mod cache;
#[cfg(feature = "host")]
mod host;

pub use cache::{SoftmaxCall, SoftmaxKernel, SoftmaxKey, SoftmaxParams};
