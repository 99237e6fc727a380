//! The device that the resources of a cache are made on.

use crate::caching::sync::atomic::{AtomicU64, Ordering};

/// The identity of a device, or none. Written under the lock of the cache; read without it.
pub(super) struct MadeOn(AtomicU64);

/// In the place of a device's identity.
const UNKNOWN: u64 = u64::MAX;

impl MadeOn {
    /// The device, if it is known. Whoever learns that it is no longer the one that an entry was made on knows that the entry
    /// departed, too.
    #[inline]
    pub(super) fn get(&self) -> Option<u64> {
        let device = self.0.load(Ordering::Acquire);
        (device != UNKNOWN).then_some(device)
    }

    pub(super) fn note_device(&self, device: u64) {
        self.0.store(device, Ordering::Release);
    }

    /// To be called after the departures: a local that learns of it has nothing any more.
    pub(super) fn forget(&self) {
        self.note_device(UNKNOWN);
    }
}

impl Default for MadeOn {
    fn default() -> Self {
        Self(AtomicU64::new(UNKNOWN))
    }
}
