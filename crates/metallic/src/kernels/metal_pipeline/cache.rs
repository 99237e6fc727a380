//! Compute pipelines as cached objects.

use std::ptr::NonNull;

use objc2::rc::{Retained, autoreleasepool};
use objc2::runtime::ProtocolObject;
use objc2_foundation::NSString;
use objc2_metal::{
    MTLComputePipelineState, MTLDataType, MTLDevice, MTLFunctionConstantValues, MTLLibrary, MTLSize,
};

use super::key::{FunctionConstant, MetalPipelineKey};
use crate::caching::{CacheableKernel, ResourceCache};
use crate::device::Device;
use crate::error::MetalError;

/// Caches compute pipelines, compiled from source with their function constants, as [`MetalPipeline`]s.
#[derive(Debug)]
pub struct MetalPipelineKernel;

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

impl CacheableKernel for MetalPipelineKernel {
    type Key = MetalPipelineKey;
    type CachedResource = MetalPipeline;
    type Params = MetalPipelineKey;

    const CACHE_NAME: &'static str = "metal_pipeline";

    fn create_cache_key(params: &Self::Params) -> Self::Key {
        params.clone()
    }

    fn create_cached_resource(
        key: &Self::Key,
        device: Option<&Device>,
    ) -> Result<Self::CachedResource, MetalError> {
        let device = device.ok_or(MetalError::DeviceNotAvailable)?;
        autoreleasepool(|_| compile(key, device))
    }

    fn device_identity(device: &Device) -> Option<u64> {
        Some(device.registryID())
    }
}

fn compile(key: &MetalPipelineKey, device: &Device) -> Result<MetalPipeline, MetalError> {
    let library = device
        .newLibraryWithSource_options_error(&NSString::from_str(key.function().source()), None)
        .map_err(|error| MetalError::ns_error("metal library compilation", &error))?;
    let function = library
        .newFunctionWithName_constantValues_error(
            &NSString::from_str(key.function().name()),
            &constant_values(key.constants()),
        )
        .map_err(|error| MetalError::ns_error("metal function specialization", &error))?;
    let pipeline = device
        .newComputePipelineStateWithFunction_error(&function)
        .map_err(|error| MetalError::ns_error("compute pipeline compilation", &error))?;

    let (simd, most) = (pipeline.threadExecutionWidth().max(1), pipeline.maxTotalThreadsPerThreadgroup());
    let thread_group_size = MTLSize { width: (most - most % simd).max(1), height: 1, depth: 1 };
    Ok(MetalPipeline { pipeline, thread_group_size })
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

impl ResourceCache<Device> {
    /// The pipeline of this function with these constants.
    ///
    /// # Errors
    /// [`MetalError::DeviceNotAvailable`] if neither `device` nor the registry has a device. [`MetalError::Device`] with an
    /// [`NsError`](crate::device::NsError) if the source does not compile, has no such function, leaves a constant without a
    /// value, or gives one of another type.
    #[track_caller]
    pub fn get_or_create_metal_pipeline(
        &mut self,
        params: &MetalPipelineKey,
        device: Option<&Device>,
    ) -> Result<&mut MetalPipeline, MetalError> {
        self.registry.get_or_create::<MetalPipelineKernel>(params, device)
    }
}
