//! Kernels whose artifacts are kept, and the calls by which their creations find and keep them.

use std::time::Duration;

use metallic_store::{Artifact, ArtifactKey, Content, Fingerprint, Obtain};

use super::reports::Reports;
use super::station::{Station, reject};
use crate::caching::Creation;
use crate::device::Device;
use crate::portable::PortableKernel;

/// A kernel whose resources are made of artifacts that can be kept: its key has a portable form, the same in every process.
///
/// Its [`create`](crate::caching::CacheableKernel::create) calls [`Creation::artifact`], or [`Creation::stored`] and
/// [`Creation::store`] where the artifact is read from the finished resource. An artifact is stored under the name of the cache,
/// the schema, the key and the fingerprint, and is given back only if all of these are the same and not a byte of it has changed.
///
/// ```
/// use std::sync::Arc;
///
/// use metallic::caching::{CacheableKernel, Creation, SharedRegistry};
/// use metallic::creation::{Artifact, Fingerprint, MemoryStore, PersistentKernel};
/// use metallic::PortableKernel;
/// use metallic::error::Error;
///
/// struct Gpu {
///     driver: &'static str,
/// }
///
/// struct Scale;
///
/// impl CacheableKernel<Gpu> for Scale {
///     type Key = u32;
///     type CachedResource = Vec<u8>;
///     type Params = u32;
///
///     const CACHE_NAME: &'static str = "scale";
///
///     fn create_cache_key(width: &u32) -> u32 {
///         *width
///     }
///
///     fn create_cached_resource(width: &u32, _: Option<&Gpu>) -> Result<Vec<u8>, Error> {
///         Ok(format!("code for {width}").into_bytes()) // what takes long
///     }
///
///     fn create(width: &u32, cx: &mut Creation<'_, Self, Gpu>) -> Result<Vec<u8>, Error> {
///         let device = cx.device();
///         let artifact = cx.artifact(|| Self::create_cached_resource(width, device))?;
///         Ok(artifact.payload(Artifact::NATIVE).unwrap_or_default().to_vec()) // the driver loads it
///     }
/// }
///
/// impl PortableKernel<Gpu> for Scale {
///     const SCHEMA: u32 = 1;
/// }
///
/// impl PersistentKernel<Gpu> for Scale {
///     fn fingerprint(gpu: &Gpu) -> Fingerprint {
///         Fingerprint::new().with_layer("driver", gpu.driver)
///     }
/// }
///
/// // `DiskStore` keeps them across processes.
/// let store = Arc::new(MemoryStore::new());
/// for (run, loads) in [("first", 0), ("second", 1)] {
///     let registry = SharedRegistry::with_device(Gpu { driver: "550.54.15" });
///     registry.set_store(Some(store.clone()));
///     assert_eq!(registry.get_or_create::<Scale>(&64, None)?, b"code for 64");
///     let metrics = registry.metrics::<Scale>().unwrap();
///     assert_eq!((metrics.misses, metrics.loads), (1, loads), "{run}");
/// }
/// # Ok::<(), Error>(())
/// ```
/// Equal keys must serialize equally, and different ones differently: a map of the standard library in a key does not.
pub trait PersistentKernel<D = Device>: PortableKernel<D> {
    /// How long a creation waits for one of the same key by another process before it compiles for itself.
    const WAIT: Duration = Obtain::DEFAULT_WAIT;

    /// Returns the rest of what an artifact depends on, in named layers: the build of the program ([`Fingerprint::BUILD`]), the
    /// compiler and its options, the driver, the operating system, the device. Called at each creation.
    fn fingerprint(device: &D) -> Fingerprint;

    /// Returns what is compiled, and with what: sources, options, headers. Asked for when the key and its fingerprint have no
    /// artifact. If another key, or another build of the program, had the same content compiled, its artifact is used.
    ///
    /// With it, the layer [`Fingerprint::BUILD`] costs nothing: a rebuilt program whose sources are unchanged compiles nothing.
    fn content(_key: &Self::Key, _device: &D) -> Option<Content> {
        None
    }
}

/// Artifacts. Without a store, or without a device, nothing is found and nothing is kept. No fault of the store is an error here.
impl<K: PersistentKernel<D>, D: 'static> Creation<'_, K, D> {
    /// Returns `true` if artifacts can be found and kept: the registry has a store, and there is a device.
    pub fn has_store(&self) -> bool {
        self.device().is_some() && self.guarded_store().is_some()
    }

    /// Returns the artifact of the key: verified bytes from the store, or what `compile` makes, which is then stored. One thread
    /// of one process compiles it, and the others wait for that.
    ///
    /// # Errors
    /// Those of `compile`.
    pub fn artifact<A, E>(&mut self, compile: impl FnOnce() -> Result<A, E>) -> Result<Artifact, E>
    where
        A: Into<Artifact>,
    {
        match self.stored() {
            Some(artifact) => Ok(artifact),
            None => compile().map(|made| self.store(made)),
        }
    }

    /// Returns the artifact of the key, if the store has it. If not, other processes that ask for the same artifact wait from now
    /// on until it is [stored](Self::store), or this creation is over.
    ///
    /// The creation counts as a load from now on, unless the artifact is [rejected](Self::reject).
    pub fn stored(&mut self) -> Option<Artifact> {
        if self.station().is_answered() {
            return None;
        }
        self.station().answer();
        let (store, device) = (self.guarded_store()?, self.device()?);
        let reports = Reports::of(self);
        let key = self.artifact_key(device);
        let creation_key = self.key();
        let content = || K::content(creation_key, device);
        let found = self.station().look_up(&store, key.as_ref(), content, K::WAIT, &reports)?;
        self.set_loaded(true);
        Some(found)
    }

    /// Keeps the artifact of the key, and returns it. It need not have been asked for.
    pub fn store(&mut self, artifact: impl Into<Artifact>) -> Artifact {
        let artifact = artifact.into();
        self.set_loaded(false);
        let Some((store, device)) = self.guarded_store().zip(self.device()) else {
            self.station().vacate();
            return artifact;
        };
        let reports = Reports::of(self);
        let creation_key = self.key();
        // Encoded only if it was not before.
        let key = if self.station().has_claim() { None } else { self.artifact_key(device) };
        let vacant = || key.map(|key| (key, K::content(creation_key, device)));
        self.station().fill(&store, vacant, artifact, &reports)
    }

    /// Removes the artifact of the key from the store, because the driver refuses it, and has this creation compile: the store is
    /// not asked again. `cause` is the driver's word.
    pub fn reject(&mut self, cause: &str) {
        self.set_loaded(false);
        self.station().answer();
        let Some((store, device)) = self.guarded_store().zip(self.device()) else { return };
        let Some(key) = self.artifact_key(device) else { return };
        reject(&store, &key, cause, &Reports::of(self));
    }

    /// The key in its portable form. `None` if it has none: its `Serialize` fails.
    fn artifact_key(&self, device: &D) -> Option<ArtifactKey> {
        let (cache, _) = self.label();
        ArtifactKey::of(cache.as_str(), K::SCHEMA, self.key(), K::fingerprint(device)).ok()
    }

    fn station(&mut self) -> &mut Station {
        let kept = self.kept.get_or_insert_with(|| Box::<Station>::default());
        kept.downcast_mut().expect("nothing else is kept by creations of a persistent kernel")
    }
}
