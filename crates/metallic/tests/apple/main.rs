//! The kernels for Apple's systems on the GPU of this machine, against references in f64.
//!
//! Without a GPU that runs Metal Performance Shaders, as in some virtual machines, each test says so and passes; with
//! `METALLIC_REQUIRE_METAL` set it fails.
#![cfg(all(target_vendor = "apple", feature = "apple"))]
#![allow(clippy::unwrap_used, reason = "tests throughout; clippy knows only those in functions marked so")]

#[cfg(feature = "store")]
mod archive;
mod errors;
mod gemm;
mod gpu;
mod pipeline;
mod reference;
mod sdpa;
mod softmax;
