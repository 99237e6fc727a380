//! Buffers, by the numbers that stand for them in keys.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Buffers by their numbers in the keys of bind groups. A key has no handles: a dispatch makes one and compares it, and only a
/// creation needs the handles. No other lock is taken while this one is held.
#[derive(Debug, Default)]
pub(crate) struct Bindable {
    /// The buffers of all allocations that exist.
    buffers: Mutex<HashMap<u64, wgpu::Buffer>>,
}

/// A buffer and its number, which no other buffer of the program ever has.
#[derive(Debug)]
pub(crate) struct Allocation {
    pub(crate) id: u64,
    pub(crate) buffer: wgpu::Buffer,
    bindable: Arc<Bindable>,
}

impl Bindable {
    /// The buffers of these numbers; `None` if one was dropped.
    pub(super) fn buffers(&self, ids: &[u64]) -> Option<Vec<wgpu::Buffer>> {
        let buffers = locked(&self.buffers);
        ids.iter().map(|id| buffers.get(id).cloned()).collect()
    }
}

impl Allocation {
    /// Numbers a buffer.
    pub(crate) fn new(bindable: &Arc<Bindable>, buffer: wgpu::Buffer) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        locked(&bindable.buffers).insert(id, buffer.clone());
        Self { id, buffer, bindable: bindable.clone() }
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        locked(&self.bindable.buffers).remove(&self.id);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A map is whole between its operations, and nothing else happens under the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
