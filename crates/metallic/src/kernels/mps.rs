//! Requirements of the kernels over Metal Performance Shaders on a device and of element types.

use objc2::runtime::ProtocolObject;
use objc2_metal::MTLDevice;
use objc2_metal_performance_shaders::{MPSDataType, MPSSupportsMTLDevice};

use crate::device::Device;
use crate::error::MetalError;
use crate::tensor::Dtype;

/// The device, if there is one and the shaders run on it. Their initializers return nil on others, which the bindings
/// turn into a panic.
pub(super) fn supported(device: Option<&Device>) -> Result<&ProtocolObject<dyn MTLDevice>, MetalError> {
    let device = device.ok_or(MetalError::DeviceNotAvailable)?;
    // SAFETY: a plain query of a live device.
    if unsafe { MPSSupportsMTLDevice(Some(device)) } {
        Ok(device)
    } else {
        Err(MetalError::device("preparing metal performance shaders", "this device does not support them"))
    }
}

/// `dtype` in the words of Metal Performance Shaders.
pub(super) fn data_type(dtype: Dtype) -> MPSDataType {
    match dtype {
        Dtype::F32 => MPSDataType::Float32,
        Dtype::F16 => MPSDataType::Float16,
        Dtype::BF16 => MPSDataType::BFloat16,
        Dtype::U32 => MPSDataType::UInt32,
        Dtype::I8 => MPSDataType::Int8,
        Dtype::U8 => MPSDataType::UInt8,
    }
}

/// The [`Dtype`] of a matrix, if it is one of this library's.
pub(super) fn dtype(data_type: MPSDataType) -> Option<Dtype> {
    [Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::U32, Dtype::I8, Dtype::U8]
        .into_iter()
        .find(|&dtype| self::data_type(dtype) == data_type)
}
