//! Where a cache reads the time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::drops::Foreign;
use crate::ticks::{self, Machine};

/// A clock for a registry. It must not go backwards; if it does, ages of older entries read as zero until it has caught up.
pub trait Clock: Send + Sync {
    /// The time since a moment of the clock's own choice. Called at every operation of every cache, where no lock is held.
    fn now(&self) -> Duration;
}

/// The operating system's clock, in time since the Unix epoch. It does not follow when the machine's time is set.
///
/// A registry without [`with_clock`](super::CacheRegistry::with_clock) reads the same time in a cheaper way, found by measurement
/// when the first cache of the process is made: the processor's counter, or on Linux the kernel's coarse clock, which sets
/// the `last_used_at` of hits up to 10 ms early (a tick of the kernel, usually 4 ms). Creations and events are timed finely
/// in any case. Whether idle time goes on while the machine sleeps depends on the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        ticks::unix_time()
    }
}

/// A clock that stands still until it is told to move, for tests. Clones are handles of one clock.
///
/// ```
/// # use std::time::Duration;
/// use metallic::caching::{CacheRegistry, ManualClock};
///
/// let clock = ManualClock::new();
/// let registry = CacheRegistry::new().with_clock(clock.clone());
/// clock.advance(Duration::from_secs(60)); // for the registry, a minute has passed
/// # drop(registry);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    ns: Arc<AtomicU64>,
}

impl ManualClock {
    /// A clock at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock forward, for every handle of it. It stops at 2⁶⁴ - 1 ns, after 584 years.
    pub fn advance(&self, by: Duration) {
        let moved = |ns: u64| Some(ns.saturating_add(saturating_ns(by)));
        // The closure always returns a value, so this cannot fail.
        let _ = self.ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, moved);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.ns.load(Ordering::Relaxed))
    }
}

/// The source of a cache's stamps, and their conversion to time.
#[derive(Clone)]
pub(super) enum TimeSource {
    /// The machine's own time, on the line that was chosen for this process.
    Machine(Machine),
    /// Stamps are the clock's nanoseconds.
    Clock(Foreign<Arc<dyn Clock>>),
}

/// Idle times shorter than this many ticks of the coarse clock are measured finely at hits too: of those that are longer,
/// a tick is less than half a percent.
const TICKS_OF_A_COARSE_IDLE_TIME: u64 = 256;

impl TimeSource {
    pub(super) fn of(clock: impl Clock + 'static) -> Self {
        Self::Clock(Foreign::new(Arc::new(clock)))
    }

    /// The stamp of a hit at this moment, as cheap as the machine allows, if it is before `limit`, which
    /// [`hit_limit`](Self::hit_limit) gave. It compares with a [`stamp`](Self::stamp): it is never later than one taken
    /// afterwards, and at most a tick of the kernel's clock earlier than one taken before.
    #[inline(always)]
    pub(super) fn hit_stamp_before(limit: u64) -> Option<u64> {
        Machine::hit_stamp_before(limit)
    }

    /// [`hit_stamp_before`](Self::hit_stamp_before) where the cheapest answer is all that is wanted: `None` also if there is a
    /// limit, or if it is not the processor's counter that stamps hits.
    #[inline(always)]
    pub(super) fn unlimited_hit_stamp(limit: u64) -> Option<u64> {
        Machine::unlimited_hit_stamp(limit)
    }

    /// The limit for [`hit_stamp_before`](Self::hit_stamp_before) to return stamps of this clock that are before `stamp`. 0 if
    /// hits must ask this clock with [`stamp`](Self::stamp): then there is none.
    pub(super) fn hit_limit(&self, stamp: u64) -> u64 {
        match self {
            Self::Machine(machine) => machine.limit(stamp),
            Self::Clock(_) => 0,
        }
    }

    /// The stamp of this moment.
    #[inline]
    pub(super) fn stamp(&self) -> u64 {
        match self {
            Self::Machine(machine) => machine.stamp(),
            Self::Clock(clock) => saturating_ns(clock.now()),
        }
    }

    /// The stamp of this moment, or the panic of a clock: for those who have something to see to before it goes on.
    #[inline(always)]
    pub(super) fn try_stamp(&self) -> std::thread::Result<u64> {
        match self {
            Self::Machine(machine) => Ok(machine.stamp()),
            Self::Clock(clock) => stamp_of(clock),
        }
    }

    /// The stamp of this moment, in a `Drop`; `otherwise` if the clock panics: a second panic would end the process.
    pub(super) fn stamp_or(&self, otherwise: u64) -> u64 {
        // Dropping the payload may panic as well.
        self.try_stamp().map_err(std::mem::forget).unwrap_or(otherwise)
    }

    /// The most that a hit's stamp is too early, in nanoseconds.
    pub(super) fn tick_ns(&self) -> u64 {
        match self {
            Self::Machine(machine) => machine.tick_ns(),
            Self::Clock(_) => 0,
        }
    }

    /// Nanoseconds between two stamps; zero if they are the wrong way round.
    pub(super) fn ns_between(&self, earlier: u64, later: u64) -> u64 {
        let difference = later.saturating_sub(earlier);
        match self {
            Self::Machine(machine) => machine.to_ns(difference),
            Self::Clock(_) => difference,
        }
    }

    /// A stamp no later than `ns` nanoseconds after `stamp`, and close to it: before it, no one need look closer. A hit
    /// that compares its own stamp looks in time: what its stamp may be early is taken off, and all of a time so short
    /// that it would matter.
    pub(super) fn shortly_before(&self, stamp: u64, ns: u64) -> u64 {
        stamp.saturating_add(match self {
            Self::Machine(machine) if ns < machine.tick_ns() * TICKS_OF_A_COARSE_IDLE_TIME => 0,
            Self::Machine(machine) => machine.at_most(ns - machine.tick_ns()),
            Self::Clock(_) => ns,
        })
    }

    /// The moment of a stamp as events give it.
    pub(super) fn unix_ns(&self, stamp: u64) -> u64 {
        match self {
            Self::Machine(machine) => machine.to_unix_ns(stamp),
            Self::Clock(_) => stamp,
        }
    }
}

impl Default for TimeSource {
    fn default() -> Self {
        Self::Machine(Machine::new())
    }
}

#[cold]
#[inline(never)]
fn stamp_of(clock: &Foreign<Arc<dyn Clock>>) -> std::thread::Result<u64> {
    catch_unwind(AssertUnwindSafe(|| saturating_ns(clock.now())))
}

/// A duration in nanoseconds, at most 2⁶⁴ - 1.
pub(super) fn saturating_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
