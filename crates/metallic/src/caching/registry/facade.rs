//! The registry with a method for each kernel.

use std::marker::PhantomData;

use super::{CacheRegistry, LocalRegistry};
use crate::caching::kernel::CacheableKernel;
use crate::caching::slot::CacheRegistrySlot;
use crate::device::Device;
use crate::error::Error;

/// A registry of either kind, for code that is written once for both: a [`CacheRegistry`], which has its caches to itself, or a
/// [`LocalRegistry`], which shares them with the other threads.
///
/// ```
/// # use metallic::caching::CacheableKernel;
/// use metallic::caching::{CacheRegistry, Registry, SharedRegistry};
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
/// fn square(registry: &mut impl Registry<Device>, n: u64) -> Result<u64, MetalError> {
///     registry.get_or_create::<Square>(&n, None).copied()
/// }
///
/// assert_eq!(square(&mut CacheRegistry::new(), 12)?, 144);
/// assert_eq!(square(&mut SharedRegistry::new().local(), 12)?, 144);
/// # Ok::<(), MetalError>(())
/// ```
pub trait Registry<D: 'static> {
    /// Returns which of the two it is.
    fn either(&mut self) -> EitherRegistry<'_, D>;

    /// Returns the resource of kernel `K` for these parameters: from its cache, or else created and inserted.
    ///
    /// # Errors
    /// As [`CacheRegistry::get_or_create`] or [`LocalRegistry::get_or_create`].
    #[inline]
    #[track_caller]
    fn get_or_create<K>(
        &mut self,
        params: &K::Params,
        device: Option<&D>,
    ) -> Result<&K::CachedResource, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        match self.either() {
            EitherRegistry::Own(registry) => {
                registry.get_or_create::<K>(params, device).map(|resource| &*resource)
            }
            EitherRegistry::Local(registry) => registry.get_or_create::<K>(params, device),
        }
    }

    /// The slot of type `T`, if there is one.
    fn slot<T: CacheRegistrySlot + Send>(&self) -> Option<&T>;

    /// The slot of type `T`, made by `init` if there is none yet, and connected with the registry's sink and clock.
    #[inline]
    fn slot_mut<T: CacheRegistrySlot + Send>(&mut self, init: impl FnOnce() -> T) -> &mut T {
        match self.either() {
            EitherRegistry::Own(registry) => registry.slot_mut(init),
            EitherRegistry::Local(registry) => registry.slot_mut(init),
        }
    }
}

/// One of the two kinds of [`Registry`].
#[derive(Debug)]
pub enum EitherRegistry<'a, D: 'static> {
    /// One that has its caches to itself.
    Own(&'a mut CacheRegistry<D>),
    /// One thread's view of a shared one.
    Local(&'a mut LocalRegistry<D>),
}

impl<D: 'static> Registry<D> for CacheRegistry<D> {
    #[inline(always)]
    fn either(&mut self) -> EitherRegistry<'_, D> {
        EitherRegistry::Own(self)
    }

    fn slot<T: CacheRegistrySlot + Send>(&self) -> Option<&T> {
        self.slot()
    }
}

impl<D: 'static> Registry<D> for LocalRegistry<D> {
    #[inline(always)]
    fn either(&mut self) -> EitherRegistry<'_, D> {
        EitherRegistry::Local(self)
    }

    fn slot<T: CacheRegistrySlot + Send>(&self) -> Option<&T> {
        self.slot()
    }
}

/// A [`Registry`] with a method for each kernel of this library, such as `get_or_create_gemm`, so that callers name
/// parameters and not types. Each method is next to its kernel. Kernels of other crates add theirs by a trait:
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
pub struct ResourceCache<D: 'static = Device, G = CacheRegistry<D>> {
    pub(crate) registry: G,
    device: PhantomData<fn(D)>,
}

impl ResourceCache {
    /// Over a new registry without a device.
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

impl<D: 'static, G: Registry<D>> ResourceCache<D, G> {
    /// Over this registry.
    pub fn over(registry: G) -> Self {
        Self { registry, device: PhantomData }
    }

    /// The registry, for metrics and slots.
    pub fn registry(&self) -> &G {
        &self.registry
    }

    /// The registry, for policies, slots and kernels that have no method here.
    pub fn registry_mut(&mut self) -> &mut G {
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
        Self::over(registry)
    }
}

impl<D: 'static> From<LocalRegistry<D>> for ResourceCache<D, LocalRegistry<D>> {
    fn from(registry: LocalRegistry<D>) -> Self {
        Self::over(registry)
    }
}
