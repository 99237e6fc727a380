//! Compute pipelines from source in the Metal Shading Language.

#[cfg(all(target_vendor = "apple", feature = "apple", feature = "store"))]
mod archive;
#[cfg(all(target_vendor = "apple", feature = "apple"))]
mod cache;
mod key;
#[cfg(all(feature = "store", any(all(target_vendor = "apple", feature = "apple"), test)))]
mod private_file;

#[cfg(all(target_vendor = "apple", feature = "apple"))]
pub use cache::{MetalPipeline, MetalPipelineKernel};
pub use key::{FunctionConstant, MetalFunction, MetalPipelineKey};
