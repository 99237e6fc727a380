//! The replay against independent models of the policies, and against results from the literature.

use metallic_cli::commands::replay::{Access, Candidate, Foresight, StepKind, Trace, under};
use proptest::prelude::*;

fn trace(keys: &[u32]) -> Trace {
    let mut trace = Trace::new("test");
    for key in keys {
        trace.push(Access { key: *key, fails: false, hit: false }, None, None);
    }
    trace.finish(Vec::new());
    trace
}

fn misses(trace: &Trace, candidate: Candidate, capacity: usize) -> u64 {
    under(trace, candidate.policy(capacity)).misses
}

/// A. Silberschatz, P. B. Galvin, G. Gagne, "Operating System Concepts", chapter "Virtual Memory", section "Page
/// Replacement": its reference string with three frames has 15 faults under FIFO, 12 under LRU and 9 at the optimum.
#[test]
fn the_reference_string_of_operating_system_concepts_has_the_faults_of_the_book() {
    let trace = trace(&[7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1]);
    assert_eq!(misses(&trace, Candidate::Fifo, 3), 15);
    assert_eq!(misses(&trace, Candidate::Lru, 3), 12);
    assert_eq!(misses(&trace, Candidate::SizeLimitedLru, 3), 12);
    assert_eq!(Foresight::new(&trace).optimum(&trace, 3).misses, 9);
}

/// L. A. Belady, R. A. Nelson, G. S. Shedler, "An anomaly in space-time characteristics of certain programs running in a
/// paging machine", CACM 12(6), 1969: under FIFO this string has 9 faults with three frames, and 10 with four.
#[test]
fn beladys_anomaly_shows_under_fifo() {
    let trace = trace(&[1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5]);
    assert_eq!(misses(&trace, Candidate::Fifo, 3), 9);
    assert_eq!(misses(&trace, Candidate::Fifo, 4), 10);
}

/// A query for the models below.
#[derive(Clone, Debug)]
enum Op {
    Get { key: u32, fails: bool },
    Remove(u32),
    Clear,
}

fn ops(failures: bool) -> impl Strategy<Value = Vec<Op>> {
    let get = (0..12_u32, prop::bool::weighted(if failures { 0.2 } else { 0.0 }));
    let op = prop_oneof![
        20 => get.prop_map(|(key, fails)| Op::Get { key, fails }),
        1 => (0..12_u32).prop_map(Op::Remove),
        1 => Just(Op::Clear),
    ];
    prop::collection::vec(op, 0..60)
}

fn trace_of(ops: &[Op]) -> Trace {
    let mut trace = Trace::new("test");
    for op in ops {
        match *op {
            Op::Get { key, fails } => trace.push(Access { key, fails, hit: false }, None, None),
            Op::Remove(key) => trace.push_step(None, StepKind::Remove(key)),
            Op::Clear => trace.push_step(None, StepKind::Clear),
        }
    }
    trace.finish(Vec::new());
    trace
}

/// A list with the next victim first.
fn list_misses(ops: &[Op], capacity: usize, moves_on_hit: bool) -> u64 {
    let mut list: Vec<u32> = Vec::new();
    let mut misses = 0;
    for op in ops {
        match *op {
            Op::Get { key, fails } => match list.iter().position(|other| *other == key) {
                Some(at) if moves_on_hit => {
                    list.remove(at);
                    list.push(key);
                }
                Some(_) => {}
                None => {
                    misses += 1;
                    if list.len() == capacity {
                        list.remove(0);
                    }
                    if !fails {
                        list.push(key);
                    }
                }
            },
            Op::Remove(key) => list.retain(|other| *other != key),
            Op::Clear => list.clear(),
        }
    }
    misses
}

/// The fewest misses over every choice of victims, by trying them all: sets of entries as bits.
fn fewest_misses(ops: &[Op], capacity: u32) -> u64 {
    use std::collections::HashMap;
    let mut states = HashMap::from([(0_u32, 0_u64)]);
    for op in ops {
        let mut after: HashMap<u32, u64> = HashMap::new();
        let mut reach = |state: u32, misses: u64| {
            let least = after.entry(state).or_insert(misses);
            *least = misses.min(*least);
        };
        for (&state, &misses) in &states {
            match *op {
                Op::Get { key, .. } if state & 1 << key != 0 => reach(state, misses),
                Op::Get { key, fails } => {
                    let newcomer = if fails { 0 } else { 1 << key };
                    if state.count_ones() < capacity {
                        reach(state | newcomer, misses + 1);
                    } else {
                        for victim in (0..32).filter(|victim| state & 1 << victim != 0) {
                            reach(state & !(1 << victim) | newcomer, misses + 1);
                        }
                    }
                }
                Op::Remove(key) => reach(state & !(1 << key), misses),
                Op::Clear => reach(0, misses),
            }
        }
        states = after;
    }
    states.into_values().min().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn the_policies_agree_with_a_naive_list(ops in ops(true), capacity in 1..14_usize) {
        let trace = trace_of(&ops);
        let lru = list_misses(&ops, capacity, true);
        prop_assert_eq!(misses(&trace, Candidate::Lru, capacity), lru);
        prop_assert_eq!(misses(&trace, Candidate::SizeLimitedLru, capacity), lru);
        prop_assert_eq!(misses(&trace, Candidate::Fifo, capacity), list_misses(&ops, capacity, false));
    }

    #[test]
    fn the_optimum_is_the_fewest_misses_of_all_choices(ops in ops(false), capacity in 1..5_u32) {
        let trace = trace_of(&ops);
        let optimum = Foresight::new(&trace).optimum(&trace, capacity as usize);
        prop_assert_eq!(optimum.misses, fewest_misses(&ops, capacity));
    }

    #[test]
    fn with_failures_the_optimum_is_still_a_limit(ops in ops(true), capacity in 1..5_u32) {
        let trace = trace_of(&ops);
        let foresight = Foresight::new(&trace);
        prop_assert!(foresight.optimum(&trace, capacity as usize).misses <= fewest_misses(&ops, capacity));
        let unlimited = misses(&trace, Candidate::Lru, 100);
        prop_assert_eq!(foresight.compulsory(), unlimited);
        prop_assert_eq!(foresight.optimum(&trace, 100).misses, unlimited);
    }
}
