//! The registry with a method for each kernel.

use super::CacheRegistry;
use crate::device::Device;

/// A [`CacheRegistry`] with a method for each kernel of this library, such as `get_or_create_gemm`, so that callers name
/// parameters and not types. Each method stands beside its kernel. Kernels of other crates add theirs by a trait:
///
/// ```
/// # use metallic::caching::CacheableKernel;
/// use metallic::caching::ResourceCache;
/// use metallic::{Device, error::MetalError};
/// # struct Square;
/// # impl CacheableKernel for Square {
/// #     type Key = u64;
/// #     type CachedResource = u64;
/// #     type Params = u64;
/// #     const CACHE_NAME: &'static str = "square";
/// #     fn create_cache_key(n: &u64) -> u64 { *n }
/// #     fn create_cached_resource(n: &u64, _: Option<&Device>) -> Result<u64, MetalError> { Ok(n * n) }
/// # }
///
/// trait SquareCache {
///     fn get_or_create_square(&mut self, n: u64, device: Option<&Device>) -> Result<&mut u64, MetalError>;
/// }
///
/// impl SquareCache for ResourceCache {
///     fn get_or_create_square(&mut self, n: u64, device: Option<&Device>) -> Result<&mut u64, MetalError> {
///         self.registry_mut().get_or_create::<Square>(&n, device)
///     }
/// }
///
/// # fn main() -> Result<(), MetalError> {
/// let mut cache = ResourceCache::new();
/// assert_eq!(*cache.get_or_create_square(12, None)?, 144);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ResourceCache<D: 'static = Device> {
    pub(crate) registry: CacheRegistry<D>,
}

impl ResourceCache {
    /// Over a new registry without a device of its own.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<D: 'static> ResourceCache<D> {
    /// Over a new registry that makes resources on `device` when a caller names none.
    pub fn with_device(device: D) -> Self {
        CacheRegistry::with_device(device).into()
    }
}

impl<D: 'static> ResourceCache<D> {
    /// The registry, for metrics and slots.
    pub fn registry(&self) -> &CacheRegistry<D> {
        &self.registry
    }

    /// The registry, for policies, slots and kernels that have no method here.
    pub fn registry_mut(&mut self) -> &mut CacheRegistry<D> {
        &mut self.registry
    }
}

impl<D: 'static> Default for ResourceCache<D> {
    fn default() -> Self {
        CacheRegistry::default().into()
    }
}

impl<D: 'static> From<CacheRegistry<D>> for ResourceCache<D> {
    fn from(registry: CacheRegistry<D>) -> Self {
        Self { registry }
    }
}
