//! Pipelines, layouts and bind groups that kernels share on a device, in the device's own registry.
//!
//! Their keys are apart from those of plans: all kernels that read two buffers and write one share a layout, products of all
//! sizes share their pipelines, and a decoding step whose tensors are where they were finds all its bind groups.

mod artifact;
mod bind_group;
mod bindable;
mod bindings;
mod connection;
mod layout;
mod pipeline;
mod registry;

pub use bind_group::{BindGroupKernel, BindGroupKey};
pub(crate) use bindable::Allocation;
pub use bindings::{LayoutKey, Layouts};
pub(crate) use connection::Artifacts;
pub use connection::Connection;
pub use layout::LayoutKernel;
pub use pipeline::{PipelineKernel, PipelineKey, WgpuPipeline};
pub(crate) use registry::registry;
