//! The devices of this machine, and the choice of one for a run.
//!
//! ```text
//! --device --> Wanted --> Choice --> backends: host | wgpu --> Chosen --> a Task, performed on the device
//! ```

mod backends;
mod caches;
mod choice;
mod list;
mod task;
mod wanted;

pub use backends::wgpu::Adapter;
pub(crate) use backends::wgpu::CACHES;
pub use caches::{DeviceCache, DeviceCaches};
pub use choice::{Choice, Chosen};
pub use list::{Devices, Host};
pub use task::Task;
pub use wanted::{Wanted, WantedAdapter};
