//! Layer normalisation.

mod cache;

pub use cache::{LayerNormCall, LayerNormKernel, LayerNormKey, LayerNormParams};
