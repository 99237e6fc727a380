//! Replays of logs that are not as complete as those of one program from start to end.

use std::time::Duration;

use metallic::caching::EvictionPolicy;
use metallic_cli::args::ReplayArgs;
use metallic_cli::commands::replay::{
    Access, Advice, Candidate, Foresight, Input, Recorder, Recording, StepKind, Sweep, Trace, as_recorded,
    load, replay, under,
};
use metallic_instrumentation::{
    CacheCleared, CreationOutcome, EntryRemoved, Event, EventData, RemovalCause, ResourceCacheAccess,
    ResourceCacheSummary, ResourceCreated,
};
use proptest::prelude::*;

/// The events of one program that asks for these keys under no policy; `clock` goes on from program to program.
fn program(keys: impl IntoIterator<Item = u32>, clock: &mut u64) -> Vec<Event> {
    let (mut seen, mut events, mut hits, mut misses) = (Vec::new(), Vec::new(), 0, 0);
    for key in keys {
        *clock += 1_000_000;
        let hit = seen.contains(&key);
        let cache_key: std::sync::Arc<str> = format!("gemm:{key}").into();
        if hit {
            hits += 1;
        } else {
            misses += 1;
            seen.push(key);
            let created = ResourceCreated {
                cache: "gemm".into(),
                cache_key: cache_key.clone(),
                duration_ns: u64::from(key) * 1000,
                own_duration_ns: u64::from(key) * 1000,
                loaded: false,
                outcome: CreationOutcome::Created,
                error: None,
                bytes: 0,
            };
            events.push(Event::at(*clock + 10, created));
        }
        events.push(Event::at(*clock, ResourceCacheAccess { cache_key, hit, bytes: 0 }));
        if (hits + misses) % 100 == 0 {
            let (cache, size) = ("gemm".into(), seen.len() as u64);
            events.push(Event::at(*clock, ResourceCacheSummary { cache, hits, misses, hit_rate: 0.0, size }));
        }
    }
    events
}

fn record(events: impl IntoIterator<Item = Event>) -> Recording {
    let mut recorder = Recorder::default();
    events.into_iter().for_each(|event| recorder.record(event));
    let (mut recordings, _) = recorder.finish();
    assert_eq!(recordings.len(), 1);
    recordings.remove(0)
}

#[test]
fn a_program_that_was_started_anew_starts_with_an_empty_cache() {
    let mut clock = 0;
    let mut events = program((0..150).map(|n| n % 10), &mut clock);
    events.extend(program((0..250).map(|n| n % 10), &mut clock));
    let recording = record(events);
    assert_eq!((recording.restarts, recording.missing, recording.earlier), (1, 0, 0));
    let outcome = as_recorded(&recording.trace, None);
    assert_eq!(outcome.divergence, None);
    assert_eq!(outcome.misses, 20);
    // The misses of the second start are no policy's fault either.
    assert_eq!(under(&recording.trace, EvictionPolicy::none()).misses, 20);
}

#[test]
fn a_log_that_begins_late_says_how_late() {
    let mut clock = 0;
    let events = program((0..1000).map(|n| n % 10), &mut clock);
    let recording = record(events.into_iter().skip(250));
    assert_eq!((recording.earlier, recording.missing, recording.restarts), (238, 0, 0));
    assert_eq!(recording.trace.len(), 1000 - 238);
    assert_eq!(
        as_recorded(&recording.trace, None).divergence.map(|divergence| divergence.accesses),
        Some(10)
    );
}

#[test]
fn accesses_that_only_the_summaries_know_of_are_missing() {
    let mut clock = 0;
    let mut events = program((0..1000).map(|n| n % 10), &mut clock);
    events.drain(520..540);
    assert_eq!(record(events).missing, 20);
}

#[test]
fn a_clear_is_known_without_the_removals_it_consists_of() {
    let mut clock = 0;
    let mut events = program((0..10).map(|n| n % 5), &mut clock);
    events.push(Event::at(clock, CacheCleared { cache: "gemm".into(), count: 5, size_after: 0 }));
    events.extend(program((0..10).map(|n| n % 5), &mut clock));
    let recording = record(events);
    assert_eq!(recording.trace.steps().iter().map(|step| step.kind).collect::<Vec<_>>(), [StepKind::Clear]);
    assert_eq!(as_recorded(&recording.trace, None).divergence, None);
}

