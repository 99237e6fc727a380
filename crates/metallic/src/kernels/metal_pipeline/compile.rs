//! From a source to its pipeline.

use std::ptr::NonNull;

use objc2::rc::Retained;
use objc2::runtime::ProtocolObject;
use objc2_foundation::NSString;
use objc2_metal::{
    MTLComputePipelineState, MTLDataType, MTLDevice, MTLFunction, MTLFunctionConstantValues, MTLLibrary,
    MTLSize,
};

use super::key::{FunctionConstant, MetalPipelineKey};
use crate::device::Device;
use crate::error::MetalError;

/// A compiled pipeline, ready to encode on any thread.
#[derive(Clone, Debug)]
pub struct MetalPipeline {
    /// The pipeline.
    pub pipeline: Retained<ProtocolObject<dyn MTLComputePipelineState>>,
    /// The largest threadgroup, in one dimension, that is a whole number of SIMD groups ([how to size one]). A grid that is
    /// no multiple of it needs `dispatchThreads`, or a check in the function.
    ///
    /// [how to size one]: https://developer.apple.com/documentation/metal/calculating-threadgroup-and-grid-sizes
    pub thread_group_size: MTLSize,
}

/// Compiles the function with its constants to a pipeline, and keeps nothing.
pub(super) fn compile(key: &MetalPipelineKey, device: &Device) -> Result<MetalPipeline, MetalError> {
    let function = specialize(key, device)?;
    let pipeline = device
        .newComputePipelineStateWithFunction_error(&function)
        .map_err(|error| MetalError::ns_error(COMPILATION, &error))?;
    Ok(MetalPipeline::of(pipeline))
}

/// The operation in errors.
pub(super) const COMPILATION: &str = "compute pipeline compilation";

impl MetalPipeline {
    pub(super) fn of(pipeline: Retained<ProtocolObject<dyn MTLComputePipelineState>>) -> Self {
        let (simd, most) = (pipeline.threadExecutionWidth().max(1), pipeline.maxTotalThreadsPerThreadgroup());
        let thread_group_size = MTLSize { width: (most - most % simd).max(1), height: 1, depth: 1 };
        Self { pipeline, thread_group_size }
    }
}

/// The function with its constants, of the source's own library: the part that Metal's archives do not keep.
pub(super) fn specialize(
    key: &MetalPipelineKey,
    device: &Device,
) -> Result<Retained<ProtocolObject<dyn MTLFunction>>, MetalError> {
    let library = device
        .newLibraryWithSource_options_error(&NSString::from_str(key.function().source()), None)
        .map_err(|error| MetalError::ns_error("metal library compilation", &error))?;
    library
        .newFunctionWithName_constantValues_error(
            &NSString::from_str(key.function().name()),
            &constant_values(key.constants()),
        )
        .map_err(|error| MetalError::ns_error("metal function specialization", &error))
}

fn constant_values(constants: &[(u16, FunctionConstant)]) -> Retained<MTLFunctionConstantValues> {
    let values = MTLFunctionConstantValues::new();
    for (index, constant) in constants {
        let float;
        let (value, data_type) = match constant {
            FunctionConstant::Bool(value) => (NonNull::from(value).cast(), MTLDataType::Bool),
            FunctionConstant::I32(value) => (NonNull::from(value).cast(), MTLDataType::Int),
            FunctionConstant::U32(value) => (NonNull::from(value).cast(), MTLDataType::UInt),
            FunctionConstant::F32(value) => {
                float = value.get();
                (NonNull::from(&float).cast(), MTLDataType::Float)
            }
        };
        // SAFETY: the value is of that type, and is copied before the call returns. Any index of 16 bits is one of Metal's.
        unsafe { values.setConstantValue_type_atIndex(value, data_type, usize::from(*index)) };
    }
    values
}
