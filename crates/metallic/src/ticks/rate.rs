//! From a counter to nanoseconds: how fast it runs, and how its time line stands to the operating system's.
//!
//! A counter that can be trusted has one rate. It is measured without a wait, as the ratio of what the counter and the
//! operating system's clock did since the first reading, better each time that this span has doubled, and is kept once the
//! span is a second long. From then on the two may disagree for two reasons, and neither is the rate. Small
//! disagreement is the clock being slewed towards a time server's. A large one is a pause that one of them did not
//! count: in some kinds of sleep the monotonic clock stands, in others the counter starts anew. So the line of the events'
//! times is moved, forwards only, and durations are left alone.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The two clocks that are compared.
pub(super) trait Clocks {
    fn counter(&self) -> u64;
    /// Nanoseconds of the monotonic clock.
    fn system_ns(&self) -> u64;
}

/// The shortest span that a rate is measured over. Who needs the rate sooner waits out the rest.
const SHORTEST_NS: u64 = 200_000;
/// The span after which the rate is kept; also the time between two comparisons afterwards.
const LONGEST_NS: u64 = 1_000_000_000;
/// A first span this long may have a pause in it, and is checked.
const SUSPECT_NS: u64 = 100_000_000;
/// Rates that differ by more are not two measurements of one rate. Over the shortest span, readings that are 50 ns off make
/// a quarter of this; slewing makes at most half of it.
const TOLERANCE: f64 = 1e-3;

/// The rate of a counter, and its time line.
pub(super) struct Rate<C> {
    clocks: C,
    origin: Reading,
    /// Nanoseconds a tick, as the bits of an `f64`; 0 before the first measurement.
    ns_per_tick: AtomicU64,
    /// The number added to the nanoseconds counted since the origin.
    moved_ns: AtomicI64,
    /// The clocks are compared when the counter has run `compare_after` ticks past `compared_at`.
    compared_at: AtomicU64,
    compare_after: AtomicU64,
    span: Mutex<Span>,
}

/// The span of time within which the two clocks agreed.
struct Span {
    begin: Reading,
    /// The line's time at the beginning.
    begin_line_ns: i64,
    last: Reading,
    kept: Option<Measurement>,
}

/// Both clocks at one moment.
#[derive(Clone, Copy)]
struct Reading {
    ticks: u64,
    ns: u64,
}

impl Reading {
    /// The counter and the clock: of a few pairs of readings, the one that was disturbed least.
    fn take(clocks: &impl Clocks) -> Self {
        let mut best = (u64::MAX, Self { ticks: 0, ns: 0 });
        for _ in 0..4 {
            let before = clocks.counter();
            let ns = clocks.system_ns();
            let width = clocks.counter().wrapping_sub(before);
            if width < best.0 {
                best = (width, Self { ticks: before.wrapping_add(width / 2), ns });
            }
        }
        best.1
    }

    /// Waits until the shortest span has passed since this reading, and returns the reading then.
    fn next(self, clocks: &impl Clocks) -> Self {
        loop {
            let now = Self::take(clocks);
            if now.ns.saturating_sub(self.ns) >= SHORTEST_NS {
                return now;
            }
            std::hint::spin_loop();
        }
    }

    fn ns_until(self, later: Self) -> u64 {
        later.ns.saturating_sub(self.ns)
    }
}

/// A rate, and the time that it was measured over.
#[derive(Clone, Copy)]
struct Measurement {
    /// Negative if the counter went back.
    ns_per_tick: f64,
    over_ns: u64,
}

impl Measurement {
    fn between(begin: Reading, end: Reading) -> Self {
        let over_ns = begin.ns_until(end);
        Self { ns_per_tick: over_ns as f64 / signed_ticks(begin.ticks, end.ticks), over_ns }
    }

    fn agrees_with(self, other: Self) -> bool {
        (self.ns_per_tick / other.ns_per_tick - 1.0).abs() < TOLERANCE
    }
}

fn signed_ticks(from: u64, to: u64) -> f64 {
    to.wrapping_sub(from) as i64 as f64
}

