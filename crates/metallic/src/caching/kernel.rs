//! The contract between a cache and what it caches.

use std::any::{Any, TypeId};
use std::cell::Cell;
use std::fmt::{self, Debug};
use std::hash::Hash;
use std::marker::PhantomData;
use std::mem;
use std::sync::{Arc, PoisonError};

use super::cache::Course;
use super::composition::Composition;
use super::policy::EvictionPolicy;
use super::sync::RwLock;
use crate::device::Device;
use crate::error::Error;

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
    /// The identity of a resource: everything its creation depends on and nothing else. Cloning, hashing and
    /// comparing should be cheap; a value that never repeats, such as a time, or one per request, makes every look-up a
    /// miss. Comparing must not use the cache, which for a shared one is locked meanwhile. The `Debug` form is what the event log
    /// shows, unless [`fmt_key`](Self::fmt_key) says otherwise.
    type Key: Clone + Debug + Eq + Hash + 'static;

    /// The object to keep. It is handed out as `&mut`; a handle to it can be cloned out.
    type CachedResource: Clone + 'static;

    /// The input of a look-up.
    type Params;

    /// The name of the cache in events and metrics. No two kernels of one registry may share it; a kernel that is generic over
    /// a type is named with
    /// [`CacheRegistry::set_cache_name`](super::CacheRegistry::set_cache_name), once for each.
    const CACHE_NAME: &'static str;

    /// Returns the key of the resource that these parameters ask for.
    ///
    /// Called once per look-up, hits included, so it should neither allocate nor do any work to speak of. Where that cannot
    /// be, keep the key and look up by it:
    /// [`KernelCache::get_or_create_by_key`](super::KernelCache::get_or_create_by_key).
    fn create_cache_key(params: &Self::Params) -> Self::Key;

    /// Makes a resource. Called on a miss, after room was made, by the default [`create`](Self::create).
    ///
    /// `device` is the caller's, or else the registry's; `None` if neither has one. The resource must depend on the key alone,
    /// so that it suits every later caller that finds it.
    ///
    /// # Errors
    /// [`Error::DeviceNotAvailable`] if it needs a device and there is none; otherwise whatever stopped it. The caller gets it
    /// as the source of an [`Error::Creation`]. Nothing is inserted, and the next look-up tries again.
    fn create_cached_resource(key: &Self::Key, device: Option<&D>) -> Result<Self::CachedResource, Error>;

    /// Makes a resource, with more at hand than a device: resources of other kernels, for one.
    ///
    /// # Errors
    /// As [`create_cached_resource`](Self::create_cached_resource).
    fn create(key: &Self::Key, cx: &mut Creation<'_, Self, D>) -> Result<Self::CachedResource, Error>
    where
        Self: Sized,
    {
        Self::create_cached_resource(key, cx.device())
    }

    /// Returns the device memory that a resource holds, in bytes, for events and metrics. Called once, when the resource is
    /// made: the figure is remembered.
    fn resource_bytes(_resource: &Self::CachedResource) -> u64 {
        0
    }

    /// Returns what a resource is made of, if the kernel can say. It is asked for by verification alone
    /// ([`SharedRegistry::verify`](super::SharedRegistry::verify)), which finds keys that are incomplete, or more specific than
    /// what they lead to.
    fn composition(_resource: &Self::CachedResource) -> Option<Composition> {
        None
    }

    /// Writes the key as events and metrics show it, after the name of the cache. Two different keys must differ in it. By
    /// default it is the key's `Debug` form; a shorter one keeps logs small.
    ///
    /// # Errors
    /// Those of the formatter.
    fn fmt_key(key: &Self::Key, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        key.fmt(f)
    }

    /// Returns the policy that the kernel's cache has until it is given another.
    fn default_policy() -> EvictionPolicy {
        EvictionPolicy::none()
    }

    /// Returns what tells devices apart, if the kernel knows.
    ///
    /// A device is not part of a key. A kernel that tells devices apart is therefore refused a second one in the same cache
    /// ([`Error::AnotherDevice`]), rather than handed what was made on the first. Clones of a handle of one device must have
    /// one identity.
    fn device_identity(_device: &D) -> Option<u64> {
        None
    }
}

