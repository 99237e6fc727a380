//! State in a registry besides caches.

use std::any::Any;

use super::CacheRegistry;
use crate::caching::slot::{CacheRegistrySlot, SlotContext};

impl<D: 'static> CacheRegistry<D> {
    /// The slot of type `T`, made by `init` if there is none yet, and connected with the registry's sink and clock.
    pub fn slot_mut<T: CacheRegistrySlot>(&mut self, init: impl FnOnce() -> T) -> &mut T {
        self.slot_and_device(init).0
    }

    /// [`slot_mut`](Self::slot_mut), and the registry's device.
    pub(crate) fn slot_and_device<T: CacheRegistrySlot>(
        &mut self,
        init: impl FnOnce() -> T,
    ) -> (&mut T, Option<&D>) {
        if self.slots.near::<T>().is_none() {
            return self.slot_far(init);
        }
        let slot = self.slots.near_mut().expect("it was there just now");
        (slot, self.device.as_deref())
    }

    /// The slot of type `T`, if there is one.
    pub fn slot<T: CacheRegistrySlot>(&self) -> Option<&T> {
        self.slots.get()
    }

    /// Puts a slot into the registry, connects it with the registry's sink and clock, and returns the one it replaces.
    pub fn insert_slot<T: CacheRegistrySlot>(&mut self, slot: T) -> Option<T> {
        let replaced = self.remove_slot();
        self.slot_far(|| slot);
        replaced
    }

    /// Takes the slot of type `T` out of the registry. Its name is free for others then.
    pub fn remove_slot<T: CacheRegistrySlot>(&mut self) -> Option<T> {
        let slot: Box<dyn Any> = self.slots.remove::<T>()?;
        let mut slot = slot.downcast::<T>().ok()?;
        slot.connect(&SlotContext::default());
        Some(*slot)
    }

    /// Clears the slot of type `T`, and returns `true` if there is one.
    pub fn clear_slot<T: CacheRegistrySlot>(&mut self) -> bool {
        self.slots.get_mut::<T>().map(CacheRegistrySlot::clear_slot).is_some()
    }

    /// [`slot_and_device`](Self::slot_and_device) of a slot that is new, or in another than its first place.
    #[cold]
    #[inline(never)]
    pub(super) fn slot_far<T: CacheRegistrySlot>(
        &mut self,
        init: impl FnOnce() -> T,
    ) -> (&mut T, Option<&D>) {
        if self.slots.get::<T>().is_none() {
            let mut slot = init();
            let taken_by = slot.cache_name().and_then(|name| self.owner_of_name(name));
            slot.connect(&self.slot_context(taken_by));
            let policy = slot.cache_name().and_then(|name| self.policies_to_come.remove(name));
            if let Some(policy) = policy.filter(|_| taken_by.is_none()) {
                slot.set_cache_policy(policy);
            }
            self.slots.insert(Box::new(slot));
        }
        let slot = self.slots.get_mut().expect("it was inserted just now");
        (slot, self.device.as_deref())
    }
}
