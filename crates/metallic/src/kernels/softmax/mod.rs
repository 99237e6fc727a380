//! Softmax over rows, as of attention scores.

mod operation;

pub use operation::{SoftmaxCall, SoftmaxKernel, SoftmaxKey, SoftmaxParams};
