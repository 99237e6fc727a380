//! Registries whose creations are watched over.

use std::sync::Arc;

use super::CacheRegistry;
use crate::caching::gate::CreationGate;
use crate::caching::kernel::CacheableKernel;
use crate::caching::slot::SlotContext;
#[cfg(feature = "manifest")]
use crate::caching::{keyed_cache::Formatted, reporting::label};
use crate::error::Error;

/// The label of a key of kernel `K`, whose cache has this name.
#[cfg(feature = "manifest")]
pub(crate) fn key_label<K: CacheableKernel<D>, D>(cache: &str, key: &K::Key) -> Arc<str> {
    label(cache, &Formatted(key, K::fmt_key))
}

impl<D: 'static> CacheRegistry<D> {
    /// [`get_or_create`](Self::get_or_create) by a key that no caller of the program asks for.
    pub(crate) fn create_by_key<K: CacheableKernel<D>>(
        &mut self,
        key: K::Key,
    ) -> Result<&mut K::CachedResource, Error> {
        self.get_or_create_slow::<K>(key, None, None, None)
    }

    /// Has each creation in caches and slots ask `gate` first, in those that exist and in those to come.
    pub(crate) fn set_gate(&mut self, gate: Option<Arc<dyn CreationGate>>) {
        self.all_caches_mut().for_each(|cache| cache.set_gate(gate.clone()));
        self.gate = gate;
        self.connect_slots();
    }

    pub(crate) fn gate(&self) -> Option<&Arc<dyn CreationGate>> {
        self.gate.as_ref()
    }

    /// A registry of the same device, with nothing in it and no one to tell.
    pub(crate) fn detached(&self) -> Self {
        Self { device: self.device.clone(), ..Self::default() }
    }

    /// The context that the registry reports through, and takes the time from.
    pub(crate) fn context(&self) -> SlotContext {
        self.slot_context(None)
    }

    /// Gives all slots what they report through.
    pub(super) fn connect_slots(&mut self) {
        let context = self.slot_context(None);
        self.slots.iter_mut().for_each(|slot| slot.connect(&context));
    }

    pub(super) fn slot_context(&self, name_taken_by: Option<&'static str>) -> SlotContext {
        let context = SlotContext::new(self.sink.clone(), self.time.clone(), name_taken_by);
        context.with_gate(self.gate.clone())
    }
}
