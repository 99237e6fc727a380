//! The threads of an operation: the caller's, and the device's own where it is worth waking them.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use metallic::error::MetalError;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::HostDevice;

/// The threads that share an operation: the caller's, which takes part, and those of a pool.
#[derive(Clone, Copy)]
pub(crate) struct Workers<'a> {
    pool: Option<&'a ThreadPool>,
    threads: NonZeroUsize,
}

impl Workers<'static> {
    /// The caller alone.
    pub(crate) const ALONE: Self = Self { pool: None, threads: NonZeroUsize::MIN };
}

impl HostDevice {
    /// How long, in nanoseconds of one thread, work must be before it is shared. Waking a thread costs some microseconds.
    const WORTH_SHARING: u64 = 20_000;

    /// The least that there must be to do for each thread that takes part, in nanoseconds.
    const WORTH_WAKING: u64 = Self::WORTH_SHARING / 2;

    /// Returns `true` if work of this many nanoseconds is shared.
    pub(crate) fn shares(&self, nanoseconds: u64) -> bool {
        self.threads.get() > 1 && nanoseconds >= Self::WORTH_SHARING
    }

    /// The threads for work of about so many nanoseconds: the caller alone if it is little, or if there are no others. The
    /// others are started if they were not.
    ///
    /// # Errors
    /// [`MetalError::Device`] if the system gives no threads.
    pub(crate) fn workers(&self, nanoseconds: u64) -> Result<Workers<'_>, MetalError> {
        if !self.shares(nanoseconds) {
            return Ok(Workers::ALONE);
        }
        let pool = match self.pool.get() {
            Some(pool) => pool,
            None => {
                let started = ThreadPoolBuilder::new()
                    .num_threads(self.threads.get() - 1)
                    .thread_name(|index| format!("metallic-host-{}", index + 1))
                    .build()
                    .map_err(|error| MetalError::device("starting the host's threads", error))?;
                // Another thread may have been faster: its threads are as good, and these end.
                self.pool.get_or_init(|| started)
            }
        };
        let worth = usize::try_from(nanoseconds / Self::WORTH_WAKING).unwrap_or(usize::MAX);
        let threads = NonZeroUsize::new(worth).map_or(NonZeroUsize::MIN, |worth| worth.min(self.threads));
        Ok(Workers { pool: Some(pool), threads })
    }
}

impl Workers<'_> {
    /// How many threads take part.
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
        let Some(pool) = self.pool else {
            parts.for_each(work);
            return;
        };
        let Some(first) = parts.next() else { return };
        let others = parts.size_hint().1.map_or(self.threads() - 1, |parts| parts.min(self.threads() - 1));
        let parts = Mutex::new(parts);
        let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
        pool.in_place_scope(|scope| {
            for _ in 0..others {
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    const MUCH: u64 = HostDevice::WORTH_SHARING;

    fn host(threads: usize) -> HostDevice {
        HostDevice::with_threads(NonZeroUsize::new(threads).unwrap())
    }

    /// The threads that took the parts.
    fn threads_of(
        workers: Workers<'_>,
        parts: usize,
        work: impl Fn(usize) + Sync,
    ) -> HashSet<thread::ThreadId> {
        let threads = Mutex::new(HashSet::new());
        workers.share(0..parts, |part| {
            work(part);
            threads.lock().unwrap().insert(thread::current().id());
        });
        threads.into_inner().unwrap()
    }

    /// Waits until as many threads are there as the barrier is for.
    fn wait_at(barrier: &Barrier) {
        barrier.wait();
    }

    #[test]
    fn a_device_of_one_thread_starts_none() {
        let device = host(1);
        let threads = threads_of(device.workers(u64::MAX).unwrap(), 10, |_| {});
        assert_eq!(threads, HashSet::from([thread::current().id()]));
        assert!(device.pool.get().is_none());
    }

    #[test]
    fn little_work_stays_on_the_callers_thread_and_starts_none() {
        let device = host(4);
        let threads = threads_of(device.workers(MUCH - 1).unwrap(), 10, |_| {});
        assert_eq!(threads, HashSet::from([thread::current().id()]));
        assert!(device.pool.get().is_none());
    }

    #[test]
    fn much_work_is_done_by_all_threads_at_once_the_callers_included() {
        let device = host(3);
        let barrier = Barrier::new(3);
        // Nobody passes before all three are there.
        let threads = threads_of(device.workers(2 * MUCH).unwrap(), 3, |_| wait_at(&barrier));
        assert_eq!(threads.len(), 3);
        assert!(threads.contains(&thread::current().id()));
    }

    #[test]
    fn no_more_threads_take_part_than_there_is_work_for() {
        let device = host(200);
        assert_eq!(device.workers(MUCH).unwrap().threads(), 2);
        assert_eq!(device.workers(100 * MUCH).unwrap().threads(), 200);
    }

    #[test]
    fn clones_share_their_threads() {
        let device = host(2);
        let clone = device.clone();
        clone.workers(MUCH).unwrap();
        assert!(device.pool.get().is_some());
    }

    #[test]
    fn every_part_is_done_once_however_many_threads_there_are() {
        for threads in 1..5 {
            let mut counts = vec![0; 1000];
            host(threads).workers(MUCH).unwrap().share(counts.iter_mut(), |count| *count += 1);
            assert!(counts.iter().all(|count| *count == 1), "{threads} threads");
        }
    }

    #[test]
    fn a_panic_in_a_part_reaches_the_caller_and_the_threads_live_on() {
        let device = host(2);
        let workers = device.workers(MUCH).unwrap();
        let caught = catch_unwind(AssertUnwindSafe(|| workers.share(0..100, |part| assert_ne!(part, 50))));
        assert!(caught.is_err());
        let barrier = Barrier::new(2);
        assert_eq!(threads_of(workers, 2, |_| wait_at(&barrier)).len(), 2);
    }
}
