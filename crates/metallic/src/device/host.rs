//! The processor itself as a device.

use std::num::NonZeroUsize;
use std::thread;

/// The host's own processor: no driver, always there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostDevice {
    threads: NonZeroUsize,
}

impl HostDevice {
    /// The host with as many threads as it can run at once.
    pub fn new() -> Self {
        Self::with_threads(thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }

    /// The host, limited to a number of threads.
    pub fn with_threads(threads: NonZeroUsize) -> Self {
        Self { threads }
    }

    /// The threads that an operation on this device may use.
    pub fn threads(&self) -> NonZeroUsize {
        self.threads
    }
}

impl Default for HostDevice {
    fn default() -> Self {
        Self::new()
    }
}
