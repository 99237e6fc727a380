//! Matrix products by Metal Performance Shaders, and the descriptors of the matrices they take.

#[cfg(all(target_vendor = "apple", feature = "apple"))]
mod cache;
#[cfg(all(target_vendor = "apple", feature = "apple"))]
mod descriptor;
mod key;
mod layout;

#[cfg(all(target_vendor = "apple", feature = "apple"))]
pub use cache::{MpsGemm, MpsGemmKernel, MpsScaledGemmKernel};
#[cfg(all(target_vendor = "apple", feature = "apple"))]
pub use descriptor::{MpsMatrixDescriptor, MpsMatrixDescriptorKernel};
pub use key::{MpsGemmKey, MpsGemmParams, MpsScaledGemmParams};
pub use layout::MpsMatrixLayout;
