//! The host as the default device, on systems without one of their own.

use super::host::HostDevice;
use crate::error::MetalError;

/// The device of kernels and registries that name no other: on Apple's systems a Metal device, elsewhere the host.
pub type Device = HostDevice;

/// The device to use when nothing else is asked for.
///
/// # Errors
/// None on this system. On Apple's systems [`MetalError::DeviceNotAvailable`] where there is no GPU that Metal can use.
pub fn system_default_device() -> Result<Device, MetalError> {
    Ok(HostDevice::new())
}
