//! The checks: a file for each operation, and what they have in common.

mod add;
mod all;
mod attention;
mod cases;
mod checked;
mod deviation;
mod gelu;
mod gemm;
mod inputs;
mod kv_cache_write;
mod layer_norm;
mod memory;
mod operand;
mod refusals;
mod sharing;
mod softmax;

pub use all::check_all;
pub use checked::{Checked, check};
pub use inputs::Found;
pub use memory::check_memory;
