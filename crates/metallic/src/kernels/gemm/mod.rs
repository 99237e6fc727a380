//! Matrix products: `C = alpha op(A) op(B) + beta C + bias`.

mod cache;
#[cfg(feature = "host")]
mod host;
#[cfg(feature = "host")]
mod host_grid;
#[cfg(feature = "host")]
mod host_row;
mod key;

pub use cache::{GemmCall, GemmKernel};
pub use key::{GemmKey, GemmParams};
