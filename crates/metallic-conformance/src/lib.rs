//! Checks that a device runs the operations of [`metallic`] as they are defined.
//!
//! Without the feature `checks`, which is on by default, there is only [`mod@reference`], and no dependency for random cases.
//!
//! For the author of a device: [`check_all`] in a test of it compares every operation with a reference in `f64`, over random
//! shapes, strides and values from a fixed seed, and asks for what the definitions promise besides the numbers: that elements
//! outside a result stay as they were, that wrong calls are errors that change nothing, that calls of one bucket share a plan.
//! A check panics with the operation, the smallest case that fails, and the worst deviation in it.
//!
//! ```
//! # #[cfg(any())] {
//! metallic_conformance::check_all(&MyDevice::new()?, 64);
//! # }
//! ```
//!
//! # How exact a device must be
//!
//! Sums are of `f32` products in `f32`, in any order, whatever the type of the tensors; functions may be as inexact as WGSL lets
//! them be. With `u = 2^-24`, the unit of rounding of `f32`, a result may deviate from the reference by
//!
//! | operation | deviation |
//! |---|---|
//! | gemm | `(8 + 2 sqrt(k)) u` of the sum of the magnitudes of all terms |
//! | softmax | `(16 + sqrt(n) + 2 d + 2 s) u` of the result, `d` being how far the element is below the largest and `s` the largest magnitude, both scaled |
//! | attention | as softmax for each weight, and the error of the scores, `(8 + 2 sqrt(head_dim)) u` of the magnitudes of their terms, twice |
//! | layer norm | `(8 + sqrt(n)) u` of the largest input in units of the result, and `16 u` of the terms of the result |
//! | gelu | `16 u` of the input |
//! | add | `u` of the result |
//! | KV cache write | none |
//!
//! and in `f16` by half a unit in its last place more. Every check knows the values as they are stored, so that rounding of the
//! inputs does not count.

#[cfg(feature = "checks")]
mod checks;
pub mod reference;

#[cfg(feature = "checks")]
pub use checks::*;
#[cfg(feature = "checks")]
pub use metallic::kernels::RunsAll;
