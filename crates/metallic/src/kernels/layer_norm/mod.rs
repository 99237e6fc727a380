//! Layer normalisation.

mod operation;

pub use operation::{LayerNormCall, LayerNormKernel, LayerNormKey, LayerNormParams};
