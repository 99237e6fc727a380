//! Layer normalisation.

mod cache;
#[cfg(feature = "host")]
mod host;

pub use cache::{LayerNormCall, LayerNormKernel, LayerNormKey, LayerNormParams};
