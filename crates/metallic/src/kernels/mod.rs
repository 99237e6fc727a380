//! The operations of this library, one folder each: what its resources are, and what tells one from another.
//!
//! Those here are for Apple's systems. Their keys and checks know no device, so that tests reach them on every system.

#[cfg(any(target_vendor = "apple", test))]
pub mod matmul_mps;
#[cfg(any(target_vendor = "apple", test))]
pub mod metal_pipeline;
#[cfg(target_vendor = "apple")]
mod mps;
#[cfg(any(target_vendor = "apple", test))]
pub mod sdpa;
#[cfg(any(target_vendor = "apple", test))]
mod seq_bucket;
#[cfg(any(target_vendor = "apple", test))]
pub mod softmax_mps;

#[cfg(any(target_vendor = "apple", test))]
pub use seq_bucket::SeqKBucket;
