//! Raw time stamps: what the processor counts, and how that becomes nanoseconds.
//!
//! On x86-64 with an invariant time stamp counter a stamp is that counter, which costs a few cycles where a call of
//! the operating system's clock costs a hundred. Everywhere else a stamp is [`Instant`]'s nanoseconds.
//!
//! There is no calibration to wait for. The counter and the operating system's clock are read together at the first
//! use, and again whenever the time since then has doubled; the scale is their ratio. Its error, about the 50 ns between
//! two readings over the time measured, meets at most twice that time: an age is off by some 100 ns at most.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of stamps. A copy lives in each cache, so that a hit does not look for a static.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticks {
    counter: bool,
}

impl Ticks {
    /// The best source this machine has.
    pub(crate) fn new() -> Self {
        Self { counter: ORIGIN.counter }
    }

    /// The stamp of this moment.
    #[inline]
    pub(crate) fn now(self) -> u64 {
        if self.counter { read_counter() } else { ORIGIN.elapsed_ns() }
    }

    /// The time that `ticks` stamps take, in nanoseconds.
    pub(crate) fn to_ns(self, ticks: u64) -> u64 {
        if self.counter { (ticks as f64 * ORIGIN.ns_per_tick()) as u64 } else { ticks }
    }

    /// A number of ticks that surely pass within `ns` nanoseconds, but hardly fewer than do: the scale is good to one
    /// part in 4000 at its worst, and one in 1000 is taken off.
    pub(crate) fn at_most(self, ns: u64) -> u64 {
        if self.counter { (ns as f64 / ORIGIN.ns_per_tick() * 0.999) as u64 } else { ns }
    }

    /// The moment of a stamp, in nanoseconds since the Unix epoch.
    pub(crate) fn to_unix_ns(self, stamp: u64) -> u64 {
        ORIGIN.unix_ns.saturating_add(self.to_ns(stamp.saturating_sub(ORIGIN.stamp)))
    }
}

/// One reading of all clocks, and the scale found since.
struct Origin {
    counter: bool,
    stamp: u64,
    instant: Instant,
    unix_ns: u64,
    /// Nanoseconds a tick, as the bits of an `f64`.
    scale: AtomicU64,
    /// The stamp at which the scale is measured again.
    refine_at: AtomicU64,
}

/// The shortest time the scale is measured over. Who needs it sooner after the first stamp waits out the rest.
const FIRST_MEASURE: Duration = Duration::from_micros(200);

static ORIGIN: LazyLock<Origin> = LazyLock::new(|| {
    let counter = counter_is_invariant();
    let unix_ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    let (stamp, instant) = if counter { read_together() } else { (0, Instant::now()) };
    Origin { counter, stamp, instant, unix_ns, scale: AtomicU64::new(0), refine_at: AtomicU64::new(0) }
});

impl Origin {
    fn elapsed_ns(&self) -> u64 {
        self.instant.elapsed().as_nanos() as u64
    }

    fn ns_per_tick(&self) -> f64 {
        let stamp = read_counter();
        if stamp >= self.refine_at.load(Ordering::Relaxed) {
            while self.instant.elapsed() < FIRST_MEASURE {
                std::hint::spin_loop();
            }
            let (stamp, instant) = read_together();
            let ticks = stamp.saturating_sub(self.stamp).max(1);
            let scale = instant.duration_since(self.instant).as_nanos() as f64 / ticks as f64;
            // Two threads may both measure; either result is good, so nothing orders these two stores.
            self.scale.store(scale.to_bits(), Ordering::Relaxed);
            self.refine_at.store(stamp.saturating_add(ticks), Ordering::Relaxed);
            return scale;
        }
        f64::from_bits(self.scale.load(Ordering::Relaxed))
    }
}

/// The counter and the clock at one moment: of a few pairs of readings, the one that was disturbed least.
fn read_together() -> (u64, Instant) {
    let mut best = (u64::MAX, 0, Instant::now());
    for _ in 0..4 {
        let before = read_counter();
        let instant = Instant::now();
        let width = read_counter().saturating_sub(before);
        if width < best.0 {
            best = (width, before + width / 2, instant);
        }
    }
    (best.1, best.2)
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[allow(unsafe_code, reason = "the standard library has no safe way to read the counter")]
fn read_counter() -> u64 {
    // SAFETY: `rdtsc` is part of x86-64, touches no memory, and is only called in user mode if `counter_is_invariant`
    // found the counter usable; where the system forbids it, it traps and does nothing else.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn read_counter() -> u64 {
    0
}

/// Whether the counter runs at one speed at all times (CPUID 80000007h, EDX bit 8: AMD64 manual, volume 3, appendix E)
/// and the operating system, which compares it between the processors, has not given it up.
#[cfg(target_arch = "x86_64")]
fn counter_is_invariant() -> bool {
    use core::arch::x86_64::__cpuid;
    const LEAF: u32 = 0x8000_0007;
    let invariant = __cpuid(0x8000_0000).eax >= LEAF && __cpuid(LEAF).edx & (1 << 8) != 0;
    // Absent on systems other than Linux and in some sandboxes: then the processor's word counts.
    let sources = "/sys/devices/system/clocksource/clocksource0/available_clocksource";
    invariant
        && std::fs::read_to_string(sources).map_or(true, |names| names.split_whitespace().any(|n| n == "tsc"))
}

#[cfg(not(target_arch = "x86_64"))]
fn counter_is_invariant() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_agree_with_the_operating_systems_clock() {
        let ticks = Ticks::new();
        let (begin, clock) = (ticks.now(), Instant::now());
        while clock.elapsed() < Duration::from_millis(20) {
            std::hint::spin_loop();
        }
        let (measured, expected) =
            (ticks.to_ns(ticks.now() - begin) as f64, clock.elapsed().as_nanos() as f64);
        assert!(
            (measured / expected - 1.0).abs() < 0.01,
            "measured {measured} ns where {expected} ns passed"
        );
    }

    #[test]
    fn a_threshold_in_ticks_never_exceeds_the_time_it_stands_for() {
        let ticks = Ticks::new();
        for ns in [0, 1, 1_000, 1_000_000_000, u64::MAX / 1_000_000] {
            let back = ticks.to_ns(ticks.at_most(ns));
            assert!(back <= ns && back as f64 >= ns as f64 * 0.998 - 2.0, "{ns} ns became {back} ns");
        }
    }
}
