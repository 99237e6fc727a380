//! Where a cache reads the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::ticks::{self, Counter};

/// A clock for a registry. It must not go backwards; if it does, ages read as zero until it has caught up.
pub trait Clock: Send + Sync {
    /// The time since a moment of the clock's own choice. Called at every operation of every cache.
    fn now(&self) -> Duration;
}

/// The machine's clock, in time since the Unix epoch; it does not follow when the machine's time is set. Every registry
/// uses it unless told otherwise, through the processor's counter where that can be had.
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

/// What a cache stamps its entries with, and how stamps become time.
#[derive(Clone)]
pub(super) enum TimeSource {
    /// The processor's counter.
    Counter(Counter),
    /// Stamps are the clock's nanoseconds.
    Clock(Arc<dyn Clock>),
}

impl TimeSource {
    /// What [`stamp`](Self::stamp) returns if this is the counter, read without asking whether it is.
    #[inline(always)]
    pub(super) fn counter_stamp() -> u64 {
        ticks::read_counter()
    }

    pub(super) fn is_counter(&self) -> bool {
        matches!(self, Self::Counter(_))
    }

    /// The stamp of this moment.
    pub(super) fn stamp(&self) -> u64 {
        match self {
            Self::Counter(counter) => counter.now(),
            Self::Clock(clock) => saturating_ns(clock.now()),
        }
    }

    /// Nanoseconds between two stamps; zero if they are the wrong way round.
    pub(super) fn ns_between(&self, earlier: u64, later: u64) -> u64 {
        let ticks = later.saturating_sub(earlier);
        match self {
            Self::Counter(counter) => counter.to_ns(ticks),
            Self::Clock(_) => ticks,
        }
    }

    /// A stamp no later than `ns` nanoseconds after `stamp`, and close to it: before it, nobody need look closer.
    pub(super) fn shortly_before(&self, stamp: u64, ns: u64) -> u64 {
        stamp.saturating_add(match self {
            Self::Counter(counter) => counter.at_most(ns),
            Self::Clock(_) => ns,
        })
    }

    /// The moment of a stamp as events give it.
    pub(super) fn unix_ns(&self, stamp: u64) -> u64 {
        match self {
            Self::Counter(counter) => counter.to_unix_ns(stamp),
            Self::Clock(_) => stamp,
        }
    }
}

impl Default for TimeSource {
    fn default() -> Self {
        Counter::new().map_or_else(|| Self::Clock(Arc::new(SystemClock)), Self::Counter)
    }
}

/// A duration in nanoseconds, at most 2⁶⁴ - 1.
pub(super) fn saturating_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
