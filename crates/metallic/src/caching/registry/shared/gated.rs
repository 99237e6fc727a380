//! A shared registry whose creations are watched over.

use std::sync::{Arc, PoisonError};

use super::{SharedRegistry, lock};
use crate::caching::clock::TimeSource;
use crate::caching::drops::{Foreign, drop_first};
use crate::caching::entries::hash_of;
use crate::caching::gate::CreationGate;
use crate::caching::kernel::CacheableKernel;
use crate::caching::kernel_cache::Asker;
use crate::caching::shared::Node;
use crate::caching::slot::SlotContext;
use crate::error::Error;

/// A key, its label, and its resource, all of them the caller's.
type OwnEntry<Key, R> = (Foreign<Key>, Arc<str>, Foreign<R>);

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
    pub(crate) fn create_by_key<K>(&self, key: &K::Key) -> Result<K::CachedResource, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        let by = Asker { outer: None, caller: None };
        let node = self.create_as::<K>(key, hash_of(key), None, None, by, false)?;
        Ok(Node::cloned(node))
    }

    /// A registry of the same device, with nothing in it and no one to tell.
    pub(crate) fn detached(&self) -> Self {
        Self::build(self.device(), TimeSource::default(), None)
    }

    /// The entries of kernel `K`, with their labels.
    pub(crate) fn entries_of<K>(&self) -> Vec<OwnEntry<K::Key, K::CachedResource>>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        let entries = self.find::<K>().map(|kernel| kernel.core.labelled_entries()).unwrap_or_default();
        entries
            .into_iter()
            .map(|(key, label, node)| {
                let own = Foreign::new(K::Key::clone(&key));
                let resource = Foreign::new(Node::cloned(node.into_inner()));
                drop_first(key, (own, label, resource))
            })
            .collect()
    }

    /// The labels of the entries of kernel `K`, and how often each was found.
    #[cfg(feature = "manifest")]
    pub(crate) fn uses_of<K>(&self) -> Vec<(Arc<str>, u64)>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        self.find::<K>().map(|kernel| kernel.core.entry_labels()).unwrap_or_default()
    }

    /// The context that the registry reports through, and takes the time from.
    pub(crate) fn context(&self) -> SlotContext {
        self.slot_context(None)
    }
}
