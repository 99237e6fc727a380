//! What bind groups are made of.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::layout::LayoutKey;

/// Layouts and buffers by what stands for them in the keys of bind groups, so that a key is numbers and no handles: a dispatch
/// makes one and compares it, and only a miss needs what they stand for. No other lock is taken while one of these is held.
#[derive(Debug, Default)]
pub(crate) struct Bindable {
    /// Few, as there are few shapes: never removed.
    layouts: Mutex<HashMap<LayoutKey, wgpu::BindGroupLayout>>,
    /// Those of all allocations that there are.
    buffers: Mutex<HashMap<u64, wgpu::Buffer>>,
}

/// A buffer with a number that no other buffer of the program ever has.
#[derive(Debug)]
pub(crate) struct Allocation {
    pub(crate) id: u64,
    pub(crate) buffer: wgpu::Buffer,
    bindable: Arc<Bindable>,
}

impl Bindable {
    pub(super) fn add_layout(&self, key: LayoutKey, layout: wgpu::BindGroupLayout) {
        locked(&self.layouts).insert(key, layout);
    }

    pub(super) fn layout(&self, key: LayoutKey) -> Option<wgpu::BindGroupLayout> {
        locked(&self.layouts).get(&key).cloned()
    }

    /// The buffers with these numbers; `None` if one was dropped.
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