impl<C: Clocks> Rate<C> {
    pub(super) fn new(clocks: C) -> Self {
        let origin = Reading::take(&clocks);
        Self {
            clocks,
            origin,
            ns_per_tick: AtomicU64::new(0),
            moved_ns: AtomicI64::new(0),
            compared_at: AtomicU64::new(origin.ticks),
            compare_after: AtomicU64::new(0),
            span: Mutex::new(Span { begin: origin, begin_line_ns: 0, last: origin, kept: None }),
        }
    }

    /// Nanoseconds that one tick takes.
    #[inline]
    pub(super) fn ns_per_tick(&self) -> f64 {
        self.compare_if_due(self.clocks.counter());
        self.kept()
    }

    /// Nanoseconds from the origin to a stamp, on a line that does not fall behind the operating system's clock.
    pub(super) fn line_ns(&self, stamp: u64) -> u64 {
        self.compare_if_due(stamp);
        self.line(stamp).max(0) as u64
    }

    /// 0 before the first measurement.
    fn kept(&self) -> f64 {
        f64::from_bits(self.ns_per_tick.load(Ordering::Relaxed))
    }

    fn line(&self, stamp: u64) -> i64 {
        let counted = signed_ticks(self.origin.ticks, stamp) * self.kept();
        (counted as i64).saturating_add(self.moved_ns.load(Ordering::Relaxed))
    }

    #[inline]
    fn compare_if_due(&self, stamp: u64) {
        if self.is_due(stamp) {
            self.compare();
        }
    }

    /// A counter that started anew is due, too: it is before the last comparison, which wraps around.
    fn is_due(&self, stamp: u64) -> bool {
        stamp.wrapping_sub(self.compared_at.load(Ordering::Relaxed))
            >= self.compare_after.load(Ordering::Acquire)
    }

    #[cold]
    fn compare(&self) {
        let mut span = self.span.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have compared meanwhile, or the stamp may be one from before the last comparison.
        if !self.is_due(self.clocks.counter()) {
            return;
        }
        let now = span.last.next(&self.clocks);
        let measured = Measurement::between(span.begin, now);
        let parted = span.kept.is_some_and(|kept| !Measurement::between(span.last, now).agrees_with(kept));
        let kept = match span.kept {
            Some(kept) if parted => self.check(kept),
            None if measured.over_ns >= SUSPECT_NS => self.check(measured),
            Some(kept) if kept.over_ns >= measured.over_ns.min(LONGEST_NS) => kept,
            _ => measured,
        };
        self.keep(kept, now);
        let system_line = span.begin_line_ns.saturating_add_unsigned(measured.over_ns);
        let behind = system_line.saturating_sub(self.line(now.ticks));
        self.moved_ns.fetch_add(behind.max(0), Ordering::Relaxed);
        if parted {
            (span.begin, span.begin_line_ns) = (now, self.line(now.ticks));
        }
        (span.last, span.kept) = (now, Some(kept));
        let wait_ns = span.begin.ns_until(now).clamp(SHORTEST_NS, LONGEST_NS);
        self.compared_at.store(now.ticks, Ordering::Relaxed);
        self.compare_after.store((wait_ns as f64 / kept.ns_per_tick) as u64, Ordering::Release);
    }

    /// The measurement itself, unless two that are made now agree on another rate. They do when a pause was in it, or
    /// when a virtual machine has moved to another processor.
    fn check(&self, measurement: Measurement) -> Measurement {
        let begin = Reading::take(&self.clocks);
        let middle = begin.next(&self.clocks);
        let end = middle.next(&self.clocks);
        let (one, other) = (Measurement::between(begin, middle), Measurement::between(middle, end));
        let now = Measurement::between(begin, end);
        if one.agrees_with(other) && !now.agrees_with(measurement) { now } else { measurement }
    }

    /// Keeps a rate from `now` on, without a step in the line.
    fn keep(&self, measurement: Measurement, now: Reading) {
        let before = self.line(now.ticks);
        self.ns_per_tick.store(measurement.ns_per_tick.to_bits(), Ordering::Relaxed);
        let step = before.saturating_sub(self.line(now.ticks));
        self.moved_ns.fetch_add(step, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
