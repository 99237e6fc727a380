//! The shared caches of kernels, found by type.

use std::any::{Any, TypeId};
use std::sync::{Arc, OnceLock, PoisonError};

use crate::caching::registry::shared_kernel::ErasedShared;
use crate::caching::registry::type_table::word_of;
use crate::caching::sync::RwLock;

/// Places for caches that are found without a lock. The others are found behind one.
const NEAR: usize = 64;

/// A cache and its type.
type Placed = (TypeId, Arc<dyn ErasedShared>);

/// At most one cache of each type. What was inserted stays.
pub(super) struct SharedTable {
    near: Box<[OnceLock<Placed>; NEAR]>,
    far: RwLock<Vec<Placed>>,
}

impl SharedTable {
    /// Inserts a cache of a type of which there is none yet.
    pub(super) fn insert<T: ErasedShared>(&self, cache: Arc<T>) {
        let id = TypeId::of::<T>();
        let mut entry: Placed = (id, cache);
        for place in places(id) {
            match self.near[place].set(entry) {
                Ok(()) => return,
                Err(back) => entry = back,
            }
        }
        self.far.write().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// The cache of type `T`.
    pub(super) fn find<T: ErasedShared>(&self) -> Option<Arc<T>> {
        let id = TypeId::of::<T>();
        let near = places(id).into_iter().filter_map(|place| self.near[place].get());
        let near = near.filter(|(other, _)| *other == id).map(|(_, cache)| cache.clone()).next();
        let far = || {
            let far = self.far.read().unwrap_or_else(PoisonError::into_inner);
            far.iter().find(|(other, _)| *other == id).map(|(_, cache)| cache.clone())
        };
        let cache: Arc<dyn Any + Send + Sync> = near.or_else(far)?;
        cache.downcast().ok()
    }

    /// The cache of type `T` if it is in its first place, found without a lock or a count.
    #[inline]
    pub(super) fn near<T: ErasedShared>(&self) -> Option<&T> {
        let [first, _] = places(TypeId::of::<T>());
        let (_, cache) = self.near[first].get()?;
        let cache: &dyn Any = &**cache;
        cache.downcast_ref()
    }

    pub(super) fn all_placed(&self) -> Vec<Arc<dyn ErasedShared>> {
        let near = self.near.iter().filter_map(OnceLock::get).map(|(_, cache)| cache.clone());
        let far = self.far.read().unwrap_or_else(PoisonError::into_inner);
        near.chain(far.iter().map(|(_, cache)| cache.clone())).collect()
    }
}

impl Default for SharedTable {
    fn default() -> Self {
        Self { near: Box::new([const { OnceLock::new() }; NEAR]), far: RwLock::default() }
    }
}

#[inline(always)]
fn places(id: TypeId) -> [usize; 2] {
    let word = word_of(id);
    [word % NEAR, word / NEAR % NEAR]
}
