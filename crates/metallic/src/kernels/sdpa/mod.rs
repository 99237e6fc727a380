//! Scaled dot-product attention as one compiled graph.

#[cfg(target_vendor = "apple")]
mod cache;
#[cfg(target_vendor = "apple")]
mod graph;
mod key;

#[cfg(target_vendor = "apple")]
pub use cache::{Sdpa, SdpaKernel, SdpaOperands};
pub use key::{SdpaKey, SdpaParams};
