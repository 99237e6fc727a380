//! Work for a device whose type is known only once it is open.

use metallic_transformer::engine::TransformerDevice;

use super::caches::DeviceCaches;

/// A function of a device of any backend, as a value.
pub trait Task {
    /// The result.
    type Output;

    /// Does the work.
    fn perform<D: TransformerDevice + DeviceCaches + Send + Sync>(self, device: D) -> Self::Output;
}
