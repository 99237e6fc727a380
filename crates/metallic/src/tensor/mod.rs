//! What tensors are made of.

mod dtype;

pub use dtype::Dtype;
