//! Primitives of synchronisation: the standard library's, or with `--cfg shuttle` the same from a crate that runs them in an order
//! of a test's choice. With `--cfg loom` atomics are those of a crate that has them in all the orders that the memory model
//! allows: for tests of what uses nothing else.

#[cfg(loom)]
pub(super) use loom::sync::atomic;
#[cfg(shuttle)]
pub(super) use shuttle::sync::{Condvar, Mutex, MutexGuard, RwLock, atomic};
#[cfg(shuttle)]
pub(super) use shuttle::{thread, thread_local};
use std::sync::PoisonError;
#[cfg(not(any(shuttle, loom)))]
pub(super) use std::sync::atomic;
#[cfg(not(shuttle))]
pub(super) use std::sync::{Condvar, Mutex, MutexGuard, RwLock};
#[cfg(not(shuttle))]
pub(super) use std::{thread, thread_local};

/// The number of this thread.
#[inline]
pub(super) fn this_thread() -> thread::ThreadId {
    #[cfg(shuttle)]
    return thread::current().id();
    // Asking for the thread's handle counts it, twice.
    #[cfg(not(shuttle))]
    {
        std::thread_local!(static HERE: thread::ThreadId = thread::current().id());
        HERE.try_with(|here| *here).unwrap_or_else(|_| thread::current().id())
    }
}

/// Doublings of the pause between two attempts to take a lock, before this thread sleeps until it is free: some microseconds
/// in all.
#[cfg(not(shuttle))]
const PATIENCE: u32 = 7;

/// Takes a lock that is never held for long. Where many threads want it, each that sleeps costs those who wake it more than all
/// that is done under the lock: so a thread tries for a while first.
#[inline]
pub(super) fn lock_soon<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    #[cfg(not(shuttle))]
    match mutex.try_lock() {
        Ok(guard) => return guard,
        Err(std::sync::TryLockError::Poisoned(poisoned)) => return PoisonError::into_inner(poisoned),
        Err(std::sync::TryLockError::WouldBlock) => {}
    }
    lock_contended(mutex)
}

#[cold]
fn lock_contended<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    #[cfg(not(shuttle))]
    for doublings in 0..PATIENCE {
        (0..1 << doublings).for_each(|_| std::hint::spin_loop());
        if let Ok(guard) = mutex.try_lock() {
            return guard;
        }
    }
    Mutex::lock(mutex).unwrap_or_else(PoisonError::into_inner)
}
