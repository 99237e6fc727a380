//! The operations of this library, one folder each: what its resources are, and what tells one from another.
//!
//! Those of a transformer, which [`for_each_operation!`](crate::for_each_operation) lists, run on every device that implements
//! [`Runs`] for them. Each is an [`Operation`], which says what a plan is keyed by and which calls are wrong, and knows no device.
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
mod operations;
mod row_bucket;
pub mod scaled_dot_product_attention;
#[cfg(any(all(target_vendor = "apple", feature = "apple"), test))]
pub mod sdpa;
mod seq_bucket;
pub mod softmax;
#[cfg(any(all(target_vendor = "apple", feature = "apple"), test))]
pub mod softmax_mps;

pub use operation::{Operation, Planned, Runs};
pub use operations::{OPERATION_NAMES, RunsAll};
pub use row_bucket::RowBucket;
pub use seq_bucket::SeqKBucket;

/// Calls a macro with the types of all operations of a transformer, separated by commas: the one list of them.
///
/// ```
/// use metallic::kernels::{OPERATION_NAMES, Operation};
///
/// fn is_operation(name: &str) -> bool {
///     macro_rules! is_one_of {
///         ($($operation:ty),+) => { false $(|| name == <$operation as Operation>::NAME)+ };
///     }
///     metallic::for_each_operation!(is_one_of)
/// }
/// assert!(is_operation("gemm") && !is_operation("gem"));
/// assert!(OPERATION_NAMES.iter().all(|name| is_operation(name)));
/// ```
#[macro_export]
macro_rules! for_each_operation {
    ($callback:ident) => {
        $callback! {
            $crate::kernels::add::AddKernel,
            $crate::kernels::gelu::GeluKernel,
            $crate::kernels::gemm::GemmKernel,
            $crate::kernels::kv_cache_write::KvCacheWriteKernel,
            $crate::kernels::layer_norm::LayerNormKernel,
            $crate::kernels::scaled_dot_product_attention::ScaledDotProductAttentionKernel,
            $crate::kernels::softmax::SoftmaxKernel
        }
    };
}
