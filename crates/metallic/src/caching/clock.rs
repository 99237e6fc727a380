//! Where a cache reads the time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::ticks::Ticks;

/// A clock for a registry. It must not go backwards; if it does, ages read as zero until it has caught up.
pub trait Clock: Send + Sync {
    /// The time since a moment of the clock's own choice. Called at every operation of every cache.
    fn now(&self) -> Duration;
}

/// The machine's clock, in time since the Unix epoch. Every registry uses it unless told otherwise.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    ticks: Ticks,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { ticks: Ticks::new() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.ticks.to_unix_ns(self.ticks.now()))
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

/// What a cache stamps its entries with, and how stamps become time. The system's clock is no trait object: a hit reads
/// it without a call.
#[derive(Clone)]
pub(super) enum TimeSource {
    System(SystemClock),
    /// Stamps are the clock's nanoseconds.
    Custom(Arc<dyn Clock>),
}

impl TimeSource {
    /// The stamp of this moment.
    #[inline]
    pub(super) fn stamp(&self) -> u64 {
        match self {
            Self::System(clock) => clock.ticks.now(),
            Self::Custom(clock) => saturating_ns(clock.now()),
        }
    }

    /// Nanoseconds between two stamps; zero if they are the wrong way round.
    pub(super) fn ns_between(&self, earlier: u64, later: u64) -> u64 {
        let ticks = later.saturating_sub(earlier);
        match self {
            Self::System(clock) => clock.ticks.to_ns(ticks),
            Self::Custom(_) => ticks,
        }
    }

    /// A stamp no later than `ns` nanoseconds after `stamp`, and close to it: before it, nobody need look closer.
    pub(super) fn shortly_before(&self, stamp: u64, ns: u64) -> u64 {
        stamp.saturating_add(match self {
            Self::System(clock) => clock.ticks.at_most(ns),
            Self::Custom(_) => ns,
        })
    }

    /// The moment of a stamp as events give it.
    pub(super) fn unix_ns(&self, stamp: u64) -> u64 {
        match self {
            Self::System(clock) => clock.ticks.to_unix_ns(stamp),
            Self::Custom(_) => stamp,
        }
    }
}

impl Default for TimeSource {
    fn default() -> Self {
        Self::System(SystemClock::default())
    }
}

impl fmt::Debug for TimeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System(_) => "SystemClock",
            Self::Custom(_) => "custom clock",
        })
    }
}

/// A duration in nanoseconds, at most 2⁶⁴ - 1.
pub(super) fn saturating_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
