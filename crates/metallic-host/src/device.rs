//! The processor itself as a device.

mod workers;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};
use std::thread;

use metallic::device::new_identity;

/// The host's own processor: no driver, always there.
///
/// It runs all operations of [`metallic::kernels`]. The threads beyond the caller's own are started with the first plan or call
/// that is worth them, and are shared by all clones of the device; they end with the last. A device of one thread starts none.
#[derive(Clone)]
pub struct HostDevice {
    threads: NonZeroUsize,
    identity: u64,
    pool: Arc<OnceLock<rayon::ThreadPool>>,
}

impl HostDevice {
    /// The host with as many threads as it can run at once.
    pub fn new() -> Self {
        Self::with_threads(thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }

    /// The host, limited to a number of threads, the caller's included.
    pub fn with_threads(threads: NonZeroUsize) -> Self {
        Self { threads, identity: new_identity(), pool: Arc::default() }
    }

    pub(crate) fn identity(&self) -> u64 {
        self.identity
    }

    /// The threads that an operation on this device may use, the caller's included.
    pub fn threads(&self) -> NonZeroUsize {
        self.threads
    }
}

impl Default for HostDevice {
    fn default() -> Self {
        Self::new()
    }
}

/// Devices are equal if they have equally many threads.
impl PartialEq for HostDevice {
    fn eq(&self, other: &Self) -> bool {
        self.threads == other.threads
    }
}

impl Eq for HostDevice {}

impl fmt::Debug for HostDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostDevice").field("threads", &self.threads).finish_non_exhaustive()
    }
}
