//! The device and its kernels, on a software adapter: Mesa's lavapipe, as a rule.

mod adapters;
mod conformance;
mod descriptors;
mod errors;
mod limits;
mod products;
mod software;
mod transfers;
