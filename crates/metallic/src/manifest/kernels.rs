//! The kernels whose keys are recorded and warmed up.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxBuildHasher;

use super::coverage::{Seen, Uses};
use super::error::ManifestError;
use super::phase::Phases;
use super::read::Manifest;
use super::ready::Ready;
use super::record::Record;
use crate::caching::{CacheableKernel, key_label};
use crate::error::Error;
use crate::portable::PortableKernel;

/// A kernel that knows which keys a program is going to need, from how it is set up: then its first run needs no record.
///
/// ```
/// # use metallic::PortableKernel;
/// # use metallic::caching::{CacheableKernel, SharedRegistry};
/// # use metallic::manifest::{Manifest, WarmOptions};
/// # use metallic::{Device, error::MetalError};
/// # struct Row;
/// # impl CacheableKernel for Row {
/// #     type Key = u32;
/// #     type CachedResource = u32;
/// #     type Params = u32;
/// #     const CACHE_NAME: &'static str = "row";
/// #     fn create_cache_key(width: &u32) -> u32 { *width }
/// #     fn create_cached_resource(width: &u32, _: Option<&Device>) -> Result<u32, MetalError> { Ok(*width) }
/// # }
/// # impl PortableKernel for Row { const SCHEMA: u32 = 1; }
/// use metallic::manifest::WarmKeys;
///
/// struct ModelShape {
///     widths: Vec<u32>,
/// }
///
/// impl WarmKeys<ModelShape> for Row {
///     fn warm_keys(shape: &ModelShape) -> Vec<u32> {
///         shape.widths.clone()
///     }
/// }
///
/// let mut manifest = Manifest::new();
/// manifest.list::<Row, _>(&ModelShape { widths: vec![64, 128] })?;
/// let registry: SharedRegistry = SharedRegistry::new();
/// registry.register::<Row>();
/// assert_eq!(registry.warm(&manifest, &WarmOptions::default()).created, 2);
/// # Ok::<(), metallic::manifest::ManifestError>(())
/// ```
pub trait WarmKeys<Config, D = crate::Device>: PortableKernel<D> {
    /// Lists the keys that a program of this configuration needs.
    fn warm_keys(config: &Config) -> Vec<Self::Key>;
}

impl Manifest {
    /// Adds the keys that kernel `K` lists for a configuration, for the default device.
    ///
    /// # Errors
    /// [`ManifestError::KeyNotPortable`].
    pub fn list<K, Config>(&mut self, config: &Config) -> Result<(), ManifestError>
    where
        K: WarmKeys<Config>,
    {
        self.list_for::<K, Config, crate::Device>(config)
    }

    /// Adds the keys that kernel `K` lists for a configuration and a type of device.
    ///
    /// # Errors
    /// [`ManifestError::KeyNotPortable`].
    pub fn list_for<K, Config, D>(&mut self, config: &Config) -> Result<(), ManifestError>
    where
        K: WarmKeys<Config, D>,
    {
        for key in K::warm_keys(config) {
            let cache = K::CACHE_NAME;
            let json = key_json::<K, D>(&key)
                .ok_or_else(|| ManifestError::KeyNotPortable { cache: cache.to_owned() })?;
            let record = Record::new(cache, K::SCHEMA, json, &key_label::<K, D>(cache, &key));
            // It has no place among those that were recorded.
            self.insert(Record { order: u64::MAX, ..record });
        }
        Ok(())
    }
}

/// The registered kernels of the registries of one supervisor, and how far their warm-up has come.
#[derive(Default)]
pub(crate) struct Warming {
    kernels: Mutex<Kernels>,
    pub(super) ready: Ready,
    seen: Mutex<Seen>,
    pub(super) phases: Arc<Phases>,
}

#[derive(Default)]
struct Kernels {
    /// By the kernel's type: how its keys are written.
    written: HashMap<TypeId, Written, FxBuildHasher>,
    /// By the registry's type and the cache's name: a [`Warmable`] of that registry.
    warmable: HashMap<(TypeId, String), Arc<dyn Any + Send + Sync>, FxBuildHasher>,
}

/// How the keys of a kernel are written.
#[derive(Clone, Copy)]
pub(super) struct Written {
    pub(super) schema: u32,
    pub(super) json: fn(&dyn Any) -> Option<String>,
}

