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

    /// The least that there must be to do for each thread that takes part, in nanoseconds.
    const WORTH_WAKING: u64 = Self::WORTH_SHARING / 2;

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
        let worth = usize::try_from(nanoseconds / Self::WORTH_WAKING).unwrap_or(usize::MAX);
        let threads = NonZeroUsize::new(worth).map_or(NonZeroUsize::MIN, |worth| worth.min(self.threads));
        Ok(Crew { workers: Some(workers), threads })
    }
}

impl Crew<'_> {
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
        let Some(workers) = self.workers else {
            parts.for_each(work);
            return;
        };
        let Some(first) = parts.next() else { return };
        let others = parts.size_hint().1.map_or(self.threads() - 1, |parts| parts.min(self.threads() - 1));
        let parts = Mutex::new(parts);
        let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
        workers.in_place_scope(|scope| {
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
    fn workers(crew: Crew<'_>, parts: usize, work: impl Fn(usize) + Sync) -> HashSet<thread::ThreadId> {
        let workers = Mutex::new(HashSet::new());
        crew.share(0..parts, |part| {
            work(part);
            workers.lock().unwrap().insert(thread::current().id());
        });
        workers.into_inner().unwrap()
    }

    /// Waits until as many threads are there as the barrier is for.
    fn wait_at(barrier: &Barrier) {
        barrier.wait();
    }

    #[test]
    fn a_device_of_one_thread_starts_none() {
        let device = host(1);
        let workers = workers(device.crew(u64::MAX).unwrap(), 10, |_| {});
        assert_eq!(workers, HashSet::from([thread::current().id()]));
        assert!(device.workers.get().is_none());
    }

    #[test]
    fn little_work_stays_on_the_callers_thread_and_starts_none() {
        let device = host(4);
        let workers = workers(device.crew(MUCH - 1).unwrap(), 10, |_| {});
        assert_eq!(workers, HashSet::from([thread::current().id()]));
        assert!(device.workers.get().is_none());
    }

    #[test]
    fn much_work_is_done_by_all_threads_at_once_the_callers_included() {
        let device = host(3);
        let barrier = Barrier::new(3);
        // Nobody passes before all three are there.
        let workers = workers(device.crew(2 * MUCH).unwrap(), 3, |_| wait_at(&barrier));
        assert_eq!(workers.len(), 3);
        assert!(workers.contains(&thread::current().id()));
    }

    #[test]
    fn no_more_threads_take_part_than_there_is_work_for() {
        let device = host(200);
        assert_eq!(device.crew(MUCH).unwrap().threads(), 2);
        assert_eq!(device.crew(100 * MUCH).unwrap().threads(), 200);
    }

    #[test]
    fn clones_share_their_threads() {
        let device = host(2);
        let clone = device.clone();
        clone.crew(MUCH).unwrap();
        assert!(device.workers.get().is_some());
    }

    #[test]
    fn every_part_is_done_once_however_many_threads_there_are() {
        for threads in 1..5 {
            let mut counts = vec![0; 1000];
            host(threads).crew(MUCH).unwrap().share(counts.iter_mut(), |count| *count += 1);
            assert!(counts.iter().all(|count| *count == 1), "{threads} threads");
        }
    }

    #[test]
    fn a_panic_in_a_part_reaches_the_caller_and_the_threads_live_on() {
        let device = host(2);
        let crew = device.crew(MUCH).unwrap();
        let caught = catch_unwind(AssertUnwindSafe(|| crew.share(0..100, |part| assert_ne!(part, 50))));
        assert!(caught.is_err());
        let barrier = Barrier::new(2);
        assert_eq!(workers(crew, 2, |_| wait_at(&barrier)).len(), 2);
    }
}
