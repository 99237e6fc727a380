//! The shared caches of kernels, found by type.

use std::any::{Any, TypeId};
use std::sync::{Arc, OnceLock, PoisonError};

use crate::caching::registry::shared_kernel::ErasedShared;
use crate::caching::registry::type_table::{Typed, word_of};
use crate::caching::sync::RwLock;

/// Places for caches that are found without a lock. The others are found behind one.
const NEAR: usize = 64;

/// A cache of a forgotten kernel.
type Placed = Typed<dyn ErasedShared>;

/// At most one cache of each type. What was inserted stays.
pub(super) struct SharedTable {
    near: [OnceLock<Placed>; NEAR],
    far: RwLock<Vec<Placed>>,
}

impl SharedTable {
    /// Inserts a cache of a type of which there is none yet.
    pub(super) fn insert<T: ErasedShared>(&self, cache: Arc<T>) {
        let mut entry = Placed::new(cache);
        for place in places(TypeId::of::<T>()) {
            match self.near[place].set(entry) {
                Ok(()) => return,
                Err(back) => entry = back,
            }
        }
        self.far.write().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// The cache of type `T`.
    pub(super) fn find<T: ErasedShared>(&self) -> Option<Arc<T>> {
        let is_it = |placed: &&Placed| placed.get::<T>().is_some();
        let mut near = places(TypeId::of::<T>()).into_iter().filter_map(|place| self.near[place].get());
        let near = near.find(is_it).map(|placed| placed.value().clone());
        let far = || {
            let far = self.far.read().unwrap_or_else(PoisonError::into_inner);
            far.iter().find(is_it).map(|placed| placed.value().clone())
        };
        let cache: Arc<dyn Any + Send + Sync> = near.or_else(far)?;
        cache.downcast().ok()
    }

    /// The cache of type `T` if it is in its first place, found without a lock or a count.
    #[inline(always)]
    pub(super) fn near<T: ErasedShared>(&self) -> Option<&T> {
        let [first, _] = places(TypeId::of::<T>());
        self.near[first].get()?.get()
    }

    pub(super) fn all_placed(&self) -> Vec<Arc<dyn ErasedShared>> {
        let near = self.near.iter().filter_map(OnceLock::get).map(|placed| placed.value().clone());
        let far = self.far.read().unwrap_or_else(PoisonError::into_inner);
        near.chain(far.iter().map(|placed| placed.value().clone())).collect()
    }
}

impl Default for SharedTable {
    fn default() -> Self {
        Self { near: [const { OnceLock::new() }; NEAR], far: RwLock::default() }
    }
}

#[inline(always)]
fn places(id: TypeId) -> [usize; 2] {
    let word = word_of(id);
    [word % NEAR, word / NEAR % NEAR]
}
