//! Attention: `softmax(scale Q K^T) V`, head by head.

mod key;
mod operation;

pub use key::{AttentionKey, AttentionParams};
pub use operation::{AttentionCall, ScaledDotProductAttentionKernel};
