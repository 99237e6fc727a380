//! The Gaussian error linear unit.

mod operation;

pub use operation::{GeluApproximation, GeluCall, GeluKernel, GeluKey, GeluParams};
