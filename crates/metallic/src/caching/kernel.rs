//! The contract between a cache and what it caches.

use std::fmt::Debug;
use std::hash::Hash;

use crate::device::Device;
use crate::error::MetalError;

/// An operation whose device objects are worth keeping: says what tells two of them apart, and how one is made.
///
/// `D` is the device they are made on. The cache does nothing with it but hand it over.
///
/// ```
/// use metallic::caching::{CacheRegistry, CacheableKernel};
/// use metallic::{Device, Dtype, error::MetalError};
///
/// #[derive(Clone, Debug, PartialEq, Eq, Hash)]
/// struct ScaleKey {
///     width: usize,
///     dtype: Dtype,
/// }
///
/// #[derive(Clone)]
/// struct ScalePipeline {
///     source: String,
/// }
///
/// struct ScaleKernel;
///
/// impl CacheableKernel for ScaleKernel {
///     type Key = ScaleKey;
///     type CachedResource = ScalePipeline;
///     type Params = (usize, Dtype);
///
///     const CACHE_NAME: &'static str = "scale";
///
///     fn create_cache_key(&(width, dtype): &Self::Params) -> ScaleKey {
///         // Widths up to the next multiple of 256 share one pipeline.
///         ScaleKey { width: width.next_multiple_of(256), dtype }
///     }
///
///     fn create_cached_resource(key: &ScaleKey, _device: Option<&Device>) -> Result<ScalePipeline, MetalError> {
///         Ok(ScalePipeline { source: format!("scale {} elements of {}", key.width, key.dtype) })
///     }
/// }
///
/// # fn main() -> Result<(), MetalError> {
/// let mut registry = CacheRegistry::new();
/// let pipeline = registry.get_or_create::<ScaleKernel>(&(300, Dtype::F32), None)?;
/// assert_eq!(pipeline.source, "scale 512 elements of f32");
/// # Ok(())
/// # }
/// ```
pub trait CacheableKernel<D = Device>: 'static {
    /// What tells one resource from another: everything its creation depends on and nothing else. Cloning, hashing and
    /// comparing should be cheap; a value that never repeats, such as a time, or one per request, makes every look-up a
    /// miss. The `Debug` form is what the event log shows.
    type Key: Clone + Debug + Eq + Hash + 'static;

    /// What is worth keeping. It is handed out as `&mut`; a handle to it can be cloned out.
    type CachedResource: Clone + 'static;

    /// What a caller has at hand when it wants the resource.
    type Params;

    /// The name of the cache in events and metrics. No two kernels of one registry may share it.
    const CACHE_NAME: &'static str;

    /// Called at every look-up, so it should neither allocate nor do any work to speak of.
    fn create_cache_key(params: &Self::Params) -> Self::Key;

    /// Called on a miss, after room was made. `device` is the caller's, or else the registry's own; `None` if neither has
    /// one. It must depend on the key alone, so that the resource suits whoever finds it later.
    ///
    /// # Errors
    /// [`MetalError::DeviceNotAvailable`] if it needs a device and there is none; otherwise whatever stopped it. The
    /// caller gets the error as it is, nothing is inserted, and the next look-up tries again.
    fn create_cached_resource(
        key: &Self::Key,
        device: Option<&D>,
    ) -> Result<Self::CachedResource, MetalError>;

    /// The device memory a resource holds, in bytes, for events and metrics. Called when the resource is made, when it
    /// leaves, and when an access is logged; it must give the same figure each time.
    fn resource_bytes(_resource: &Self::CachedResource) -> u64 {
        0
    }
}
