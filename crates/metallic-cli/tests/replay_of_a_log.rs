//! A log that a live registry wrote, replayed: the same hits, misses and evictions, in the same order.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use metallic::Device;
use metallic::caching::{CacheRegistry, CacheableKernel, EvictionPolicy, ManualClock};
use metallic::error::MetalError;
use metallic_cli::commands::replay::{Recorder, as_recorded};
use metallic_instrumentation::{Event, EventData, JsonlExporter, JsonlReader};
use proptest::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    id: u8,
    text: &'static str,
}

thread_local! {
    /// The durations of the next creations, and their outcomes.
    static CREATION: RefCell<(Option<ManualClock>, Duration, Ending)> =
        const { RefCell::new((None, Duration::ZERO, Ending::Success)) };
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Success,
    Failure,
    Panic,
}

fn create() -> Result<u8, MetalError> {
    let (clock, cost, ending) = CREATION.with_borrow(Clone::clone);
    clock.expect("the test has set a clock").advance(cost);
    match ending {
        Ending::Success => Ok(0),
        Ending::Failure => Err(MetalError::invalid_params("refused")),
        Ending::Panic => std::panic::resume_unwind(Box::new("the creation panics")),
    }
}

macro_rules! kernel {
    ($name:ident, $cache:literal) => {
        struct $name;

        impl CacheableKernel for $name {
            type Key = Key;
            type CachedResource = u8;
            type Params = u8;
            const CACHE_NAME: &'static str = $cache;

            fn create_cache_key(id: &u8) -> Key {
                Key { id: *id, text: "a: b" }
            }

            fn create_cached_resource(_: &Key, _: Option<&Device>) -> Result<u8, MetalError> {
                create()
            }
        }
    };
}

kernel!(Gemm, "gemm");
kernel!(Scan, "wgpu::scan");

#[derive(Clone, Debug)]
enum Op {
    Get { key: u8, cost: u64, ending: Ending },
    Advance(u64),
    SetPolicy(EvictionPolicy),
    Remove(u8),
    Clear,
    ExpireIdle,
}

fn policy() -> impl Strategy<Value = EvictionPolicy> {
    let max = 0..8_usize;
    let idle = (1..200_u64).prop_map(Duration::from_nanos);
    let start = prop_oneof![
        Just(EvictionPolicy::none()),
        max.clone().prop_map(EvictionPolicy::size_limited_lru),
        Just(EvictionPolicy::lru()),
        max.clone().prop_map(|max| EvictionPolicy::lru().with_max_entries(max)),
        max.clone().prop_map(|max| EvictionPolicy::fifo().with_max_entries(max)),
        idle.clone().prop_map(EvictionPolicy::idle_timeout),
        (max.clone(), idle.clone()).prop_map(|(max, idle)| EvictionPolicy::hybrid(max, idle)),
    ];
    (start, prop::option::weighted(0.2, max), prop::option::weighted(0.2, idle), 0..4_usize).prop_map(
        |(policy, max, idle, min)| {
            let policy = max.map_or(policy, |max| policy.with_max_entries(max));
            idle.map_or(policy, |idle| policy.with_max_idle_duration(idle)).with_min_entries(min)
        },
    )
}

fn op() -> impl Strategy<Value = Op> {
    let ending =
        prop_oneof![8 => Just(Ending::Success), 1 => Just(Ending::Failure), 1 => Just(Ending::Panic)];
    prop_oneof![
        30 => (0..12_u8, 0..30_u64, ending).prop_map(|(key, cost, ending)| Op::Get { key, cost, ending }),
        10 => (0..60_u64).prop_map(Op::Advance),
        2 => policy().prop_map(Op::SetPolicy),
        2 => (0..12_u8).prop_map(Op::Remove),
        1 => Just(Op::Clear),
        1 => Just(Op::ExpireIdle),
    ]
}

/// Runs the operations on a live registry and returns the log that it wrote.
fn log_of(ops: &[(bool, Op)]) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("there is a folder for temporary files");
    let path = dir.path().join("log.jsonl");
    let exporter = Arc::new(JsonlExporter::create(&path).expect("the log can be created"));
    let clock = ManualClock::new();
    let mut registry = CacheRegistry::new().with_clock(clock.clone()).with_sink(exporter.clone());
    for (first, op) in ops {
        if *first { step::<Gemm>(&mut registry, &clock, op) } else { step::<Scan>(&mut registry, &clock, op) }
    }
    exporter.flush().expect("the log can be written");
    std::fs::read(path).expect("the log can be read")
}

