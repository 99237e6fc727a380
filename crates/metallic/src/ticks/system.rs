//! The operating system's clocks, on one time line: nanoseconds of the monotonic clock.

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
use std::time as clocks;
// There the standard library's clocks panic. A page or Node.js has these.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use web_time as clocks;

use clocks::SystemTime;

pub(super) use coarse::{Coarse, fine_ns};

/// Nanoseconds since the Unix epoch, as the machine's time is set now.
pub(super) fn unix_ns() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(all(target_os = "linux", not(miri)))]
mod coarse {
    use nix::sys::time::TimeSpec;
    use nix::time::{ClockId, clock_getres, clock_gettime};

    /// The kernel's coarse clock: `CLOCK_MONOTONIC` as it was at the kernel's last tick, so behind it by at most one. To
    /// read it is to copy it from a page that the kernel shares.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Coarse(());

    /// Ticks are 1 to 10 ms apart, as the kernel was built.
    const LONGEST_TICK_NS: u64 = 10_000_000;

    impl Coarse {
        /// The clock, and the time between two of its ticks in nanoseconds.
        pub(crate) fn new() -> Option<(Self, u64)> {
            let tick_ns = nanoseconds(clock_getres(ClockId::CLOCK_MONOTONIC_COARSE).ok()?);
            (1..=LONGEST_TICK_NS).contains(&tick_ns).then_some((Self(()), tick_ns))
        }

        /// Nanoseconds of the monotonic clock at the last tick.
        #[inline]
        pub(crate) fn ns(self) -> u64 {
            now(ClockId::CLOCK_MONOTONIC_COARSE)
        }
    }

    /// Nanoseconds of the monotonic clock.
    pub(crate) fn fine_ns() -> u64 {
        now(ClockId::CLOCK_MONOTONIC)
    }

    /// Every Linux has both clocks; one that did not would be a clock that stands still.
    #[inline]
    fn now(clock: ClockId) -> u64 {
        clock_gettime(clock).map_or(0, nanoseconds)
    }

    #[inline]
    fn nanoseconds(time: TimeSpec) -> u64 {
        time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod coarse {
    use std::sync::LazyLock;

    use super::clocks::Instant;

    /// A clock that is cheap because it is coarse. This system has none that is known of.
    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Coarse {}

    impl Coarse {
        pub(crate) fn new() -> Option<(Self, u64)> {
            None
        }

        pub(crate) fn ns(self) -> u64 {
            match self {}
        }
    }

    /// Nanoseconds of the standard library's monotonic clock since this was first asked for.
    pub(crate) fn fine_ns() -> u64 {
        static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
        let begin = *BEGIN;
        u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
