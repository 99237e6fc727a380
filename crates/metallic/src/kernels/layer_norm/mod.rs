//! Layer normalisation.

#[cfg(feature = "host")]
mod host;
mod operation;

pub use operation::{LayerNormCall, LayerNormKernel, LayerNormKey, LayerNormParams};
