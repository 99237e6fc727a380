//! The advice of `replay`: mostly to leave things as they are, and never worse on what comes after the log it was taken from.

use std::sync::Arc;
use std::time::Duration;

use crate::made::{Numbered, Work, dice};
use metallic::caching::{CacheRegistry, EvictionPolicy, ManualClock};
use metallic_cli::args::ReplayArgs;
use metallic_cli::commands::replay::{Advice, Recorder as Replayed, Recording, Sweep, as_recorded};
use metallic_instrumentation::Recorder;

const ACCESSES: u64 = 4000;

/// The name of a kind of trace, and its keys.
fn kinds() -> Vec<(&'static str, Vec<u64>)> {
    let mut next = dice(7);
    let mut zipf = |keys: u64| {
        // The inverse of the cumulated weights of 1/rank, by their logarithm.
        let share = (next() % 1_000_000) as f64 / 1e6;
        ((keys as f64).powf(share) as u64).min(keys)
    };
    let mut kinds = Vec::new();
    kinds.push(("zipf", (0..ACCESSES).map(|_| zipf(400)).collect::<Vec<u64>>()));
    kinds.push(("drifting zipf", (0..ACCESSES).map(|at| zipf(300) + at / 20).collect()));
    kinds.push((
        "zipf among scans",
        (0..ACCESSES).map(|at| if at % 3 == 0 { 1000 + at } else { zipf(50) }).collect(),
    ));
    kinds.push(("loop just above capacity", (0..ACCESSES).map(|at| at % 33).collect()));
    kinds.push(("loop far above capacity", (0..ACCESSES).map(|at| at % 150).collect()));
    kinds.push((
        "two loops",
        (0..ACCESSES).map(|at| if at % 2 == 0 { at / 2 % 20 } else { 500 + at / 2 % 60 }).collect(),
    ));
    kinds.push(("scan", (0..ACCESSES).collect()));
    kinds.push(("phases", (0..ACCESSES).map(|at| at / 500 * 40 + at % 40).collect()));
    kinds.push((
        "bursts",
        (0..ACCESSES).map(|at| if at / 100 % 5 == 4 { 1000 + at } else { at % 25 }).collect(),
    ));
    kinds.push(("growing set", (0..ACCESSES).map(|at| zipf(10 + at / 10)).collect()));
    kinds
}

/// The log that a registry under this policy writes of these keys.
fn record(keys: &[u64], policy: EvictionPolicy) -> Recording {
    let (clock, recorder) = (ManualClock::new(), Arc::new(Recorder::new()));
    let sink = Arc::new(Numbered { number: 1, sink: recorder.clone() });
    let mut registry = CacheRegistry::with_device(clock.clone()).with_clock(clock.clone()).with_sink(sink);
    registry.set_eviction_policy::<Work>(policy);
    for key in keys {
        registry.get_or_create::<Work>(key, None).expect("it can be made");
        clock.advance(Duration::from_micros(100));
    }
    let mut replayed = Replayed::default();
    recorder.events().into_iter().for_each(|event| replayed.record(event));
    replayed.finish().0.remove(0)
}

fn advice(recording: &Recording) -> Advice {
    let args = ReplayArgs { logs: vec!["log".into()], points: 16, jobs: Some(2), ..ReplayArgs::default() };
    let sweep = Sweep::over(recording, &args);
    Advice::from(recording, &sweep, Some(&as_recorded(&recording.trace, None)), 0)
}

#[test]
fn advice_from_the_first_half_is_never_worse_on_the_second() {
    let mut given = 0;
    for (kind, keys) in kinds() {
        let (first, second) = keys.split_at(keys.len() / 2);
        let policies = [
            EvictionPolicy::none(),
            EvictionPolicy::size_limited_lru(30),
            EvictionPolicy::fifo().with_max_entries(30),
            EvictionPolicy::size_limited_lru(100),
        ];
        for policy in policies {
            let Advice::Set(setting) = advice(&record(first, policy)) else { continue };
            given += 1;
            let cost = |policy| as_recorded(&record(second, policy).trace, None).cost_ns;
            let (with, without) = (cost(setting.candidate.policy(setting.capacity)), cost(policy));
            assert!(with <= without * 1.01, "{kind}, {policy}: {setting:?}: {with} for {without}");
        }
    }
    assert!(given >= 5, "only {given} times was there anything to advise");
}

#[test]
fn a_cache_that_evicts_nothing_is_left_as_it_is() {
    let keys: Vec<u64> = (0..ACCESSES).map(|at| at % 99).collect();
    let advice = advice(&record(&keys, EvictionPolicy::none()));
    assert!(matches!(&advice, Advice::Leave(reason) if reason == "nothing was evicted"), "{advice:?}");
}

#[test]
fn a_loop_that_is_one_too_long_is_given_room_and_a_margin() {
    let keys: Vec<u64> = (0..ACCESSES).map(|at| at % 99).collect();
    let advice = advice(&record(&keys, EvictionPolicy::size_limited_lru(98)));
    let Advice::Set(setting) = advice else { panic!("{advice:?}") };
    assert_eq!((setting.knee, setting.capacity), (99, 109));
    assert!(setting.saves > 0.0);
}

#[test]
fn what_no_one_would_notice_is_left_as_it_is() {
    // A key takes a few microseconds of the 100 between two look-ups, and one in 200 is a miss that could be saved.
    let keys: Vec<u64> = (0..ACCESSES).map(|at| if at % 200 == 0 { at / 200 % 2 } else { 2 }).collect();
    let advice = advice(&record(&keys, EvictionPolicy::size_limited_lru(2)));
    assert!(matches!(advice, Advice::Leave(_)), "{advice:?}");
}
