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

/// A boxed value of a forgotten type, seen from outside as the trait object `O`.
struct Cell<O: ?Sized> {
    /// Invariant: the type of what `value` points to. `new` is the only way to make a cell, and checks it.
    type_id: TypeId,
    value: Box<O>,
}

impl<O: ?Sized> Cell<O> {
    /// `erase` makes a trait object of the box, and nothing else.
    fn new<T: 'static>(value: T, erase: impl FnOnce(Box<T>) -> Box<O>) -> Self {
        let value = Box::new(value);
        let address: *const T = &raw const *value;
        let value = erase(value);
        assert!(ptr::addr_eq(address, &raw const *value), "erasing a type leaves the value where it is");
        Self { type_id: TypeId::of::<T>(), value }
    }

    #[inline(always)]
    fn is<T: 'static>(&self) -> bool {
        self.type_id == TypeId::of::<T>()
    }

    #[expect(unsafe_code, reason = "the downcast")]
    fn get<T: 'static>(&self) -> Option<&T> {
        let value: *const O = &raw const *self.value;
        // SAFETY: `type_id` is that of the value, so that this is a `T`, borrowed for as long as the cell is.
        self.is::<T>().then(|| unsafe { &*value.cast::<T>() })
    }

    /// A downcast like that of `dyn Any`, but the type stands in the cell: `Any` would ask the value for it, by a virtual
    /// call that costs more than a look-up in a cache.
    #[inline(always)]
    #[expect(unsafe_code, reason = "the downcast")]
    fn get_mut<T: 'static>(&mut self) -> Option<&mut T> {
        let value: *mut O = &raw mut *self.value;
        // SAFETY: as in `get`; the borrow is mutable.
        self.is::<T>().then(|| unsafe { &mut *value.cast::<T>() })
    }
}

/// At most one value of each type.
///
/// The place of a type among the near cells follows from its `TypeId`, and so is known when the program is compiled: for
/// a type that has its cell to itself, a look-up is one comparison at a fixed place. `NEAR` is best a power of two, some
/// times larger than the number of types.
pub(super) struct TypeTable<O: ?Sized, const NEAR: usize> {
    near: Box<[Option<Cell<O>>; NEAR]>,
    /// The cells of types whose place was taken, in the order of their `TypeId`s.
    far: Vec<Cell<O>>,
}

impl<O: ?Sized, const NEAR: usize> TypeTable<O, NEAR> {
    /// The value of type `T`.
    pub(super) fn get<T: 'static>(&self) -> Option<&T> {
        match &self.near[hash_of::<T>() % NEAR] {
            Some(cell) if cell.is::<T>() => cell.get(),
            _ => self.far[self.find_far::<T>().ok()?].get(),
        }
    }

    /// The value of type `T`.
    pub(super) fn get_mut<T: 'static>(&mut self) -> Option<&mut T> {
        let far = self.find_far::<T>();
        match &mut self.near[hash_of::<T>() % NEAR] {
            Some(cell) if cell.is::<T>() => cell.get_mut(),
            _ => self.far[far.ok()?].get_mut(),
        }
    }

    /// Whether there is a value of type `T` that has its place among the near cells.
    #[inline(always)]
    pub(super) fn is_near<T: 'static>(&self) -> bool {
        self.near[hash_of::<T>() % NEAR].as_ref().is_some_and(Cell::is::<T>)
    }

    /// The value of type `T`, if it has its place among the near cells.
    #[inline(always)]
    pub(super) fn near_mut<T: 'static>(&mut self) -> Option<&mut T> {
        self.near[hash_of::<T>() % NEAR].as_mut().and_then(Cell::get_mut)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &O> {
        self.near.iter().flatten().chain(&self.far).map(|cell| &*cell.value)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut O> {
        self.near.iter_mut().flatten().chain(&mut self.far).map(|cell| &mut *cell.value)
    }

    /// The value of type `T`; if there is none, one that `make` makes and `erase` makes a trait object of. For a caller that
    /// found none near: what it hands over costs the caller's common case some twenty instructions, unless it is put
    /// together out of line.
    #[cold]
    pub(super) fn get_or_insert<T: 'static>(
        &mut self,
        make: impl FnOnce(&Self) -> T,
        erase: impl FnOnce(Box<T>) -> Box<O>,
    ) -> &mut T {
        assert!(!self.is_near::<T>(), "whoever asks here has looked there");
        let cell = match self.find_far::<T>() {
            Ok(place) => &mut self.far[place],
            Err(place) => {
                let cell = Cell::new(make(self), erase);
                let near = hash_of::<T>() % NEAR;
                if self.near[near].is_none() {
                    self.near[near].insert(cell)
                } else {
                    self.far.insert(place, cell);
                    &mut self.far[place]
                }
            }
        };
        cell.get_mut().expect("the cell of this type")
    }

    fn find_far<T: 'static>(&self) -> Result<usize, usize> {
        self.far.binary_search_by_key(&TypeId::of::<T>(), |cell| cell.type_id)
    }
}

impl<O: ?Sized, const NEAR: usize> Default for TypeTable<O, NEAR> {
    fn default() -> Self {
        Self { near: Box::new([const { None }; NEAR]), far: Vec::new() }
    }
}

/// A `TypeId` is a hash already: this takes out the word that it gives to a hasher.
#[inline(always)]
fn hash_of<T: 'static>() -> usize {
    let mut word = TypeIdWord(0);
    TypeId::of::<T>().hash(&mut word);
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
