use std::cell::Cell;

use super::{Clocks, Rate};

/// A counter of 2.5 ticks a nanosecond and a monotonic clock, both moved by hand. Each reading takes 20 ns.
struct ByHand {
    counter: Cell<f64>,
    system_ns: Cell<f64>,
    ticks_per_ns: Cell<f64>,
    /// The excess rate of the system's clock, in parts per million.
    slew_ppm: Cell<f64>,
}

impl ByHand {
    fn rate() -> Rate<Self> {
        Rate::new(Self {
            counter: Cell::new(7e12),
            system_ns: Cell::new(3e9),
            ticks_per_ns: Cell::new(2.5),
            slew_ppm: Cell::new(0.0),
        })
    }

    fn pass(&self, ns: f64) {
        self.counter.set(self.counter.get() + ns * self.ticks_per_ns.get());
        self.system_ns.set(self.system_ns.get() + ns * (1.0 + self.slew_ppm.get() * 1e-6));
    }
}

impl Clocks for ByHand {
    fn counter(&self) -> u64 {
        self.pass(20.0);
        self.counter.get() as u64
    }

    fn system_ns(&self) -> u64 {
        self.pass(20.0);
        self.system_ns.get() as u64
    }
}

impl Rate<ByHand> {
    fn stamp(&self) -> u64 {
        self.clocks.counter()
    }

    /// The nanoseconds that 200 ms are measured as.
    fn two_hundred_ms(&self) -> f64 {
        let begin = self.stamp();
        self.clocks.pass(200e6);
        (self.stamp() - begin) as f64 * self.ns_per_tick()
    }

    /// The line's time now, of which the truth is known to the caller.
    fn now(&self) -> f64 {
        self.line_ns(self.stamp()) as f64
    }
}

#[track_caller]
fn assert_near(measured: f64, expected: f64, tolerance: f64) {
    assert!((measured - expected).abs() <= tolerance, "{measured} where {expected} was expected");
}

const SECOND: f64 = 1e9;

#[test]
fn the_rate_is_good_at_once_and_better_later() {
    let rate = ByHand::rate();
    assert_near(rate.ns_per_tick(), 0.4, 0.4 * 2.5e-4);
    for _ in 0..20 {
        rate.clocks.pass(0.1 * SECOND);
        rate.ns_per_tick();
    }
    assert_near(rate.ns_per_tick(), 0.4, 0.4 * 1e-6);
}

#[test]
fn a_sleep_that_the_counter_counts_changes_no_duration_and_stays_in_the_events_times() {
    for awake in [0.0, 0.3 * SECOND, 40.0 * SECOND] {
        let rate = ByHand::rate();
        rate.ns_per_tick();
        rate.clocks.pass(awake);
        let before = rate.now();
        rate.clocks.counter.set(rate.clocks.counter.get() + 2.7 * SECOND * 2.5);
        for _ in 0..5 {
            assert_near(rate.two_hundred_ms(), 200e6, 200e6 * 3e-4);
        }
        assert_near(rate.now(), before + 3.7 * SECOND, 3e6);
    }
}

#[test]
fn a_sleep_before_the_first_measurement_is_not_taken_for_a_rate() {
    let rate = ByHand::rate();
    rate.clocks.pass(0.3 * SECOND);
    rate.clocks.counter.set(rate.clocks.counter.get() + 2.7 * SECOND * 2.5);
    assert_near(rate.two_hundred_ms(), 200e6, 200e6 * 3e-4);
}

#[test]
fn a_counter_that_starts_anew_moves_the_line_and_not_the_rate() {
    for awake in [0.1 * SECOND, 40.0 * SECOND] {
        let rate = ByHand::rate();
        rate.now();
        rate.clocks.pass(awake);
        let before = rate.now();
        rate.clocks.counter.set(1000.0);
        for _ in 0..5 {
            assert_near(rate.two_hundred_ms(), 200e6, 200e6 * 3e-4);
        }
        assert_near(rate.now(), before + SECOND, 3e6);
    }
}

#[test]
fn a_slewed_clock_never_sets_the_events_times_back() {
    for slew_ppm in [-500.0, 500.0] {
        let rate = ByHand::rate();
        rate.now();
        for _ in 0..20 {
            rate.clocks.pass(0.1 * SECOND);
            rate.now();
        }
        rate.clocks.slew_ppm.set(slew_ppm);
        let mut last = rate.now();
        let system = rate.clocks.system_ns.get() - last;
        for _ in 0..60_000 {
            rate.clocks.pass(100e3);
            let now = rate.now();
            assert!(now > last, "{now} came after {last}");
            last = now;
        }
        // The line follows a clock that gains, and runs ahead of one that loses by what it lost.
        let ahead = last - (rate.clocks.system_ns.get() - system);
        assert_near(ahead, if slew_ppm < 0.0 { 3e6 } else { 0.0 }, 0.6e6);
        assert_near(rate.two_hundred_ms(), 200e6, 200e6 * 6e-4);
    }
}

#[test]
fn a_machine_that_moves_to_another_processor_gets_its_rate() {
    let rate = ByHand::rate();
    for _ in 0..30 {
        rate.clocks.pass(0.1 * SECOND);
        rate.now();
    }
    let before = rate.now();
    rate.clocks.ticks_per_ns.set(3.0);
    rate.clocks.pass(2.0 * SECOND);
    rate.now();
    assert_near(rate.two_hundred_ms(), 200e6, 200e6 * 3e-4);
    // Between the move and the first comparison nobody knew.
    assert_near(rate.now(), before + 2.6 * SECOND, 0.5 * SECOND);
}
