//! The engine's own time: generations, which it ends once a step, a frame or a request.

use super::erased::ErasedCache;
use super::{CacheRegistry, LocalRegistry, SharedRegistry};
use crate::caching::drops::run_each;
use crate::caching::slot::CacheRegistrySlot;

impl<D: 'static> CacheRegistry<D> {
    /// Ends a generation and begins the next one: entries that were not used for as many generations as their policy says
    /// ([`EvictionPolicy::with_max_idle_generations`](crate::caching::EvictionPolicy::with_max_idle_generations)) expire. To be
    /// called once a step, a frame or a request, whichever the limits count. Costs nothing to speak of for caches without such a
    /// limit.
    ///
    /// ```
    /// use metallic::caching::{CacheRegistry, EvictionPolicy};
    ///
    /// let mut registry: CacheRegistry = CacheRegistry::new();
    /// let masks = registry.keyed_cache::<u32, Vec<f32>>("mask")?;
    /// masks.set_eviction_policy(EvictionPolicy::none().with_max_idle_generations(1));
    /// masks.get_or_make(&64, || vec![0.0; 64]);
    /// registry.next_generation();
    /// assert_eq!(registry.metrics_of("mask").map(|metrics| metrics.size), Some(1)); // unused for this one
    /// registry.next_generation();
    /// assert_eq!(registry.metrics_of("mask").map(|metrics| metrics.size), Some(0));
    /// # Ok::<(), metallic::error::Error>(())
    /// ```
    ///
    /// # Panics
    /// As [`clear`](Self::clear).
    pub fn next_generation(&mut self) {
        self.for_each(ErasedCache::next_generation, CacheRegistrySlot::next_generation);
    }
}

impl<D: 'static> SharedRegistry<D> {
    /// Ends a generation and begins the next one, for all threads: see [`CacheRegistry::next_generation`]. One thread of an engine
    /// calls this, or each would end one. O(n) for each cache whose policy limits idle generations.
    ///
    /// # Panics
    /// If the `Drop` of a resource does: when the generation has ended for all caches, with the first such panic.
    pub fn next_generation(&self) {
        run_each(self.all_caches(), |cache| cache.next_generation());
    }
}

impl<D: 'static> LocalRegistry<D> {
    /// [`SharedRegistry::next_generation`]: a generation ends for all threads, and for the slots of this local.
    ///
    /// # Panics
    /// As [`SharedRegistry::next_generation`], or if a slot does: when all slots were told.
    pub fn next_generation(&mut self) {
        run_each([false, true], |is_of_slots| {
            if is_of_slots {
                return run_each(self.slots_mut(), |slot| slot.next_generation());
            }
            self.shared().next_generation();
        });
    }
}
