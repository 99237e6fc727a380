//! The default device of systems whose devices are all in other crates.

use crate::error::MetalError;

/// The device of kernels and registries that name no other: a Metal device on Apple's systems, with the feature `apple`; elsewhere
/// this marker, which has neither memory nor a driver.
///
/// Code that names no device is checked and run everywhere with it: registries hold it, kernels are handed it. It is not a
/// [`ComputeDevice`](super::ComputeDevice); those are in their own crates, such as `metallic-host` and `metallic-wgpu`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Device;

/// The device to use when nothing else is asked for.
///
/// # Errors
/// None where [`Device`] is a marker. On Apple's systems, with the feature `apple`, [`MetalError::DeviceNotAvailable`] if there is
/// no GPU that Metal can use.
pub fn system_default_device() -> Result<Device, MetalError> {
    Ok(Device)
}
