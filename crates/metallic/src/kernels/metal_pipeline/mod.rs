//! Compute pipelines from source in the Metal Shading Language.

#[cfg(all(target_vendor = "apple", feature = "apple", feature = "store"))]
mod archive;
#[cfg(all(target_vendor = "apple", feature = "apple"))]
mod cache;
#[cfg(all(target_vendor = "apple", feature = "apple"))]
mod compile;
mod key;
#[cfg(all(feature = "store", any(all(target_vendor = "apple", feature = "apple"), test)))]
mod private_file;

#[cfg(all(target_vendor = "apple", feature = "apple"))]
pub use cache::MetalPipelineKernel;
#[cfg(all(target_vendor = "apple", feature = "apple"))]
pub use compile::MetalPipeline;
pub use key::{FunctionConstant, MetalFunction, MetalPipelineKey};
