//! The checks: a file for each operation, and one for each promise that all operations make.

mod add;
mod all;
mod attention;
mod cases;
mod deviation;
mod gelu;
mod gemm;
mod kv_cache_write;
mod layer_norm;
mod memory;
mod operand;
mod refusals;
mod sharing;
mod softmax;

pub use add::check_add;
pub use all::check_all;
pub use attention::check_scaled_dot_product_attention;
pub use gelu::check_gelu;
pub use gemm::check_gemm;
pub use kv_cache_write::check_kv_cache_write;
pub use layer_norm::check_layer_norm;
pub use memory::check_memory;
pub use refusals::check_refusals;
pub use sharing::check_sharing;
pub use softmax::check_softmax;
