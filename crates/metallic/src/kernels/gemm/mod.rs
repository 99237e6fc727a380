//! Matrix products: `C = alpha op(A) op(B) + beta C + bias`.

#[cfg(feature = "host")]
mod host;
#[cfg(feature = "host")]
mod host_grid;
#[cfg(feature = "host")]
mod host_row;
mod key;
mod operation;

pub use key::{GemmKey, GemmParams};
pub use operation::{GemmCall, GemmKernel};
