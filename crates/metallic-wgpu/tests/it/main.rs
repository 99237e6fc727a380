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
