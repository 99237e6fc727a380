//! Caches of different kernels behind one face, and the table that finds one by its type.

use std::any::TypeId;
use std::hash::{BuildHasherDefault, Hasher};
use std::ptr;

use hashbrown::HashMap;
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
pub(super) struct TypeTable<O: ?Sized> {
    cells: HashMap<TypeId, Box<O>, BuildHasherDefault<TypeIdHasher>>,
}

// The cells' invariant: the box under `TypeId::of::<T>()` holds a `T`. `insert` is the only way in and checks it, so a
// look-up need not: a checked downcast would ask for the type by a virtual call, which costs more than the look-up.
impl<O: ?Sized> TypeTable<O> {
    /// The value of type `T`.
    #[inline]
    #[allow(unsafe_code, reason = "the cells' invariant")]
    pub(super) fn get<T: 'static>(&self) -> Option<&T> {
        let value: *const O = &raw const **self.cells.get(&TypeId::of::<T>())?;
        // SAFETY: by the cells' invariant this is a `T`; it is borrowed for as long as `self` is.
        Some(unsafe { &*value.cast::<T>() })
    }

    /// The value of type `T`.
    #[inline]
    #[allow(unsafe_code, reason = "the cells' invariant")]
    pub(super) fn get_mut<T: 'static>(&mut self) -> Option<&mut T> {
        let value: *mut O = &raw mut **self.cells.get_mut(&TypeId::of::<T>())?;
        // SAFETY: by the cells' invariant this is a `T`; it is borrowed mutably for as long as `self` is.
        Some(unsafe { &mut *value.cast::<T>() })
    }

    /// Puts a value in, in place of an older one of its type. `erase` makes a trait object of the box, and nothing else.
    pub(super) fn insert<T: 'static>(&mut self, value: T, erase: impl FnOnce(Box<T>) -> Box<O>) {
        let value = Box::new(value);
        let address: *const T = &raw const *value;
        let erased = erase(value);
        assert!(ptr::addr_eq(address, &raw const *erased), "erasing a type leaves the value where it is");
        self.cells.insert(TypeId::of::<T>(), erased);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &O> {
        self.cells.values().map(|value| &**value)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut O> {
        self.cells.values_mut().map(|value| &mut **value)
    }
}

impl<O: ?Sized> Default for TypeTable<O> {
    fn default() -> Self {
        Self { cells: HashMap::default() }
    }
}

/// A `TypeId` is a good hash already.
#[derive(Default)]
pub(super) struct TypeIdHasher(u64);

impl Hasher for TypeIdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_le_bytes(word);
        }
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
