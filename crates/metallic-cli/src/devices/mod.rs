//! What there is to run on: the choice of a device, and `metallic devices`.

#[cfg(feature = "wgpu")]
pub(crate) mod adapters;
mod choice;
mod list;
pub(crate) mod processor;
mod wanted;

pub use choice::{Choice, Chosen};
pub use list::{Adapter, Devices, Host};
pub use wanted::Wanted;
