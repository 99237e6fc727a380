//! The operations on this device, one file each with its shaders beside it.

mod add;
mod attention;
mod copy;
mod gelu;
mod gemm;
mod grid;
mod kv_cache_write;
mod layer_norm;
mod matrix_product;
mod softmax;

pub use attention::AttentionPlan;
pub(crate) use copy::{CopyPipelines, copy_elements};
pub use gemm::GemmPlan;
