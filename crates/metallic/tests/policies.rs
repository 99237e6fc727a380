//! Every policy, over random sequences of operations, does what a naive model does that reads the specification's table
//! literally: see `model`.

mod model;

use std::cell::Cell;
use std::ops::Range;
use std::panic;
use std::sync::Once;
use std::time::Duration;

use metallic::Device;
use metallic::caching::{CacheableKernel, EvictionPolicy, KernelCache};
use metallic::error::MetalError;
use model::papers::{S3Fifo, Sieve};
use model::{CacheOp, Creation, Ending, Op, Policy, Start, Time, UNIT, decode, run};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

/// The nature of a sequence's operations.
#[derive(Clone, Copy)]
struct Plan {
    caches: u8,
    keys: u16,
    /// The largest limit of a policy.
    limit: usize,
    /// Look-ups among some 150 operations: the more, the longer a policy stays in force and the fuller a cache gets.
    look_ups: u32,
    time: Time,
    /// `true` if time passes on the model's clock, in creations and between operations.
    clock_moves: bool,
}

const ONE_CACHE: Plan =
    Plan { caches: 1, keys: 12, limit: 10, look_ups: 100, time: Time::Manual, clock_moves: true };

#[test]
fn a_cache_does_what_the_model_does() {
    check("one cache", ONE_CACHE, 0..500, 2400);
}

#[test]
fn order_is_exact_while_the_clock_stands_still() {
    check("still clock", Plan { clock_moves: false, ..ONE_CACHE }, 0..500, 800);
}

#[test]
fn a_large_cache_does_what_the_model_does() {
    check("large cache", Plan { keys: 400, limit: 300, look_ups: 3000, ..ONE_CACHE }, 1000..3000, 20);
}

#[test]
fn caches_of_one_registry_do_not_disturb_each_other() {
    check("three caches", Plan { caches: 3, keys: 8, ..ONE_CACHE }, 0..500, 600);
}

#[test]
fn a_registry_on_the_machines_clock_does_what_the_model_does() {
    check("machine's clock", Plan { caches: 3, time: Time::System, ..ONE_CACHE }, 0..500, 1200);
}

#[test]
fn any_bytes_are_operations_that_do_what_the_model_does() {
    let bytes = vec(any::<u8>(), if cfg!(miri) { 60..80 } else { 0..1000 });
    prove("bytes", &bytes.prop_map(|bytes| decode(&bytes)), Time::Manual, 400);
}

#[test]
fn s3_fifo_hits_what_the_papers_algorithm_hits() {
    compare_with(EvictionPolicy::s3_fifo, |capacity| {
        let mut plain = S3Fifo::new(capacity);
        move |key| plain.read(key)
    });
}

#[test]
fn sieve_hits_what_the_papers_algorithm_hits() {
    compare_with(EvictionPolicy::sieve, |capacity| {
        let mut plain = Sieve::new(capacity);
        move |key| plain.read(key)
    });
}

/// Every access to every trace, at capacities from 1 to 200, is a hit in a cache with the policy where it is one in the
/// plain implementation.
fn compare_with<Read: FnMut(u32) -> bool>(policy: fn(usize) -> EvictionPolicy, plain: fn(usize) -> Read) {
    let mut accesses = 0;
    for (name, trace) in traces() {
        for capacity in (1..=20).chain((25..=200).step_by(25)) {
            let mut cache = KernelCache::<Number>::default();
            cache.set_eviction_policy(policy(capacity));
            let mut read = plain(capacity);
            for (index, key) in trace.iter().enumerate() {
                let misses = cache.metrics().misses;
                cache.get_or_create(key, None).expect("every number can be made");
                let hit = cache.metrics().misses == misses;
                assert_eq!(hit, read(*key), "{name}, capacity {capacity}, access {index} to {key}");
            }
            cache.validate();
            accesses += trace.len();
        }
    }
    println!("{accesses} accesses");
}

/// Accesses with few popular keys, loops, scans through popular ones, phases in which others are popular, and all in turn.
fn traces() -> Vec<(&'static str, Vec<u32>)> {
    let mut state = 20261124_u64;
    let mut random = move || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    // About Zipf's law: the logarithm of the rank is even.
    let mut zipf = |keys: u32| f64::from(keys).powf((random() >> 11) as f64 / (1_u64 << 53) as f64) as u32;
    let popular: Vec<u32> = (0..3000).map(|_| zipf(600)).collect();
    let loops: Vec<u32> = (0..3000).map(|at| if at % 3 == 0 { zipf(40) } else { 1000 + at % 110 }).collect();
    let scans: Vec<u32> = (0..3000).map(|at| if at / 200 % 3 == 2 { 2000 + at } else { zipf(250) }).collect();
    let phases: Vec<u32> = (0..3000).map(|at| 5000 + at / 500 * 70 + zipf(150)).collect();
    let mixed = [&popular[..1000], &loops[..1000], &scans[..1000], &phases[..1000], &popular[..]].concat();
    vec![("popular", popular), ("loops", loops), ("scans", scans), ("phases", phases), ("mixed", mixed)]
}

struct Number;

impl CacheableKernel for Number {
    type Key = u32;
    type CachedResource = ();
    type Params = u32;

    const CACHE_NAME: &'static str = "number";

    fn create_cache_key(number: &u32) -> u32 {
        *number
    }

    fn create_cached_resource(_: &u32, _: Option<&Device>) -> Result<(), MetalError> {
        Ok(())
    }
}

