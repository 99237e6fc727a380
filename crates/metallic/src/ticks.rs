//! Raw time stamps: what the processor counts, and how that becomes nanoseconds.
//!
//! On x86-64 with an invariant time stamp counter a stamp is that counter, read in one instruction where a call of the
//! operating system's clock takes some sixty. Everywhere else a stamp is [`Instant`]'s nanoseconds.
//!
//! There is no calibration to wait for. The counter and the operating system's clock are read together when the first
//! cache is made, and again whenever the time since then has doubled; the scale is their ratio. Its error, about the
//! 50 ns between two readings over the time measured, meets at most twice that time: an age is off by some 100 ns.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The processor's counter. Having one means that the counter can be trusted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counter(());

impl Counter {
    /// The counter, if this machine has one that runs at one speed at all times.
    pub(crate) fn new() -> Option<Self> {
        static USABLE: LazyLock<bool> = LazyLock::new(counter_is_invariant);
        USABLE.then(|| {
            // Before the first stamp: a moment before the origin could not be told.
            LazyLock::force(&ORIGIN);
            Self(())
        })
    }

    /// The stamp of this moment.
    pub(crate) fn now(self) -> u64 {
        read_counter()
    }

    /// The time that `ticks` take, in nanoseconds.
    pub(crate) fn to_ns(self, ticks: u64) -> u64 {
        (ticks as f64 * ORIGIN.ns_per_tick()) as u64
    }

    /// A number of ticks that surely pass within `ns` nanoseconds, but hardly fewer than do: the scale is good to one
    /// part in 4000 at its worst, and one in 1000 is taken off.
    pub(crate) fn at_most(self, ns: u64) -> u64 {
        (ns as f64 / ORIGIN.ns_per_tick() * 0.999) as u64
    }

    /// The moment of a stamp, in nanoseconds since the Unix epoch.
    pub(crate) fn to_unix_ns(self, stamp: u64) -> u64 {
        ORIGIN.unix_ns.saturating_add(self.to_ns(stamp.saturating_sub(ORIGIN.stamp)))
    }
}

/// The time since the Unix epoch, as it was set when it was first asked for and has passed since.
pub(crate) fn unix_time() -> Duration {
    Duration::from_nanos(ORIGIN.unix_ns).saturating_add(ORIGIN.instant.elapsed())
}

/// The shortest time the scale is measured over. Who needs it sooner after the first stamp waits out the rest.
const FIRST_MEASURE: Duration = Duration::from_micros(200);

/// One reading of all clocks, and the scale found since.
struct Origin {
    stamp: u64,
    instant: Instant,
    unix_ns: u64,
    /// Nanoseconds a tick, as the bits of an `f64`.
    scale: AtomicU64,
    /// The stamp at which the scale is measured again.
    refine_at: AtomicU64,
}

static ORIGIN: LazyLock<Origin> = LazyLock::new(|| {
    let unix_ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    let (stamp, instant) = read_together();
    Origin { stamp, instant, unix_ns, scale: AtomicU64::new(0), refine_at: AtomicU64::new(0) }
});

impl Origin {
    fn ns_per_tick(&self) -> f64 {
        let stamp = read_counter();
        if stamp >= self.refine_at.load(Ordering::Acquire) {
            return self.refine();
        }
        f64::from_bits(self.scale.load(Ordering::Relaxed))
    }

    #[cold]
    fn refine(&self) -> f64 {
        while self.instant.elapsed() < FIRST_MEASURE {
            std::hint::spin_loop();
        }
        let (stamp, instant) = read_together();
        let ticks = stamp.saturating_sub(self.stamp).max(1);
        let scale = instant.duration_since(self.instant).as_nanos() as f64 / ticks as f64;
        // Two threads may both measure. Either result is good, and a scale that is seen before its stamp too.
        self.scale.store(scale.to_bits(), Ordering::Relaxed);
        self.refine_at.store(stamp.saturating_add(ticks), Ordering::Release);
        scale
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

/// The stamp of this moment on a machine that has a [`Counter`], and otherwise a number without meaning.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[expect(unsafe_code, reason = "the standard library has no safe way to read the counter")]
pub(crate) fn read_counter() -> u64 {
    // SAFETY: `rdtsc` is part of every x86-64 processor and touches no memory.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(crate) fn read_counter() -> u64 {
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
        let Some(counter) = Counter::new() else { return };
        let (begin, clock) = (counter.now(), Instant::now());
        while clock.elapsed() < Duration::from_millis(20) {
            std::hint::spin_loop();
        }
        let (measured, expected) =
            (counter.to_ns(counter.now() - begin) as f64, clock.elapsed().as_nanos() as f64);
        assert!(
            (measured / expected - 1.0).abs() < 0.01,
            "measured {measured} ns where {expected} ns passed"
        );
    }

    #[test]
    fn a_threshold_in_ticks_never_exceeds_the_time_it_stands_for() {
        let Some(counter) = Counter::new() else { return };
        for ns in [0, 1, 1_000, 1_000_000_000, u64::MAX / 1_000_000] {
            let back = counter.to_ns(counter.at_most(ns));
            assert!(back <= ns && back as f64 >= ns as f64 * 0.998 - 2.0, "{ns} ns became {back} ns");
        }
    }
}
