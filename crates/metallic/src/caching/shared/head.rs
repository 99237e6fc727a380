//! The part that every hit of a local copy reads, and no hit writes.

use crate::caching::sync::atomic::{AtomicU64, Ordering, fence};

/// Departures that a local copy can catch up with one by one. One that is further behind looks at all its entries.
const REMEMBERED: usize = if cfg!(loom) {
    2
} else if cfg!(any(shuttle, miri)) {
    3
} else {
    256
};

/// Removals of entries, in the order they happened. Written under the lock of the cache; read without it.
pub(super) struct Head {
    line: Line,
    /// The hashes of the keys that were removed last, by generation.
    departed: Box<[AtomicU64; REMEMBERED]>,
}

/// On cache lines of its own, in pairs because processors fetch pairs: a hit must not wait for what others write.
#[derive(Default)]
#[repr(align(128))]
struct Line {
    /// The number of removals so far.
    generation: AtomicU64,
    fast_path_until: AtomicU64,
}

impl Head {
    /// The number of removals so far.
    #[inline(always)]
    pub(super) fn generation(&self) -> u64 {
        self.line.generation.load(Ordering::Acquire)
    }

    /// Returns `true` if nothing was removed since generation `seen`, as far as this thread must know: that of which it knows
    /// in any other way that it happened. Nothing is read that depends on it, so that no order is needed.
    #[inline(always)]
    pub(super) fn is_at(&self, seen: u64) -> bool {
        self.line.generation.load(Ordering::Relaxed) == seen
    }

    /// The limit of [`TimeSource::hit_stamp_before`](crate::caching::clock::TimeSource::hit_stamp_before) up to which a hit of
    /// a local copy needs to tell no one.
    #[inline(always)]
    pub(super) fn fast_path_until(&self) -> u64 {
        self.line.fast_path_until.load(Ordering::Relaxed)
    }

    pub(super) fn set_fast_path(&self, until: u64) {
        if self.fast_path_until() != until {
            self.line.fast_path_until.store(until, Ordering::Relaxed);
        }
    }

    /// Notes that an entry was removed.
    pub(super) fn depart(&self, hash: u64) {
        let generation = self.line.generation.load(Ordering::Relaxed);
        // A reader that sees this hash in place of the one it looked for must also see that it is too late.
        fence(Ordering::Release);
        self.departed[generation as usize % REMEMBERED].store(hash, Ordering::Relaxed);
        self.line.generation.store(generation + 1, Ordering::Release);
    }

    /// A generation so long before this one that what was removed since is forgotten.
    pub(super) fn long_before(generation: u64) -> u64 {
        generation.wrapping_sub(REMEMBERED as u64)
    }

    /// Passes the hashes that were removed since generation `seen` to `each`, and returns the generation that this is up to,
    /// and `false` if some were forgotten: then any entry may have been removed.
    pub(super) fn departed_since(&self, seen: u64, mut each: impl FnMut(u64)) -> (u64, bool) {
        let now = self.generation();
        if now.wrapping_sub(seen) >= REMEMBERED as u64 {
            return (now, false);
        }
        for generation in seen..now {
            each(self.departed[generation as usize % REMEMBERED].load(Ordering::Relaxed));
        }
        // Had one been overwritten meanwhile, the generation has moved on by then.
        fence(Ordering::Acquire);
        let complete = self.line.generation.load(Ordering::Relaxed).wrapping_sub(seen) < REMEMBERED as u64;
        (now, complete)
    }
}

impl Default for Head {
    fn default() -> Self {
        Self { line: Line::default(), departed: Box::new(std::array::from_fn(|_| AtomicU64::new(0))) }
    }
}
