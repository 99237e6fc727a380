//! Primitives of synchronisation: the standard library's, or with `--cfg shuttle` the same from a crate that runs them in an order of a
//! test's choice.

#[cfg(shuttle)]
pub(super) use shuttle::sync::{Condvar, Mutex, MutexGuard, RwLock, atomic};
#[cfg(shuttle)]
pub(super) use shuttle::{thread, thread_local};
#[cfg(not(shuttle))]
pub(super) use std::sync::{Condvar, Mutex, MutexGuard, RwLock, atomic};
#[cfg(not(shuttle))]
pub(super) use std::{thread, thread_local};
