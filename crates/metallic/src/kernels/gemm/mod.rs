//! Matrix products: `C = alpha op(A) op(B) + beta C + bias`.

mod cache;
mod key;

pub use cache::{GemmCall, GemmKernel};
pub use key::{GemmKey, GemmParams};
