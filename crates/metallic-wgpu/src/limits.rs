//! Sizes that several files agree on.

/// The most buffers a kernel has. A GPU offers eight or more.
pub(crate) const MAX_BUFFERS: usize = 6;

/// The bytes of a dispatch's arguments: 32 numbers of four bytes.
pub(crate) const ARGUMENT_BYTES: u64 = 128;

/// The size of a vector of four `f32`, in bytes: tensors consist of whole ones.
pub(crate) const TENSOR_PADDING: u64 = 16;

/// The number of bind groups a device keeps by default: enough for a transformer of 100 layers in several buckets.
pub const DEFAULT_BIND_GROUPS: usize = 8192;
