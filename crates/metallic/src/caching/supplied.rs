//! Look-ups whose caller supplies the creation, and knows whether what is there will still do.

use metallic_instrumentation::RemovalCause;

use super::entries::Entries;
use super::kernel::CacheableKernel;
use super::kernel_cache::KernelCache;
use super::slot::SlotContext;
use crate::error::MetalError;

impl<K: CacheableKernel<D>, D> KernelCache<K, D> {
    /// [`get_or_create`](Self::get_or_create) with `make` in place of the kernel's creation. An entry that is there is
    /// judged by `is_current`: one that is not current leaves, whether or not `make` succeeds.
    ///
    /// # Errors
    /// As [`get_or_create`](Self::get_or_create). If `is_current` returns one, the entry stays, and nothing is counted.
    #[inline]
    pub(crate) fn get_or_create_with(
        &mut self,
        key: K::Key,
        is_current: impl FnOnce(&K::CachedResource) -> Result<bool, MetalError>,
        make: impl FnOnce() -> Result<K::CachedResource, MetalError>,
    ) -> Result<&mut K::CachedResource, MetalError> {
        let hash = Entries::<K::Key, K::CachedResource>::hash(&key);
        let now = self.time.stamp();
        if let Some(id) = self.lookup(&key, hash, now) {
            if is_current(&self.entries.get(id).resource)? {
                self.hit(id, now);
                self.report_hit(id, now);
                return Ok(self.entries.resource_mut(id));
            }
            self.detach(id, RemovalCause::Stale, now);
            self.count_removals(1, now);
            // Dropped last, when the structures are whole again: a resource's `Drop` may panic.
            self.entries.vacate(id);
        }
        self.create_with(key, hash, now, |_, _| make())
    }

    /// Takes out the entries that `leaves` accepts, and says how many there were. O(n).
    pub(crate) fn remove_where(&mut self, leaves: impl Fn(&K::Key) -> bool) -> usize {
        let now = self.time.stamp();
        self.expire(now);
        let mut removed = Vec::new();
        for id in self.order.by_creation() {
            if leaves(&self.entries.get(id).key) {
                self.detach(id, RemovalCause::Removed, now);
                removed.push(self.entries.take(id));
            }
        }
        if !removed.is_empty() {
            self.count_removals(removed.len() as u64, now);
        }
        removed.len()
    }

    /// The name it is listed by; `None` if another kernel or slot has it.
    pub(crate) fn listed_name(&self) -> Option<&'static str> {
        (!self.is_refused()).then_some(K::CACHE_NAME)
    }

    /// Connects the cache of a slot with its registry. It takes the registry's time unless it has been used: stamps of
    /// two clocks do not compare.
    pub(crate) fn connect(&mut self, context: &SlotContext) {
        if self.counters.misses == 0 {
            self.set_time(context.time().clone());
        }
        if let Some(owner) = context.name_taken_by() {
            self.refuse(owner);
        }
        self.set_sink(context.sink().cloned());
    }
}
