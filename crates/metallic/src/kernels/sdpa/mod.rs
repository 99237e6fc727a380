//! Scaled dot-product attention as one compiled graph.

#[cfg(all(target_vendor = "apple", feature = "apple"))]
mod cache;
#[cfg(all(target_vendor = "apple", feature = "apple"))]
mod graph;
mod key;

#[cfg(all(target_vendor = "apple", feature = "apple"))]
pub use cache::{Sdpa, SdpaKernel, SdpaOperands};
pub use key::{SdpaKey, SdpaParams};
