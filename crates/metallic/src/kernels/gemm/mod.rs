//! Matrix products: `C = alpha op(A) op(B) + beta C + bias`.

mod key;
mod operation;

pub use key::{GemmKey, GemmParams};
pub use operation::{GemmCall, GemmKernel};
