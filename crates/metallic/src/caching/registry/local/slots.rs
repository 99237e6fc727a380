//! State of one thread besides caches, such as the keys and values of its sequence.

use std::any::Any;

use super::{LocalRegistry, SharedRegistry};
use crate::caching::slot::{CacheRegistrySlot, SlotContext};
use crate::error::Error;

/// Slots are a local's own: those of two locals are two. What all threads share is in the caches.
impl<D: 'static> LocalRegistry<D> {
    /// The slot of type `T` of this local, made by `init` if there is none yet, and connected with the sink that the registry has
    /// then, and with its clock.
    pub fn slot_mut<T: CacheRegistrySlot + Send>(&mut self, init: impl FnOnce() -> T) -> &mut T {
        if self.slots.get::<T>().is_none() {
            let mut slot = init();
            slot.connect(&self.shared.slot_context(slot.cache_name()));
            self.slots.insert(Box::new(slot));
        }
        self.slots.get_mut().expect("it was inserted just now")
    }

    /// The slot of type `T` of this local, found in the shared registry at the first call. It is connected already.
    pub(crate) fn view_mut<T: CacheRegistrySlot + Send>(
        &mut self,
        find: impl FnOnce(&SharedRegistry<D>) -> Result<T, Error>,
    ) -> Result<&mut T, Error> {
        if self.slots.get::<T>().is_none() {
            self.slots.insert(Box::new(find(&self.shared)?));
        }
        Ok(self.slots.get_mut().expect("it was inserted just now"))
    }

    /// The slot of type `T` of this local, if there is one.
    pub fn slot<T: CacheRegistrySlot + Send>(&self) -> Option<&T> {
        self.slots.get()
    }

    /// Takes the slot of type `T` out of this local.
    pub fn remove_slot<T: CacheRegistrySlot + Send>(&mut self) -> Option<T> {
        let slot: Box<dyn Any> = self.slots.remove::<T>()?;
        let mut slot = slot.downcast::<T>().ok()?;
        slot.connect(&SlotContext::default());
        Some(*slot)
    }

    /// Clears the slot of type `T` of this local, and returns `true` if there is one.
    pub fn clear_slot<T: CacheRegistrySlot + Send>(&mut self) -> bool {
        self.slots.get_mut::<T>().map(CacheRegistrySlot::clear_slot).is_some()
    }

    pub(in crate::caching::registry) fn slots_mut(
        &mut self,
    ) -> impl Iterator<Item = &mut (dyn CacheRegistrySlot + Send + 'static)> {
        self.slots.iter_mut()
    }
}