#[test]
fn misses_cost_the_mean_measured_creation_time_of_their_key() {
    let mut clock = 0;
    let recording = record(program([1, 2, 3, 1, 2, 3], &mut clock));
    let outcome = under(&recording.trace, EvictionPolicy::fifo().with_max_entries(1));
    assert_eq!((outcome.misses, outcome.cost_ns, outcome.evictions), (6, 12_000.0, 5));
    assert_eq!(under(&recording.trace, EvictionPolicy::none()).cost_ns, 6_000.0);
}

/// A driver keeps what it compiled: the first creation of a key takes a second, any other a millisecond.
#[test]
fn a_first_creation_and_a_rebuild_have_prices_of_their_own() {
    let mut recorder = Recorder::default();
    for at in 0..400_u64 {
        let cache_key: std::sync::Arc<str> = format!("gemm:{}", at % 20).into();
        let duration_ns = if at < 20 { 1_000_000_000 } else { 1_000_000 };
        let created = ResourceCreated {
            cache: "gemm".into(),
            cache_key: cache_key.clone(),
            duration_ns,
            own_duration_ns: duration_ns,
            loaded: false,
            outcome: CreationOutcome::Created,
            error: None,
            bytes: 64,
        };
        recorder.record(Event::at(at, created));
        recorder.record(Event::at(at, ResourceCacheAccess { cache_key, hit: false, bytes: 64 }));
    }
    let trace = &recorder.finish().0[0].trace;
    let lru = |entries| under(trace, EvictionPolicy::size_limited_lru(entries)).cost_ns / 1e9;
    assert_eq!((lru(10), lru(20)), (20.38, 20.0));
    let foresight = Foresight::new(trace);
    assert_eq!(foresight.compulsory_cost_ns(), 20e9);
    assert!(foresight.optimum(trace, 10).cost_ns < 20.38e9);
    assert_eq!(trace.bytes_per_entry, Some(64.0));
}

/// The first program compiles, the second one loads: whatever a policy would have had created again, it would have loaded.
#[test]
fn a_load_is_priced_as_a_load() {
    let mut clock = 0;
    let compiled = program([1000, 2000], &mut clock);
    let mut loaded = program([1000, 2000, 1000, 2000], &mut clock);
    for event in &mut loaded {
        if let EventData::ResourceCreated(created) = &mut event.data {
            (created.loaded, created.duration_ns, created.own_duration_ns) = (true, 7, 7);
        }
    }
    let recording = record(compiled.into_iter().chain(loaded));
    let cost = |policy| under(&recording.trace, policy).cost_ns;
    let first = 3_000_000.0;
    assert_eq!(cost(EvictionPolicy::fifo().with_max_entries(1)), first + 4.0 * 7.0);
}

#[test]
fn hits_that_only_the_removal_of_an_entry_counts_are_missing() {
    let mut clock = 0;
    let mut events = program([1, 2, 1, 1], &mut clock);
    events.retain(|event| !matches!(&event.data, EventData::ResourceCacheAccess(access) if access.hit));
    let removed = EntryRemoved {
        cache: "gemm".into(),
        cache_key: "gemm:1".into(),
        cause: RemovalCause::SizeLimit,
        age_ns: 1,
        idle_ns: 1,
        reuse_count: 2,
        creation_ns: 1,
        bytes: 0,
    };
    events.push(Event::at(clock, removed));
    assert_eq!(record(events).missing, 2);
}

#[test]
fn a_log_without_times_is_replayed_without_idle_times() {
    let mut clock = 0;
    let untimed =
        program((0..300).map(|n| n % 10), &mut clock).into_iter().map(|event| Event::new(event.data));
    let recording = record(untimed);
    assert!(!recording.trace.is_timed());
    let sweep = Sweep::over(&recording, &arguments());
    assert!(sweep.idle.is_empty());
    assert!(sweep.curves.iter().all(|curve| !matches!(curve.candidate, Candidate::Hybrid(_))));
}

