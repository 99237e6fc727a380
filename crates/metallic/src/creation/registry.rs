//! Registries with a store.

use std::sync::Arc;

use metallic_store::{ArtifactStore, StoreGuard};

use crate::caching::{CacheRegistry, CacheableKernel, Creation, KeyedCreation, SharedRegistry};

/// The attachment of a registry: the store of its creations.
struct Attached(StoreGuard);

impl<D: 'static> SharedRegistry<D> {
    /// Has the creations of [`PersistentKernel`](crate::creation::PersistentKernel)s load artifacts from `store` and save them
    /// there, from the next one on; `None` has them compile. Several registries may have one store.
    ///
    /// No fault of the store, not even a panic, fails a creation: it then compiles as if there were none.
    pub fn set_store(&self, store: Option<Arc<dyn ArtifactStore>>) {
        self.attach(store.map(|store| Arc::new(Attached(StoreGuard::new(store))) as _));
    }

    /// The store that creations use.
    pub fn store(&self) -> Option<Arc<dyn ArtifactStore>> {
        let attached = self.attachment()?.downcast::<Attached>().ok()?;
        Some(attached.0.store().clone())
    }
}

impl<D: 'static> CacheRegistry<D> {
    /// As [`SharedRegistry::set_store`].
    pub fn set_store(&mut self, store: Option<Arc<dyn ArtifactStore>>) {
        self.attach(store.map(|store| Arc::new(Attached(StoreGuard::new(store))) as _));
    }

    /// [`set_store`](Self::set_store), for a registry that is being built.
    #[must_use]
    pub fn with_store(mut self, store: Arc<dyn ArtifactStore>) -> Self {
        self.set_store(Some(store));
        self
    }

    /// The store that creations use.
    pub fn store(&self) -> Option<Arc<dyn ArtifactStore>> {
        let attached = self.attachment()?.downcast::<Attached>().ok()?;
        Some(attached.0.store().clone())
    }
}

impl<K: CacheableKernel<D>, D: 'static> Creation<'_, K, D> {
    /// The store of the registry, guarded.
    pub(super) fn guarded_store(&self) -> Option<StoreGuard> {
        let attached = self.attachment()?.downcast::<Attached>().ok()?;
        Some(attached.0.clone())
    }
}

/// The store of the registry that the cache of the creation is of, guarded.
pub(super) fn store_of(creation: &KeyedCreation<'_>) -> Option<StoreGuard> {
    let attached = creation.attachment()?.downcast::<Attached>().ok()?;
    Some(attached.0.clone())
}