/// The context of a creation: see [`CacheableKernel::create`].
pub struct Creation<'a, K: ?Sized, D = Device> {
    device: Option<&'a D>,
    pub(super) frame: &'a Frame<'a>,
    /// The registry that the resource is created for; `None` in a cache that stands alone.
    pub(super) registry: Option<&'a mut dyn Any>,
    /// State that is kept until the creation is over.
    #[cfg_attr(not(feature = "store"), expect(dead_code, reason = "for what is built on creations"))]
    pub(crate) kept: Option<Box<dyn Any>>,
    kernel: PhantomData<fn() -> &'a K>,
}

/// A part of a registry that the core does not know, for those of its creations that do.
pub(crate) type Attachment = Arc<dyn Any + Send + Sync>;

/// The attachment of a registry at any time, which its caches without a kernel share.
#[derive(Clone, Default)]
pub(super) struct CurrentAttachment(Arc<RwLock<Option<Attachment>>>);

impl CurrentAttachment {
    pub(super) fn get(&self) -> Option<Attachment> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, attachment: Option<Attachment>) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let last = mem::replace(&mut *current, attachment);
        // Dropped where no lock is held.
        drop(current);
        drop(last);
    }
}

impl<'a, K: ?Sized, D> Creation<'a, K, D> {
    pub(super) fn new(
        device: Option<&'a D>,
        frame: &'a Frame<'a>,
        registry: Option<&'a mut dyn Any>,
    ) -> Self {
        Self { device, frame, registry, kept: None, kernel: PhantomData }
    }

    /// The device to create on: the caller's, or else the registry's.
    pub fn device(&self) -> Option<&'a D> {
        self.device
    }
}

#[cfg_attr(not(feature = "store"), expect(dead_code, reason = "for what is built on creations"))]
impl<'a, K: CacheableKernel<D>, D> Creation<'a, K, D> {
    /// The key of the resource.
    pub(crate) fn key(&self) -> &'a K::Key {
        self.frame.key.downcast_ref().expect("a frame has the key of its creation")
    }

    /// Says whether the resource is made of what was loaded, and not of what was compiled.
    pub(crate) fn set_loaded(&self, loaded: bool) {
        self.frame.loaded.set(loaded);
    }
}

impl<K: ?Sized, D> fmt::Debug for Creation<'_, K, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Creation")
            .field("kernel", &std::any::type_name::<K>())
            .field("has_device", &self.device.is_some())
            .field("has_registry", &self.registry.is_some())
            .finish()
    }
}

/// A creation under way, and those that it happens inside of.
pub(super) struct Frame<'a> {
    kernel: TypeId,
    key: &'a dyn Any,
    outer: Option<&'a Frame<'a>>,
    /// Ticks spent in creations directly inside of this one. All caches of a registry read one clock.
    nested: Cell<u64>,
    /// `true` if the resource is made of what was loaded, and not of what was compiled.
    loaded: Cell<bool>,
}

impl<'a> Frame<'a> {
    pub(super) fn new<K: 'static, Key: 'static>(key: &'a Key, outer: Option<&'a Frame<'a>>) -> Self {
        Self { kernel: TypeId::of::<K>(), key, outer, nested: Cell::new(0), loaded: Cell::new(false) }
    }

    /// Returns `true` if a resource of `K` with this key is being created here or further out.
    pub(super) fn is_creating<K: 'static, Key: Eq + 'static>(&self, key: &Key) -> bool {
        let this = self.kernel == TypeId::of::<K>() && self.key.downcast_ref::<Key>() == Some(key);
        this || self.outer.is_some_and(|outer| outer.is_creating::<K, Key>(key))
    }

    pub(super) fn add_nested(&self, ticks: u64) {
        self.nested.set(self.nested.get().saturating_add(ticks));
    }

    /// Returns what the cache is to know of the creation, now that it is over.
    pub(super) fn course(&self) -> Course {
        Course { nested: self.nested.get(), loaded: self.loaded.get() }
    }
}
