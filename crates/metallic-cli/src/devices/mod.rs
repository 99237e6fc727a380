//! What there is to run on: the choice of a device, and `metallic devices`.

#[cfg(feature = "wgpu")]
mod adapters;
mod choice;
mod command;
mod list;
mod processor;
mod wanted;

pub use choice::{Choice, Chosen};
pub use command::{collect, run};
pub use list::{Adapter, Devices, Host};
pub use wanted::Wanted;
