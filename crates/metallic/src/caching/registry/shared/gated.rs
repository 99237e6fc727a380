//! A shared registry whose creations are watched over.

use std::sync::{Arc, PoisonError};

use super::{SharedRegistry, lock};
use crate::caching::gate::CreationGate;
use crate::caching::slot::SlotContext;
#[cfg(feature = "manifest")]
use crate::{
    caching::{entries::hash_of, kernel::CacheableKernel, kernel_cache::Asker},
    error::Error,
};

impl<D: 'static> SharedRegistry<D> {
    /// Has each creation ask `gate` first, in caches that exist and in those to come.
    pub(crate) fn set_gate(&self, gate: Option<Arc<dyn CreationGate>>) {
        let sink = lock(&self.0.sink);
        self.all_caches().iter().for_each(|cache| cache.set_gate(gate.clone()));
        let before =
            std::mem::replace(&mut *self.0.gate.write().unwrap_or_else(PoisonError::into_inner), gate);
        drop(sink);
        drop(before);
    }

    /// The gate; `new` becomes it if there is none.
    pub(crate) fn gate_or(&self, new: Arc<dyn CreationGate>) -> Arc<dyn CreationGate> {
        let sink = lock(&self.0.sink);
        let mut gate = self.0.gate.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = gate.is_none();
        let gate = gate.get_or_insert(new).clone();
        if is_new {
            self.all_caches().iter().for_each(|cache| cache.set_gate(Some(gate.clone())));
        }
        drop(sink);
        gate
    }

    pub(crate) fn gate(&self) -> Option<Arc<dyn CreationGate>> {
        self.0.gate.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// [`get_or_create`](Self::get_or_create) by a key that no caller of the program asks for.
    #[cfg(feature = "manifest")]
    pub(crate) fn create_by_key<K>(&self, key: &K::Key) -> Result<K::CachedResource, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        let by = Asker { outer: None, caller: None };
        self.create_as::<K>(key, hash_of(key), None, None, by)
    }

    /// The context that the registry reports through, and takes the time from.
    pub(crate) fn context(&self) -> SlotContext {
        self.slot_context(None)
    }
}
