//! The operations on this device: a file each, with its shaders next to it.

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
pub(crate) use copy::copy_elements;
pub use gemm::GemmPlan;
