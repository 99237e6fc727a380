//! Softmax over rows, as of attention scores.

mod cache;

pub use cache::{SoftmaxCall, SoftmaxKernel, SoftmaxKey, SoftmaxParams};
