//! Whether a registry may move to another thread.

use super::erased::ErasedCache;
use super::kernel::CacheableKernel;
use super::kernel_cache::KernelCache;
use super::slot::CacheRegistrySlot;

/// Stays on its thread, and holds anything: the default of [`CacheRegistry`](super::CacheRegistry).
#[derive(Debug)]
pub enum Confined {}

/// Can be sent to another thread, and holds only what can: see [`SendRegistry`](super::SendRegistry).
#[derive(Debug)]
pub enum Sendable {}

/// [`Confined`] or [`Sendable`]. A registry forgets the types of what it holds, so that the compiler cannot tell from
/// them whether it may be sent; this says it from the start.
pub trait Confinement: sealed::Sealed + 'static {
    /// A cache of a forgotten kernel.
    #[doc(hidden)]
    type Cache: ErasedCache + ?Sized;
    /// A slot of a forgotten type.
    #[doc(hidden)]
    type Slot: CacheRegistrySlot + ?Sized;
}

/// A registry of this confinement can hold caches of kernel `K`: any if it is [`Confined`], and if it is [`Sendable`]
/// those whose key and resource are `Send`, on a device that is `Send` and `Sync`.
pub trait HoldsKernel<K, D>: Confinement
where
    K: CacheableKernel<D>,
{
    #[doc(hidden)]
    fn erase_cache(cache: Box<KernelCache<K, D>>) -> Box<Self::Cache>;
}

/// A registry of this confinement can hold a slot of type `T`: any if it is [`Confined`], and if it is [`Sendable`] one
/// that is `Send`.
pub trait HoldsSlot<T>: Confinement {
    #[doc(hidden)]
    fn erase_slot(slot: Box<T>) -> Box<Self::Slot>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Confined {}
    impl Sealed for super::Sendable {}
}

impl Confinement for Confined {
    type Cache = dyn ErasedCache;
    type Slot = dyn CacheRegistrySlot;
}

impl Confinement for Sendable {
    type Cache = dyn ErasedCache + Send;
    type Slot = dyn CacheRegistrySlot + Send;
}

impl<K: CacheableKernel<D>, D: 'static> HoldsKernel<K, D> for Confined {
    fn erase_cache(cache: Box<KernelCache<K, D>>) -> Box<Self::Cache> {
        cache
    }
}

impl<K, D> HoldsKernel<K, D> for Sendable
where
    K: CacheableKernel<D, Key: Send, CachedResource: Send>,
    D: Send + Sync + 'static,
{
    fn erase_cache(cache: Box<KernelCache<K, D>>) -> Box<Self::Cache> {
        cache
    }
}

impl<T: CacheRegistrySlot> HoldsSlot<T> for Confined {
    fn erase_slot(slot: Box<T>) -> Box<Self::Slot> {
        slot
    }
}

impl<T: CacheRegistrySlot + Send> HoldsSlot<T> for Sendable {
    fn erase_slot(slot: Box<T>) -> Box<Self::Slot> {
        slot
    }
}
