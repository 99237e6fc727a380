//! Attention: `softmax(scale Q K^T) V`, head by head.

mod cache;
mod key;

pub use cache::{AttentionCall, ScaledDotProductAttentionKernel};
pub use key::{AttentionKey, AttentionParams};
