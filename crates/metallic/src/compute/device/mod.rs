//! The devices that resources are made on.

#[cfg(all(target_vendor = "apple", feature = "apple"))]
mod apple;
mod compute_device;
#[cfg(not(all(target_vendor = "apple", feature = "apple")))]
mod marker;

#[cfg(all(target_vendor = "apple", feature = "apple"))]
pub use apple::{Device, NsError, system_default_device};
pub use compute_device::{ComputeDevice, new_identity};
#[cfg(not(all(target_vendor = "apple", feature = "apple")))]
pub use marker::{Device, system_default_device};
