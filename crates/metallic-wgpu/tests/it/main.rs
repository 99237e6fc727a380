//! The device and its kernels, on a software adapter unless another is named.

mod adapters;
mod artifacts;
mod conformance;
mod descriptors;
mod errors;
mod imports;
mod limits;
mod products;
mod software;
mod transfers;

#[allow(dead_code, unused_imports, reason = "the core's own checks use all of it")]
#[path = "../../../metallic/tests/source/mod.rs"]
mod source;
