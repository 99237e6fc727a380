//! Look-ups that do not wait, and the answers that hold for a batch of work.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;

use super::{LocalKernel, LocalRegistry};
use crate::caching::drops::{Foreign, drop_first};
use crate::caching::entries::hash_of;
use crate::caching::kernel::CacheableKernel;
use crate::caching::registry::answer::Answer;
use crate::caching::registry::answers::{Answers, answer};
use crate::device::Device;
use crate::error::Error;

impl<D: Send + Sync + 'static> LocalRegistry<D> {
    /// [`SharedRegistry::get_or_fallback`](super::super::SharedRegistry::get_or_fallback), whose hits on what this local has used
    /// before take no lock.
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn get_or_fallback<K>(
        &mut self,
        params: &K::Params,
        fallback: impl FnOnce() -> K::CachedResource,
    ) -> Result<Answer<K::CachedResource>, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        let fallback = Foreign::new(fallback);
        let (key, caller) = (Foreign::new(K::create_cache_key(params)), Location::caller());
        let LocalKernel { local, kernel } = Self::kernel::<K>(&self.shared, &mut self.caches)?;
        let (shared, hash) = (&self.shared, hash_of(&*key));
        let bridge = |_: &_| shared.bridge::<K>(kernel, hash, &key, caller);
        let answer = answer(local, hash, &*key, fallback.into_inner(), bridge);
        drop_first(key, answer)
    }

    /// Begins a batch of work: until it is dropped, each key has the answer that it had first. Resources that become ready, or are
    /// rebuilt, removed or lost with their device meanwhile, are seen by the next batch.
    pub fn batch(&mut self) -> Batch<'_, D> {
        Batch { registry: self, answers: BTreeMap::new() }
    }
}

/// Look-ups of one batch of work, such as a frame or a command buffer, whose answers do not change: see [`LocalRegistry::batch`].
///
/// ```
/// # use metallic::caching::{CacheableKernel, SharedRegistry};
/// # use metallic::{Device, error::MetalError};
/// # struct Shader;
/// # impl CacheableKernel for Shader {
/// #     type Key = u32;
/// #     type CachedResource = String;
/// #     type Params = u32;
/// #     const CACHE_NAME: &'static str = "shader";
/// #     fn create_cache_key(width: &u32) -> u32 { *width }
/// #     fn create_cached_resource(width: &u32, _: Option<&Device>) -> Result<String, MetalError> {
/// #         Ok(format!("compiled for {width}"))
/// #     }
/// # }
/// let registry: SharedRegistry = SharedRegistry::new();
/// let mut local = registry.local();
/// let mut batch = local.batch();
/// let first = batch.get_or_fallback::<Shader>(&128, || "for any width".to_owned())?.clone();
/// registry.prefetch::<Shader>(&128).wait()?;
/// assert_eq!(*batch.get_or_fallback::<Shader>(&128, || "for any width".to_owned())?, first);
///
/// let mut next = local.batch();
/// let answer = next.get_or_fallback::<Shader>(&128, || "for any width".to_owned())?;
/// assert_eq!(answer.get(), "compiled for 128");
/// # Ok::<(), MetalError>(())
/// ```
pub struct Batch<'a, D: 'static = Device> {
    registry: &'a mut LocalRegistry<D>,
    /// The answers of each kernel, by its type. In a map that drops them all, should one of them panic.
    answers: BTreeMap<TypeId, Box<dyn Any + Send>>,
}

/// The answers of kernel `K`.
type AnswersOf<K, D> = Answers<<K as CacheableKernel<D>>::Key, <K as CacheableKernel<D>>::CachedResource>;

impl<D: Send + Sync + 'static> Batch<'_, D> {
    /// The answer for these parameters in this batch: at the first call that of [`LocalRegistry::get_or_fallback`], and then the
    /// same.
    ///
    /// # Errors
    /// As [`LocalRegistry::get_or_fallback`]; then there is no answer yet.
    #[track_caller]
    pub fn get_or_fallback<K>(
        &mut self,
        params: &K::Params,
        fallback: impl FnOnce() -> K::CachedResource,
    ) -> Result<&Answer<K::CachedResource>, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        let fallback = Foreign::new(fallback);
        let (key, caller) = (&*Foreign::new(K::create_cache_key(params)), Location::caller());
        let LocalRegistry { shared, caches, .. } = &mut *self.registry;
        let LocalKernel { local, kernel } = LocalRegistry::kernel::<K>(shared, caches)?;
        let answers =
            self.answers.entry(TypeId::of::<K>()).or_insert_with(|| Box::<AnswersOf<K, D>>::default());
        let answers: &mut AnswersOf<K, D> =
            answers.downcast_mut().expect("the kernel's type leads to its answers");
        let hash = hash_of(key);
        let bridge = |_: &_| shared.bridge::<K>(kernel, hash, key, caller);
        answers.ask(local, hash, key, fallback.into_inner(), bridge)
    }

    /// The registry, for look-ups that wait. They return what is there now.
    pub fn registry(&mut self) -> &mut LocalRegistry<D> {
        self.registry
    }
}

impl<D: 'static> fmt::Debug for Batch<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("registry", &self.registry).finish_non_exhaustive()
    }
}
