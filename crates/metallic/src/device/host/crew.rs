//! Who does the work: the calling thread, and the device's own where it is worth waking them.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::HostDevice;
use crate::error::MetalError;

/// The threads that share an operation: the caller's, which takes part, and those of a pool.
#[derive(Clone, Copy)]
pub(crate) struct Crew<'a> {
    workers: Option<&'a ThreadPool>,
    threads: NonZeroUsize,
}

impl Crew<'static> {
    /// The caller alone.
    pub(crate) const ALONE: Self = Self { workers: None, threads: NonZeroUsize::MIN };
}

impl HostDevice {
    /// How long, in nanoseconds of one thread, work must be before it is shared. Waking a thread costs some microseconds.
    const WORTH_SHARING: u64 = 20_000;

    /// Whether work of so many nanoseconds is shared.
    pub(crate) fn shares(&self, nanoseconds: u64) -> bool {
        self.threads.get() > 1 && nanoseconds >= Self::WORTH_SHARING
    }

    /// The threads for work of about so many nanoseconds: the caller alone if it is little, or if there are no others. The
    /// others are started if they were not.
    ///
    /// # Errors
    /// [`MetalError::Device`] if the system gives no threads.
    pub(crate) fn crew(&self, nanoseconds: u64) -> Result<Crew<'_>, MetalError> {
        if !self.shares(nanoseconds) {
            return Ok(Crew::ALONE);
        }
        let workers = match self.workers.get() {
            Some(workers) => workers,
            None => {
                let started = ThreadPoolBuilder::new()
                    .num_threads(self.threads.get() - 1)
                    .thread_name(|index| format!("metallic-host-{}", index + 1))
                    .build()
                    .map_err(|error| MetalError::device("starting the host's threads", error))?;
                // Another thread may have been faster: its threads are as good, and these end.
                self.workers.get_or_init(|| started)
            }
        };
        Ok(Crew { workers: Some(workers), threads: self.threads })
    }
}

impl Crew<'_> {
    /// How many threads there are.
    pub(crate) fn threads(&self) -> usize {
        self.threads.get()
    }

    /// Does `work` for every part, each on the thread that is free first, and returns when all is done.
    pub(crate) fn share<P: Send>(
        &self,
        parts: impl IntoIterator<Item = P, IntoIter: Send>,
        work: impl Fn(P) + Sync,
    ) {
        let mut parts = parts.into_iter();
        let Some(workers) = self.workers else {
            parts.for_each(work);
            return;
        };
        let Some(first) = parts.next() else { return };
        let parts = Mutex::new(parts);
        let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
        workers.in_place_scope(|scope| {
            for _ in 1..self.threads() {
                scope.spawn(|_| {
                    while let Some(part) = next() {
                        work(part);
                    }
                });
            }
            work(first);
            while let Some(part) = next() {
                work(part);
            }
        });
    }
}
