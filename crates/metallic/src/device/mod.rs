//! The devices that resources are made on.

mod host;

pub use host::HostDevice;

/// The device of kernels and registries that name no other.
pub type Device = HostDevice;
