//! The local of each thread, for callers that do not hold one.

use std::any::Any;
use std::cell::RefCell;

use super::{LocalRegistry, SharedRegistry};
use crate::caching::drops::{caught, drop_first};
use crate::caching::sync::thread_local;

thread_local! {
    /// The locals of this thread that are not in use, by the numbers of their registries. Borrowed while one is taken out or put
    /// in, which calls no code that is not ours.
    static LOCALS: Locals = Locals(RefCell::new(Vec::new()));
}

struct Locals(RefCell<Vec<(u32, Box<dyn Any>)>>);

impl Drop for Locals {
    fn drop(&mut self) {
        // A resource's `Drop` may panic, which would end the process here, where a thread ends.
        for local in std::mem::take(self.0.get_mut()) {
            caught(|| drop(local));
        }
    }
}

impl<D: 'static> SharedRegistry<D> {
    /// Calls `f` with a local of this thread, which is kept until the thread ends: one line for callers that do not hold a
    /// [`LocalRegistry`]. Takes some nanoseconds more than a local in hand.
    ///
    /// `f` may call this again, also from within a creation: it then has a second local, which is dropped afterwards. Until it is
    /// used again or [`released`](Self::release_local), a local keeps alive what it has used, and the registry.
    ///
    /// ```
    /// # use metallic::caching::{CacheableKernel, SharedRegistry};
    /// # use metallic::{Device, error::MetalError};
    /// # struct Square;
    /// # impl CacheableKernel for Square {
    /// #     type Key = u64;
    /// #     type CachedResource = u64;
    /// #     type Params = u64;
    /// #     const CACHE_NAME: &'static str = "square";
    /// #     fn create_cache_key(n: &u64) -> u64 { *n }
    /// #     fn create_cached_resource(n: &u64, _: Option<&Device>) -> Result<u64, MetalError> { Ok(n * n) }
    /// # }
    /// let registry: SharedRegistry = SharedRegistry::new();
    /// let square = registry.with_local(|local| local.get_or_create::<Square>(&12, None).copied())?;
    /// assert_eq!(square, 144);
    /// # Ok::<(), MetalError>(())
    /// ```
    pub fn with_local<T>(&self, f: impl FnOnce(&mut LocalRegistry<D>) -> T) -> T {
        // Taken out: if `f` panics, the local is dropped, which counts its hits.
        let mut local = self.take_local().unwrap_or_else(|| Box::new(self.local()));
        let result = f(&mut local);
        drop_first(self.keep_local(local), result)
    }

    /// Drops the local that [`with_local`](Self::with_local) keeps for this thread, before the thread idles or lets go of the
    /// registry.
    pub fn release_local(&self) {
        drop(self.take_local());
    }

    fn take_local(&self) -> Option<Box<LocalRegistry<D>>> {
        let taken = LOCALS.try_with(|locals| {
            let mut locals = locals.0.borrow_mut();
            let place = locals.iter().position(|(number, _)| *number == self.number())?;
            Some(locals.swap_remove(place).1)
        });
        // None if the thread ends, and has dropped its locals already.
        taken.ok().flatten()?.downcast().ok()
    }

    /// Keeps a local for the next call, and returns the one that was kept meanwhile: dropping it runs code that is not ours.
    fn keep_local(&self, local: Box<LocalRegistry<D>>) -> Option<Box<dyn Any>> {
        let number = self.number();
        let kept = LOCALS.try_with(|locals| {
            let mut locals = locals.0.borrow_mut();
            match locals.iter_mut().find(|(other, _)| *other == number) {
                Some((_, other)) => Some(std::mem::replace(other, local)),
                None => {
                    locals.push((number, local));
                    None
                }
            }
        });
        kept.ok().flatten()
    }
}