/// A kernel that can be warmed up in registries of type `R`.
pub(super) struct Warmable<R> {
    pub(super) schema: u32,
    pub(super) read: ReadKey<R>,
    /// Entries that the cache has room for besides those that are there; `None` for any number.
    pub(super) room: fn(&mut R) -> Option<usize>,
    /// The labels of the entries, and how often each was found.
    uses: ReadUses<R>,
}

/// Returns the labels of the entries of a cache, and how often each was found.
type ReadUses<R> = fn(&mut R) -> Vec<(Arc<str>, u64)>;

/// Reads a key from its JSON form.
type ReadKey<R> = fn(&str) -> Result<Box<dyn Job<R>>, serde_json::Error>;

/// A key that is to be created in a registry of type `R`.
pub(super) trait Job<R>: Send {
    fn label(&self, cache: &str) -> Arc<str>;
    fn is_present(&self, registry: &mut R) -> bool;
    /// Returns the bytes that the resource holds.
    fn create(&self, registry: &mut R) -> Result<u64, Error>;
}

/// A registry as warm-up sees it.
pub(super) trait Holds<K: CacheableKernel<D>, D>: Sized + 'static {
    fn has(&mut self, key: &K::Key) -> bool;
    fn make(&mut self, key: &K::Key) -> Result<u64, Error>;
    fn room(&mut self) -> Option<usize>;
    fn uses(&mut self) -> Vec<(Arc<str>, u64)>;
}

struct KeyOf<K: CacheableKernel<D>, D> {
    key: K::Key,
    device: PhantomData<fn(&D)>,
}

impl<R, K, D> Job<R> for KeyOf<K, D>
where
    R: Holds<K, D>,
    K: PortableKernel<D>,
    D: 'static,
{
    fn label(&self, cache: &str) -> Arc<str> {
        key_label::<K, D>(cache, &self.key)
    }

    fn is_present(&self, registry: &mut R) -> bool {
        registry.has(&self.key)
    }

    fn create(&self, registry: &mut R) -> Result<u64, Error> {
        registry.make(&self.key)
    }
}

impl Warming {
    /// Registers kernel `K` of registries of type `R`, whose cache has this name.
    pub(super) fn register<R, K, D>(&self, cache: &str)
    where
        R: Holds<K, D>,
        K: PortableKernel<D>,
        D: 'static,
    {
        let written = Written {
            schema: K::SCHEMA,
            json: |key| key.downcast_ref::<K::Key>().and_then(key_json::<K, D>),
        };
        let warmable = Warmable::<R> {
            schema: K::SCHEMA,
            read: |json| {
                let key = serde_json::from_str(json)?;
                Ok(Box::new(KeyOf::<K, D> { key, device: PhantomData }))
            },
            room: R::room,
            uses: R::uses,
        };
        let mut kernels = self.kernels();
        kernels.written.insert(TypeId::of::<K>(), written);
        kernels.warmable.insert((TypeId::of::<R>(), cache.to_owned()), Arc::new(warmable));
    }

    pub(super) fn written(&self, kernel: TypeId) -> Option<Written> {
        self.kernels().written.get(&kernel).copied()
    }

    pub(super) fn warmable<R: 'static>(&self, cache: &str) -> Option<Arc<Warmable<R>>> {
        let found = self.kernels().warmable.get(&(TypeId::of::<R>(), cache.to_owned())).cloned();
        found?.downcast().ok()
    }

    /// The entries of all registered kernels in a registry.
    pub(super) fn uses<R: 'static>(&self, registry: &mut R) -> Vec<Uses> {
        let caches: Vec<_> =
            self.kernels().warmable.iter().map(|((_, cache), any)| (cache.clone(), any.clone())).collect();
        // Under no lock: keys are formatted.
        let of_registry =
            caches.into_iter().filter_map(|(cache, any)| Some((cache, any.downcast::<Warmable<R>>().ok()?)));
        of_registry.map(|(cache, kernel)| (cache, (kernel.uses)(registry))).collect()
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kernels(&self) -> MutexGuard<'_, Kernels> {
        self.kernels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key's JSON form, if the key can be read back from it.
fn key_json<K: PortableKernel<D>, D>(key: &K::Key) -> Option<String> {
    let json = serde_json::to_string(key).ok()?;
    let back: K::Key = serde_json::from_str(&json).ok()?;
    (back == *key).then_some(json)
}
