//! Attention: `softmax(scale Q K^T) V`, head by head.

mod cache;
#[cfg(feature = "host")]
mod host;
mod key;

pub use cache::{AttentionCall, ScaledDotProductAttentionKernel};
pub use key::{AttentionKey, AttentionParams};
