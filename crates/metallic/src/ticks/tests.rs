use std::time::Duration;

use super::{Machine, system};

fn pass(time: Duration) {
    let begin = system::fine_ns();
    while system::fine_ns() - begin < time.as_nanos() as u64 {
        std::hint::spin_loop();
    }
}

#[test]
fn stamps_agree_with_the_operating_systems_clock() {
    let machine = Machine::new();
    let (begin, clock) = (machine.stamp(), system::fine_ns());
    pass(Duration::from_millis(20));
    let (measured, expected) =
        (machine.to_ns(machine.stamp() - begin) as f64, (system::fine_ns() - clock) as f64);
    assert!((measured / expected - 1.0).abs() < 0.01, "measured {measured} ns where {expected} ns passed");
}

#[test]
fn a_hits_stamp_is_at_most_a_tick_before_the_others() {
    let machine = Machine::new();
    // Twice: a tick may be served late where the processor is shared.
    let most = machine.at_most(2 * machine.tick_ns());
    let mut last = 0;
    for _ in 0..1000 {
        let before = machine.stamp();
        let hit = Machine::hit_stamp_before(machine.limit(u64::MAX)).expect("it has no limit");
        let after = machine.stamp();
        assert!(hit >= last, "a hit's stamp went back");
        assert!(hit <= after, "{hit} is after {after}");
        assert!(before.saturating_sub(hit) <= most, "{hit} is long before {before}");
        assert_eq!(Machine::hit_stamp_before(machine.limit(hit)), None, "the limit is not before the limit");
        last = hit;
        pass(Duration::from_micros(20));
    }
}

#[test]
fn a_threshold_never_exceeds_the_time_it_stands_for() {
    let machine = Machine::new();
    for ns in [0, 1, 1_000, 1_000_000_000, u64::MAX / 1_000_000] {
        let back = machine.to_ns(machine.at_most(ns));
        assert!(back <= ns && back as f64 >= ns as f64 * 0.998 - 2.0, "{ns} ns became {back} ns");
    }
}

#[test]
fn the_time_of_a_stamp_is_the_wall_clocks() {
    let machine = Machine::new();
    let (stamped, wall) = (machine.to_unix_ns(machine.stamp()), system::unix_ns());
    assert!(stamped.abs_diff(wall) < 50_000_000, "stamped {stamped} at {wall}");
    assert!(Duration::from_nanos(wall).abs_diff(super::unix_time()) < Duration::from_millis(50));
}
