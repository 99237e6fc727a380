//! The Gaussian error linear unit.

mod cache;
#[cfg(feature = "host")]
mod host;

pub use cache::{GeluApproximation, GeluCall, GeluKernel, GeluKey, GeluParams};
