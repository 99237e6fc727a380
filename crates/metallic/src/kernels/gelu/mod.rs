//! The Gaussian error linear unit.

#[cfg(feature = "host")]
mod host;
mod operation;

pub use operation::{GeluApproximation, GeluCall, GeluKernel, GeluKey, GeluParams};
