//! The Gaussian error linear unit.

mod cache;

pub use cache::{GeluApproximation, GeluCall, GeluKernel, GeluKey, GeluParams};