fn check(name: &str, plan: Plan, length: Range<usize>, cases: u32) {
    // Under Miri, which is some thousand times slower, one short sequence.
    let length = if cfg!(miri) { 30..40 } else { length };
    // Half of the sequences begin with a sink that wants all events.
    let listen = option::of(Just(Op::Listen(u16::MAX)));
    let ops =
        (listen, vec(op(plan), length)).prop_map(|(listen, ops)| listen.into_iter().chain(ops).collect());
    prove(name, &ops, plan.time, cases);
}

fn prove(name: &str, ops: &impl Strategy<Value = Vec<Op>>, time: Time, cases: u32) {
    let cases = cases.div_ceil(share());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        max_shrink_time: 30_000,
        ..Config::default()
    };
    let count = Cell::new(0);
    let result = quietly(|| {
        TestRunner::new(config).run(ops, |ops| {
            run(time, &ops);
            count.set(count.get() + ops.len());
            Ok(())
        })
    });
    println!("{name}: {} operations in {cases} sequences", count.get());
    if let Err(error) = result {
        if let TestError::Fail(_, ops) = &error {
            println!("the smallest sequence that fails: {ops:#?}");
            run(time, ops);
        }
        panic!("{error}");
    }
}

/// The part of the cases that is tried, as its reciprocal: few where each is dear.
fn share() -> u32 {
    if cfg!(miri) {
        return u32::MAX;
    }
    let wanted = std::env::var("METALLIC_CASES_DIVIDED_BY").ok();
    wanted.map_or(1, |divisor| divisor.parse().expect("METALLIC_CASES_DIVIDED_BY is a number from 1 on"))
}

/// Without a message for each panic on this thread: on the way to the smallest failure there are thousands.
fn quietly<T>(run: impl FnOnce() -> T) -> T {
    thread_local!(static QUIET: Cell<bool> = const { Cell::new(false) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                report(info)
            }
        }));
    });
    QUIET.set(true);
    let result = run();
    QUIET.set(false);
    result
}

fn op(plan: Plan) -> impl Strategy<Value = Op> {
    let key = prop_oneof![0..plan.keys, 0..plan.keys.div_ceil(4)];
    let get = (key.clone(), creation(plan)).prop_map(|(key, creation)| CacheOp::Get { key, creation });
    let on_cache = prop_oneof![
        plan.look_ups => get,
        5 => key.clone().prop_map(|key| CacheOp::Remove { key }),
        2 => key.prop_map(|key| CacheOp::Peek { key }),
        1 => Just(CacheOp::Clear),
        5 => Just(CacheOp::ExpireIdle),
        4 => policy(plan).prop_map(CacheOp::SetPolicy),
    ];
    let advance = if plan.clock_moves { advance().boxed() } else { Just(Duration::ZERO).boxed() };
    prop_oneof![
        plan.look_ups + 15 => (0..plan.caches, on_cache).prop_map(|(cache, op)| Op::Cache(cache, op)),
        15 => advance.prop_map(Op::Advance),
        1 => any::<u16>().prop_map(Op::Listen),
        1 => any::<bool>().prop_map(Op::Disturb),
        5 => Just(Op::NextGeneration),
        1 => prop_oneof![Just(Op::ExpireAll), Just(Op::ClearAll)],
        1 => prop_oneof![Just(Op::FillSlot), Just(Op::ClearSlot)],
    ]
}

fn creation(plan: Plan) -> impl Strategy<Value = Creation> {
    let longest: u32 = if plan.clock_moves { 3 } else { 0 };
    let ending = prop_oneof![
        20 => Just(Ending::Success),
        2 => Just(Ending::Trap),
        2 => Just(Ending::Failure),
        1 => Just(Ending::Panic),
        1 => Just(Ending::PanicInBytes),
    ];
    (0..=longest, ending).prop_map(|(units, ending)| Creation { cost: UNIT * units, ending })
}

fn advance() -> impl Strategy<Value = Duration> {
    prop_oneof![
        500 => (0..5_u32).prop_map(|units| UNIT * units),
        20 => Just(Duration::from_nanos(1)),
        // After three of these the clock has come to its end, where it stands still.
        1 => Just(Duration::from_nanos(u64::MAX / 2)),
    ]
}

fn policy(plan: Plan) -> impl Strategy<Value = Policy> {
    let limit = prop_oneof![30 => 0..=plan.limit, 1 => Just(usize::MAX)].boxed();
    let idle = prop_oneof![
        20 => (0..u32::from(plan.keys)).prop_map(|units| UNIT * units),
        1 => Just(Duration::MAX),
    ];
    let start = prop_oneof![
        Just(Start::None),
        limit.clone().prop_map(Start::SizeLimitedLru),
        Just(Start::Lru),
        Just(Start::Fifo),
        idle.clone().prop_map(Start::IdleTimeout),
        (limit.clone(), idle.clone()).prop_map(|(max, idle)| Start::Hybrid(max, idle)),
        limit.clone().prop_map(Start::S3Fifo),
        limit.clone().prop_map(Start::Sieve),
    ];
    let min = prop_oneof![30 => 0..=plan.limit / 2, 1 => Just(usize::MAX)];
    let generations = option::weighted(0.3, prop_oneof![20 => 0..4_u32, 1 => Just(u32::MAX)]);
    let min = option::weighted(0.3, min);
    let builders = (option::weighted(0.6, limit), option::weighted(0.3, idle), generations, min);
    (start, builders).prop_map(|(start, (max, idle, generations, min))| Policy {
        start,
        max,
        idle,
        generations,
        min,
    })
}
