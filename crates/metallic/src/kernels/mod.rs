//! The operations of this library, one folder each: what its resources are, and what tells one from another.
//!
//! Those of a transformer run on every device that implements [`Runs`] for them: `gemm`, `softmax`,
//! `scaled_dot_product_attention`, `layer_norm`, `gelu`, `add`, `kv_cache_write`. Each is an [`Operation`], which says what a
//! plan is keyed by and which calls are wrong, and knows no device.
//!
//! Those over Apple's Metal Performance Shaders are for Apple's systems. Their keys and checks know no device either, so that
//! tests reach them on every system.

pub mod add;
mod checks;
pub mod gelu;
pub mod gemm;
pub mod kv_cache_write;
pub mod layer_norm;
#[cfg(any(all(target_vendor = "apple", feature = "apple"), test))]
pub mod matmul_mps;
#[cfg(any(all(target_vendor = "apple", feature = "apple"), test))]
pub mod metal_pipeline;
#[cfg(all(target_vendor = "apple", feature = "apple"))]
mod mps;
mod operation;
mod row_bucket;
pub mod scaled_dot_product_attention;
#[cfg(any(all(target_vendor = "apple", feature = "apple"), test))]
pub mod sdpa;
mod seq_bucket;
pub mod softmax;
#[cfg(any(all(target_vendor = "apple", feature = "apple"), test))]
pub mod softmax_mps;

pub use operation::{Operation, Planned, Runs};
pub use row_bucket::RowBucket;
pub use seq_bucket::SeqKBucket;
