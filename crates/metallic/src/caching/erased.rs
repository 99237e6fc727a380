//! Caches of different kernels behind one face, and the table that finds one by its type.

use std::any::TypeId;
use std::hash::{Hash, Hasher};
use std::ptr;

use metallic_instrumentation::SinkGuard;

use super::kernel::CacheableKernel;
use super::kernel_cache::KernelCache;
use super::metrics::CacheMetrics;

/// What a registry does with a cache without knowing its kernel.
pub trait ErasedCache {
    /// The kernel's `CACHE_NAME`.
    fn name(&self) -> &'static str;
    /// The kernel's type, for messages.
    fn kernel(&self) -> &'static str;
    /// Whether another kernel had the name before.
    fn is_refused(&self) -> bool;
    /// [`KernelCache::metrics`].
    fn metrics(&self) -> CacheMetrics;
    /// [`KernelCache::clear`].
    fn clear(&mut self);
    /// [`KernelCache::expire_idle`].
    fn expire_idle(&mut self);
    /// Where events go from now on.
    fn set_sink(&mut self, sink: Option<SinkGuard>);
}

impl<K: CacheableKernel<D>, D> ErasedCache for KernelCache<K, D> {
    fn name(&self) -> &'static str {
        K::CACHE_NAME
    }

    fn kernel(&self) -> &'static str {
        std::any::type_name::<K>()
    }

    fn is_refused(&self) -> bool {
        self.is_refused()
    }

    fn metrics(&self) -> CacheMetrics {
        self.metrics()
    }

    fn clear(&mut self) {
        self.clear();
    }

    fn expire_idle(&mut self) {
        self.expire_idle();
    }

    fn set_sink(&mut self, sink: Option<SinkGuard>) {
        self.set_sink(sink);
    }
}

/// At most one boxed value of each type, seen from outside as the trait object `O`.
///
/// Open addressing over a power of two of cells, at most half full: a type's hash is known when the program is compiled,
/// which leaves a look-up with one masking and one comparison.
pub(super) struct TypeTable<O: ?Sized> {
    cells: Vec<Option<Cell<O>>>,
    len: usize,
}

/// Invariant: `value` holds what `type_id` says. A cell is made by `TypeTable::insert` alone, which checks it.
struct Cell<O: ?Sized> {
    type_id: TypeId,
    value: Box<O>,
}

impl<O: ?Sized> TypeTable<O> {
    /// The value of type `T`.
    #[inline]
    #[allow(unsafe_code, reason = "the trusted downcast")]
    pub(super) fn get<T: 'static>(&self) -> Option<&T> {
        let cell = self.cells[self.find::<T>()?].as_ref().filter(|cell| cell.type_id == TypeId::of::<T>())?;
        let value: *const O = &raw const *cell.value;
        // SAFETY: as in `at_mut`, but shared.
        Some(unsafe { &*value.cast::<T>() })
    }

    /// The value of type `T`; if there is none, the one that `make` returns as a trait object of a box of it.
    #[inline(always)]
    pub(super) fn get_or_insert<T: 'static>(
        &mut self,
        make: impl FnOnce(&Self) -> T,
        erase: impl FnOnce(Box<T>) -> Box<O>,
    ) -> &mut T {
        if let Some(place) = self.find::<T>() {
            return self.at_mut(place);
        }
        let value = make(self);
        let place = self.insert(value, erase);
        self.at_mut(place)
    }
    /// The value of type `T`, if there is one.
    pub(super) fn get_mut<T: 'static>(&mut self) -> Option<&mut T> {
        self.find::<T>().map(|place| self.at_mut(place))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &O> {
        self.cells.iter().flatten().map(|cell| &*cell.value)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut O> {
        self.cells.iter_mut().flatten().map(|cell| &mut *cell.value)
    }

    /// The value at a place where it was just found. The comparison that makes this sound is the one that found it, which
    /// the compiler does not repeat.
    #[inline(always)]
    #[allow(unsafe_code, reason = "the trusted downcast")]
    fn at_mut<T: 'static>(&mut self, place: usize) -> &mut T {
        match &mut self.cells[place] {
            Some(Cell { type_id, value }) if *type_id == TypeId::of::<T>() => {
                let value: *mut O = &raw mut **value;
                // SAFETY: by the cells' invariant this is a `T`; it is borrowed for as long as `self` is. A checked
                // downcast would ask for the type by a virtual call, which costs more than the look-up.
                unsafe { &mut *value.cast::<T>() }
            }
            _ => unreachable!("a value is where it was found"),
        }
    }

    #[cold]
    fn insert<T: 'static>(&mut self, value: T, erase: impl FnOnce(Box<T>) -> Box<O>) -> usize {
        let value = Box::new(value);
        let address: *const T = &raw const *value;
        let value = erase(value);
        assert!(ptr::addr_eq(address, &raw const *value), "erasing a type leaves the value where it is");
        if (self.len + 1) * 2 > self.cells.len() {
            let mut cells = Vec::new();
            cells.resize_with((self.cells.len() * 2).max(8), || None);
            for cell in std::mem::replace(&mut self.cells, cells).into_iter().flatten() {
                self.place(cell);
            }
        }
        self.len += 1;
        self.place(Cell { type_id: TypeId::of::<T>(), value })
    }

    #[inline(always)]
    fn find<T: 'static>(&self) -> Option<usize> {
        let type_id = TypeId::of::<T>();
        let mut at = hash_of(&type_id);
        loop {
            at &= self.cells.len().wrapping_sub(1);
            match self.cells.get(at)? {
                Some(cell) if cell.type_id == type_id => return Some(at),
                Some(_) => at += 1,
                None => return None,
            }
        }
    }

    fn place(&mut self, cell: Cell<O>) -> usize {
        let mut at = hash_of(&cell.type_id);
        loop {
            at &= self.cells.len() - 1;
            if self.cells[at].is_none() {
                self.cells[at] = Some(cell);
                return at;
            }
            at += 1;
        }
    }
}

impl<O: ?Sized> Default for TypeTable<O> {
    fn default() -> Self {
        Self { cells: Vec::new(), len: 0 }
    }
}

/// A `TypeId` is a hash already: this takes out the word that it gives to a hasher.
#[inline]
fn hash_of(type_id: &TypeId) -> usize {
    let mut word = TypeIdWord(0);
    type_id.hash(&mut word);
    word.finish() as usize
}

struct TypeIdWord(u64);

impl Hasher for TypeIdWord {
    fn write(&mut self, bytes: &[u8]) {
        // Not called today; if a later standard library does, this is still a hash.
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    #[inline]
    fn write_u64(&mut self, id: u64) {
        self.0 = id;
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}
