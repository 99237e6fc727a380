//! Softmax over rows, as of attention scores.

#[cfg(feature = "host")]
mod host;
mod operation;

pub use operation::{SoftmaxCall, SoftmaxKernel, SoftmaxKey, SoftmaxParams};
