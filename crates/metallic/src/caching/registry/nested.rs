//! Creations that need resources of other kernels.

use std::panic::Location;

use super::CacheRegistry;
use super::shared::SharedRegistry;
use crate::caching::kernel::{CacheableKernel, Creation};
use crate::caching::kernel_cache::Asker;
use crate::error::Error;

impl<K: ?Sized, D: 'static> Creation<'_, K, D> {
    /// Returns a handle to another kernel's resource, from the registry that this creation is for. Made on the registry's
    /// device, since it outlives this call.
    ///
    /// # Errors
    /// As [`CacheRegistry::get_or_create`]; [`Error::RecursiveCreation`] if that resource is being created, here or further
    /// out; [`Error::NoRegistry`] if the cache stands alone.
    #[track_caller]
    pub fn get_or_create<O>(&mut self, params: &O::Params) -> Result<O::CachedResource, Error>
    where
        O: CacheableKernel<D>,
        O::Key: Send + Sync,
        O::CachedResource: Send + Sync,
    {
        let caller = Location::caller();
        let registry = self.registry.as_deref_mut().ok_or(Error::NoRegistry)?;
        if let Some(registry) = registry.downcast_mut::<CacheRegistry<D>>() {
            return registry.get_or_create_nested::<O>(params, self.frame, Some(caller));
        }
        match registry.downcast_mut::<SharedRegistry<D>>() {
            Some(registry) => {
                let by = Asker { outer: Some(self.frame), caller: Some(caller) };
                registry.get_or_create_as::<O>(params, None, None, by)
            }
            None => Err(Error::NoRegistry),
        }
    }
}