#[test]
fn an_idle_time_that_is_too_short_misses_more() {
    let mut clock = 0;
    let recording = record(program((0..2000).map(|n| n % 10), &mut clock));
    let args = ReplayArgs { idle: vec![0.009, 0.010], ..arguments() };
    let sweep = Sweep::over(&recording, &args);
    let misses: Vec<(Duration, u64)> =
        sweep.idle.iter().map(|(idle, outcome)| (*idle, outcome.misses)).collect();
    assert_eq!(misses, [(Duration::from_millis(9), 2000), (Duration::from_millis(10), 10)]);
}

fn arguments() -> ReplayArgs {
    ReplayArgs { logs: vec!["log".into()], points: 6, jobs: Some(2), ..ReplayArgs::default() }
}

fn trace_of(keys: &[u32]) -> Recording {
    let mut trace = Trace::new("test");
    for key in keys {
        trace.push(Access { key: *key, fails: false, hit: false }, None, None);
    }
    trace.finish(Vec::new());
    Recording { trace, ..Recording::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn the_knee_is_the_smallest_capacity_that_is_as_good(
        seldom in prop::collection::vec(0..60_u32, 600), often in prop::collection::vec(0..20_u32, 1400)
    ) {
        let keys: Vec<u32> = (0..2000)
            .map(|at| if at % 10 < 7 { often[at * 7 / 10 % 1400] } else { seldom[at * 3 / 10 % 600] })
            .collect();
        let recording = trace_of(&keys);
        let sweep = Sweep::over(&recording, &arguments());
        let Advice::Set(setting) = Advice::from(&recording, &sweep, None, 0) else {
            return Err(TestCaseError::fail("2,000 accesses of 60 keys are enough for advice"));
        };
        let misses = |capacity| under(&recording.trace, Candidate::SizeLimitedLru.policy(capacity)).misses;
        prop_assert!(setting.knee >= 1 && setting.knee <= 60);
        prop_assert!(misses(setting.knee - 1) > misses(setting.knee));
        prop_assert_eq!(setting.capacity, setting.knee + setting.knee.div_ceil(10));
    }

    #[test]
    fn no_policy_beats_the_optimum(keys in prop::collection::vec(0..40_u32, 1..400)) {
        let recording = trace_of(&keys);
        let sweep = Sweep::over(&recording, &arguments());
        for curve in &sweep.curves {
            for (outcome, optimum) in curve.outcomes.iter().zip(&sweep.optimum) {
                prop_assert!(outcome.misses >= optimum.misses && optimum.misses >= sweep.compulsory.0);
            }
        }
        prop_assert_eq!(sweep.compulsory.0, sweep.unlimited.misses);
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let dir = tempfile::tempdir().expect("there is a folder for temporary files");
    let path = dir.path().join("keys.txt");
    std::fs::write(&path, "a\nb\na\n").expect("the trace can be written");
    let args = |change: fn(&mut ReplayArgs)| {
        let mut args = ReplayArgs { logs: vec![path.clone()], ..arguments() };
        change(&mut args);
        let input: Input = load(&args).expect("the trace can be read");
        replay(&input, &args).map_err(|error| error.to_string()).map(|(caches, _)| caches.len())
    };
    assert_eq!(args(|_| {}), Ok(1));
    let none = "no cache has the name `gemm`; there are: keys.txt";
    assert_eq!(args(|args| args.caches.push("gemm".into())), Err(none.into()));
    let idle = "--idle: no access in the input has a time";
    assert_eq!(args(|args| args.idle.push(1.0)), Err(idle.into()));
    let negative = "--idle: an idle time is a number of seconds, 0 or more";
    assert_eq!(args(|args| args.idle.push(-1.0)), Err(negative.into()));
    let points = "a replay needs at least two points, and capacities of at least 1";
    assert_eq!(args(|args| args.capacities.push(0)), Err(points.into()));
}
