//! Compute pipelines from source in the Metal Shading Language.

#[cfg(target_vendor = "apple")]
mod cache;
mod key;

#[cfg(target_vendor = "apple")]
pub use cache::{MetalPipeline, MetalPipelineKernel};
pub use key::{FunctionConstant, MetalFunction, MetalPipelineKey};