fn step<K>(registry: &mut CacheRegistry, clock: &ManualClock, op: &Op)
where
    K: CacheableKernel<Key = Key, Params = u8>,
{
    match *op {
        Op::Get { key, cost, ending } => {
            CREATION.set((Some(clock.clone()), Duration::from_nanos(cost), ending));
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                registry.get_or_create::<K>(&key, None).is_ok()
            }));
        }
        Op::Advance(ns) => clock.advance(Duration::from_nanos(ns)),
        Op::SetPolicy(policy) => registry.set_eviction_policy::<K>(policy),
        Op::Remove(key) => drop(registry.remove::<K>(&K::create_cache_key(&key))),
        Op::Clear => registry.clear_cache::<K>(),
        Op::ExpireIdle => registry.expire_idle(),
    }
}

/// The part of an event that is about hits, misses and departures, with keys by their order of first appearance in accesses,
/// creations and removals by the caller, as the replay numbers them.
fn essence(event: Event, number: &mut impl FnMut(&str) -> u32) -> Option<String> {
    let at = event.timestamp;
    Some(match event.data {
        EventData::ResourceCacheAccess(access) => {
            format!("{at:?} access {} {}", number(&access.cache_key), access.hit)
        }
        EventData::EntryRemoved(removed) => {
            let (key, cause) = (number(&removed.cache_key), removed.cause.name());
            format!("{at:?} {key} left: {cause}, {} hits, idle {}", removed.reuse_count, removed.idle_ns)
        }
        EventData::CacheEviction(e) => {
            format!("{at:?} {} {} {} {}", e.strategy, e.count, e.reason, e.size_after)
        }
        EventData::CacheCleared(cleared) => format!("{at:?} cleared {}", cleared.count),
        EventData::CachePolicyChanged(changed) => format!("{at:?} {changed:?}").replace(&*changed.cache, ""),
        _ => return None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn a_replay_has_the_hits_misses_and_evictions_of_the_log(
        ops in prop::collection::vec((prop::bool::ANY, op()), 0..250)
    ) {
        let log = log_of(&ops);
        let mut recorder = Recorder::default();
        for event in JsonlReader::new(&log[..]) {
            recorder.record(event.unwrap());
        }
        let (recordings, dropped) = recorder.finish();
        prop_assert_eq!(dropped, 0);
        for recording in recordings {
            let cache = recording.trace.cache.clone();
            let mut labels: Vec<String> = Vec::new();
            let mut number = |label: &str| {
                let known = labels.iter().position(|other| other == label);
                known.unwrap_or_else(|| {
                    labels.push(label.to_owned());
                    labels.len() - 1
                }) as u32
            };
            let of_cache = |event: &Event| match &event.data {
                EventData::ResourceCacheAccess(e) => e.cache_key.starts_with(&format!("{cache}:Key{{")),
                EventData::EntryRemoved(e) => e.cache == *cache,
                EventData::CacheEviction(e) => e.cache == *cache,
                EventData::CacheCleared(e) => e.cache == *cache,
                EventData::CachePolicyChanged(e) => e.cache == *cache,
                _ => false,
            };
            let logged: Vec<String> = JsonlReader::new(&log[..])
                .map(Result::unwrap)
                .filter(of_cache)
                .filter_map(|event| essence(event, &mut number))
                .collect();

            let sink = Arc::new(metallic_instrumentation::Recorder::new());
            let outcome = as_recorded(&recording.trace, Some(sink.clone()));
            let mut as_numbered = |label: &str| label.strip_prefix("replay:").unwrap().parse().unwrap();
            let replayed: Vec<String> = sink
                .events()
                .into_iter()
                .filter_map(|event| essence(event, &mut as_numbered))
                .map(|line| line.replace("\"replay\"", "\"\""))
                .collect();
            let logged: Vec<String> =
                logged.into_iter().map(|line| line.replace(&format!("{cache:?}"), "\"\"")).collect();
            prop_assert_eq!(replayed, logged);
            prop_assert_eq!(outcome.divergence, None);
            prop_assert_eq!(outcome.hits, recording.hits);
            prop_assert_eq!(outcome.evictions, recording.evictions);
            prop_assert_eq!((recording.missing, recording.restarts, recording.earlier), (0, 0, 0));
            prop_assert_eq!(recording.unknown_removals, 0);
        }
    }
}
