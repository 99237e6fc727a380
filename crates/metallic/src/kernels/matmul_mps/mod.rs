//! Matrix products by Metal Performance Shaders, and the descriptors of the matrices they take.

#[cfg(target_vendor = "apple")]
mod cache;
#[cfg(target_vendor = "apple")]
mod descriptor;
mod key;
mod layout;

#[cfg(target_vendor = "apple")]
pub use cache::{MpsGemm, MpsGemmKernel, MpsScaledGemmKernel};
#[cfg(target_vendor = "apple")]
pub use descriptor::{MpsMatrixDescriptor, MpsMatrixDescriptorKernel};
pub use key::{MpsGemmKey, MpsGemmParams, MpsScaledGemmParams};
pub use layout::MpsMatrixLayout;
