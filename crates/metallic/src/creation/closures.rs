//! Artifacts of what closures create, in caches without a kernel.

use std::cell::Cell;
use std::fmt;
use std::hash::Hash;
use std::panic::Location;
use std::time::Duration;

use metallic_store::{Artifact, ArtifactKey, Content, Obtain, StoreGuard};

use super::registry::store_of;
use super::reports::Reports;
use super::station::{Station, reject};
use crate::caching::{KeyedCreation, LocalSharedCache, Query, SharedCache, drop_first};
use crate::error::Error;

impl<Key: Clone + Eq + Hash, R> SharedCache<Key, R> {
    /// [`get_or_create_with`](Self::get_or_create_with) by a closure that has the registry's store at hand, as a
    /// [`PersistentKernel`](super::PersistentKernel) has. What it loads is counted and reported as a load.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use metallic::caching::SharedRegistry;
    /// use metallic::creation::{Artifact, ArtifactKey, Fingerprint, MemoryStore};
    ///
    /// let store = Arc::new(MemoryStore::new()); // `DiskStore` keeps artifacts across processes
    /// for (run, loads) in [("first", 0), ("second", 1)] {
    ///     let registry: SharedRegistry = SharedRegistry::new();
    ///     registry.set_store(Some(store.clone()));
    ///     let pipelines = registry.cache::<u32, Vec<u8>>("pipeline")?;
    ///     let pipeline = pipelines.get_or_create_stored(&64, |cx| {
    ///         // All that the artifact depends on: the key, its schema, compiler, driver and device.
    ///         let fingerprint = Fingerprint::new().with_layer("driver", "550.54.15");
    ///         let key = ArtifactKey::of("pipeline", 1, &64, fingerprint)?;
    ///         let compile = || Ok::<_, Box<dyn std::error::Error>>(b"code for 64".to_vec());
    ///         let artifact = cx.under(key).artifact(compile)?;
    ///         Ok::<_, Box<dyn std::error::Error>>(artifact.payload(Artifact::NATIVE).unwrap_or_default().to_vec())
    ///     })?;
    ///     assert_eq!(pipeline, b"code for 64");
    ///     assert_eq!(pipelines.metrics().loads, loads, "{run}");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`get_or_create_with`](Self::get_or_create_with). No fault of the store is one.
    ///
    /// # Panics
    /// As [`get_or_create_with`](Self::get_or_create_with).
    #[track_caller]
    pub fn get_or_create_stored<Q, E>(
        &self,
        query: &Q,
        make: impl FnOnce(&StoredCreation<'_>) -> Result<R, E>,
    ) -> Result<R, E>
    where
        Q: Query<Key> + ?Sized,
        E: From<Error> + fmt::Display,
        R: Clone,
    {
        self.get_or_create_noting(query, Location::caller(), |creation| StoredCreation::run(creation, make))
    }
}

impl<Key: Clone + Eq + Hash, R> LocalSharedCache<Key, R> {
    /// As [`SharedCache::get_or_create_stored`]. A hit on what this view has used before takes no lock.
    ///
    /// # Errors
    /// As [`SharedCache::get_or_create_stored`].
    #[inline]
    #[track_caller]
    pub fn get_or_create_stored<Q, E>(
        &mut self,
        query: &Q,
        make: impl FnOnce(&StoredCreation<'_>) -> Result<R, E>,
    ) -> Result<&R, E>
    where
        Q: Query<Key> + ?Sized,
        E: From<Error> + fmt::Display,
    {
        self.get_or_create_noting(query, Location::caller(), |creation| StoredCreation::run(creation, make))
    }
}

/// The creation of a resource by a closure, which may be made of any number of artifacts.
pub struct StoredCreation<'a> {
    creation: &'a KeyedCreation<'a>,
    store: Option<StoreGuard>,
    has_compiled: Cell<bool>,
}

impl<'a> StoredCreation<'a> {
    fn run<T>(creation: &'a KeyedCreation<'a>, make: impl FnOnce(&StoredCreation<'_>) -> T) -> T {
        let this = Self { creation, store: store_of(creation), has_compiled: Cell::new(false) };
        let made = make(&this);
        drop_first(this, made)
    }

    /// Returns `true` if artifacts can be found and kept: the registry has a store.
    pub fn has_store(&self) -> bool {
        self.store.is_some()
    }

    /// Returns the way to the artifact that is kept under this key. What it depends on and the key does not say is a wrong
    /// artifact later.
    pub fn under(&self, key: ArtifactKey) -> KeptAs<'_> {
        KeptAs { scope: self, key, content: None, wait: Obtain::DEFAULT_WAIT, station: Station::default() }
    }

    /// The resource is a load if all that it is made of was loaded.
    fn note(&self, loaded: bool) {
        self.has_compiled.set(self.has_compiled.get() || !loaded);
        self.creation.set_loaded(!self.has_compiled.get());
    }
}

impl fmt::Debug for StoredCreation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredCreation").field("has_store", &self.has_store()).finish_non_exhaustive()
    }
}

/// An artifact that is kept under a key. While it exists and was not found, other threads and processes that ask for it wait.
///
/// Its calls are those of a [`Creation`](crate::caching::Creation) of a persistent kernel. Without a store nothing is found and
/// nothing is kept.
#[must_use]
pub struct KeptAs<'a> {
    scope: &'a StoredCreation<'a>,
    key: ArtifactKey,
    content: Option<Box<dyn Fn() -> Content + 'a>>,
    wait: Duration,
    station: Station,
}

impl<'a> KeptAs<'a> {
    /// Says what is compiled, and with what, as [`PersistentKernel::content`](super::PersistentKernel::content) does. Asked for
    /// when the key has no artifact.
    pub fn with_content(mut self, content: impl Fn() -> Content + 'a) -> Self {
        self.content = Some(Box::new(content));
        self
    }

    /// Sets how long to wait for a creation of the same artifact by another process: 30 s unless set.
    pub fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Returns verified bytes from the store, or what `compile` makes, which is then stored. One thread of one process compiles
    /// it, and the others wait for that.
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

    /// Returns verified bytes, if the store has them. If not, other threads and processes that ask for the artifact wait from now on
    /// until it is [stored](Self::store), or this is dropped. The store is asked once.
    pub fn stored(&mut self) -> Option<Artifact> {
        if self.station.is_answered() {
            return None;
        }
        self.station.answer();
        let found = self.scope.store.as_ref().and_then(|store| {
            let content = || self.content.as_ref().map(|content| content());
            let reports = Reports::of_keyed(self.scope.creation);
            self.station.look_up(store, Some(&self.key), content, self.wait, &reports)
        });
        self.scope.note(found.is_some());
        found
    }

    /// Keeps the artifact, and returns it. It need not have been asked for.
    pub fn store(&mut self, artifact: impl Into<Artifact>) -> Artifact {
        self.scope.note(false);
        let Some(store) = &self.scope.store else { return artifact.into() };
        let vacant = || Some((self.key.clone(), self.content.as_ref().map(|content| content())));
        self.station.fill(store, vacant, artifact.into(), &Reports::of_keyed(self.scope.creation))
    }

    /// Removes the artifact from the store, because the driver refuses it: the store is not asked again. `cause` is the driver's
    /// word.
    pub fn reject(&mut self, cause: &str) {
        self.scope.note(false);
        self.station.answer();
        if let Some(store) = &self.scope.store {
            reject(store, &self.key, cause, &Reports::of_keyed(self.scope.creation));
        }
    }
}

impl fmt::Debug for KeptAs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptAs").field("key", &self.key).finish_non_exhaustive()
    }
}
