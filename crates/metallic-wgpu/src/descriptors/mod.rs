//! What kernels share on a device: pipelines, layouts and bind groups, in caches of their own.
//!
//! They are keyed apart from the plans of operations: all kernels that read two buffers and write one share one layout,
//! products of all sizes share their pipelines, and a decoding step whose tensors are where they were last time finds all
//! its bind groups.

mod bind_group;
mod bindable;
mod connection;
mod layout;
mod pipeline;

pub use bind_group::{BindGroupKernel, BindGroupKey};
pub(crate) use bindable::Allocation;
pub use connection::Connection;
pub(crate) use layout::ARGUMENT_BYTES;
pub use layout::{LayoutKernel, LayoutKey, Layouts};
pub use pipeline::{PipelineKernel, PipelineKey, WgpuPipeline};
