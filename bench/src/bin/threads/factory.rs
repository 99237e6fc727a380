//! The maker of resources, for all threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use metallic_bench::workload::{Pipeline, Resource};

/// Makes resources in a given time, and counts them. For metallic it is the device.
#[derive(Clone, Default)]
pub struct Factory(Arc<Inner>);

#[derive(Default)]
struct Inner {
    made: AtomicU64,
    ns: AtomicU64,
    busy: bool,
}

impl Factory {
    /// A factory that takes no time until it is told to; then it computes if `busy`, and sleeps otherwise.
    pub fn new(busy: bool) -> Self {
        Self(Arc::new(Inner { busy, ..Inner::default() }))
    }

    /// Sets the time that each creation takes from now on.
    pub fn take(&self, time: Duration) {
        self.0.ns.store(time.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Makes a resource with a count of its own: clones of different ones do not meet on one cache line.
    pub fn make(&self) -> Resource {
        let handle = self.0.made.fetch_add(1, Ordering::Relaxed);
        let time = Duration::from_nanos(self.0.ns.load(Ordering::Relaxed));
        if self.0.busy {
            let begin = Instant::now();
            while begin.elapsed() < time {
                std::hint::spin_loop();
            }
        } else if !time.is_zero() {
            thread::sleep(time);
        }
        Resource { pipeline: Arc::new(Pipeline { handle }), threads: 256, rows: 8, columns: 8 }
    }

    /// Resources made so far.
    pub fn made(&self) -> u64 {
        self.0.made.load(Ordering::Relaxed)
    }
}
