//! The devices that resources are made on.

#[cfg(target_vendor = "apple")]
mod apple;
mod compute_device;
#[cfg(not(target_vendor = "apple"))]
mod default_host;
pub(crate) mod host;

#[cfg(target_vendor = "apple")]
pub use apple::{Device, NsError, system_default_device};
pub use compute_device::ComputeDevice;
#[cfg(not(target_vendor = "apple"))]
pub use default_host::{Device, system_default_device};
pub use host::HostDevice;
#[cfg(feature = "host")]
pub use host::HostTensor;
