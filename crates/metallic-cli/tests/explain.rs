//! The life of a key in logs that a live registry wrote.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use metallic::Device;
use metallic::caching::{CacheRegistry, CacheableKernel, EvictionPolicy, ManualClock};
use metallic::creation::Contract;
use metallic::error::MetalError;
use metallic_cli::commands::explain::{Found, LifeEventKind, search};
use metallic_cli::input::LogReader;
use metallic_cli::progress::Progress;
use metallic_instrumentation::{Difference, Event, Recorder};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct GemmKey {
    m: u32,
    shape: [u32; 2],
}

struct Gemm;

impl CacheableKernel for Gemm {
    type Key = GemmKey;
    type CachedResource = ();
    type Params = u32;
    const CACHE_NAME: &'static str = "gemm";

    fn create_cache_key(m: &u32) -> GemmKey {
        GemmKey { m: *m, shape: [m % 10, 7] }
    }

    fn create_cached_resource(key: &GemmKey, _: Option<&Device>) -> Result<(), MetalError> {
        if key.m == 13 { Err(MetalError::invalid_params("an unlucky number")) } else { Ok(()) }
    }
}

/// A registry, its clock, and what it told.
struct Bench {
    registry: CacheRegistry,
    clock: ManualClock,
    events: Arc<Recorder>,
}

impl Bench {
    fn new(policy: EvictionPolicy) -> Self {
        let (clock, events) = (ManualClock::new(), Arc::new(Recorder::new()));
        let mut registry = CacheRegistry::new().with_clock(clock.clone()).with_sink(events.clone());
        registry.set_eviction_policy::<Gemm>(policy);
        Self { registry, clock, events }
    }

    fn get(&mut self, ms: &[u32]) {
        for m in ms {
            self.clock.advance(Duration::from_secs(1));
            let _ = self.registry.get_or_create::<Gemm>(m, None);
        }
    }

    fn explain(&self, key: &str) -> Found {
        let line = |event: &Event| serde_json::to_string(event).expect("events have a JSON form") + "\n";
        let log: String = self.events.events().iter().map(line).collect();
        let mut log =
            LogReader::starting_with("log", Box::new(Cursor::new(log)), Vec::new(), Progress::none());
        search(&mut log, key).expect("a log in memory can be read")
    }
}

/// The history of a key, in short.
fn said(found: &Found) -> Vec<String> {
    let short = |kind: &LifeEventKind| match kind {
        LifeEventKind::Missed { why, .. } => format!("missed: {why}"),
        LifeEventKind::Created { .. } => "created".to_owned(),
        LifeEventKind::Violated { scope, mode, verdict, nearest_key, differing_fields, .. } => {
            let nearest = nearest_key.as_deref().unwrap_or("none");
            format!("{scope}: {mode}, {verdict}, {nearest} in {}", differing_fields.join("+"))
        }
        other => format!("{other:?}"),
    };
    life(found).into_iter().map(short).collect()
}

fn life(found: &Found) -> Vec<&LifeEventKind> {
    found.life.iter().flat_map(|life| &life.events).map(|event| &event.kind).collect()
}

#[test]
fn an_evicted_key_is_told_by_what_and_why_and_what_would_have_kept_it() {
    let mut bench = Bench::new(EvictionPolicy::fifo().with_max_entries(2));
    bench.get(&[1, 2, 1, 1, 3, 2, 1]);
    let found = bench.explain("GemmKey { m: 1, shape: [1, 7] }");
    assert_eq!(found.key, "gemm:GemmKey{m:1,shape:[1,7]}");
    let [first, created, hits, left, missed, rebuilt] = life(&found)[..] else { panic!("{found:?}") };
    assert!(matches!(first, LifeEventKind::Missed { why: "first", .. }));
    assert!(matches!(created, LifeEventKind::Created { .. }));
    assert_eq!(*hits, LifeEventKind::Hits { count: 2, until_ns: Some(4_000_000_000) });
    assert_eq!(
        *left,
        LifeEventKind::Left {
            cause: "size_limit",
            strategy: Some("fifo".to_owned()),
            reason: Some("size_limit_exceeded_max_2".to_owned()),
            for_key: Some("gemm:GemmKey{m:3,shape:[3,7]}".to_owned()),
            idle_seconds: 1.0,
            age_seconds: 4.0,
            reuse_count: 2,
        }
    );
    // Two other keys were used in between, so that with three entries under LRU it would have stayed.
    let would_keep = Some(3);
    assert_eq!(
        *missed,
        LifeEventKind::Missed { why: "size_limit", away_ns: Some(2_000_000_000), would_keep }
    );
    assert!(matches!(rebuilt, LifeEventKind::Created { .. }));

    // And so it does.
    let mut bench = Bench::new(EvictionPolicy::size_limited_lru(3));
    bench.get(&[1, 2, 1, 1, 3, 2, 1]);
    assert_eq!(bench.registry.metrics::<Gemm>().map(|metrics| metrics.misses), Some(3));
}

#[test]
fn the_first_miss_names_the_nearest_key_seen_before_and_the_fields_that_differ() {
    let mut bench = Bench::new(EvictionPolicy::none());
    bench.get(&[22, 31, 41, 51]);
    let found = bench.explain("gemm:GemmKey{m:41,shape:[1,7]}");
    let nearest = found.nearest.expect("there were keys before");
    assert_eq!(nearest.key, "gemm:GemmKey{m:31,shape:[1,7]}");
    let difference = |field: &str, asked: &str, other: &str| Difference {
        field: field.to_owned(),
        asked: Some(asked.to_owned()),
        other: Some(other.to_owned()),
    };
    assert_eq!(nearest.differences, [difference("m", "41", "31")]);
}

#[test]
fn a_key_that_is_not_in_the_log_has_the_nearest_of_all() {
    let mut bench = Bench::new(EvictionPolicy::none());
    bench.get(&[22, 31]);
    for asked in ["GemmKey{m:99,shape:[2,7]}", "gemm:GemmKey{m:99,shape:[2,7]}"] {
        let found = bench.explain(asked);
        assert!(found.life.is_none());
        assert_eq!(found.cache.as_deref(), Some("gemm"));
        assert_eq!(found.nearest.expect("there are keys").key, "gemm:GemmKey{m:22,shape:[2,7]}");
    }
}

#[test]
fn failed_creations_removals_and_idle_times_are_told_as_such() {
    let mut bench = Bench::new(EvictionPolicy::idle_timeout(Duration::from_secs(5)));
    bench.get(&[13, 13, 1]);
    bench.registry.remove::<Gemm>(&Gemm::create_cache_key(&1));
    bench.get(&[1]);
    bench.clock.advance(Duration::from_secs(60));
    bench.get(&[1]);

    let unlucky = bench.explain("GemmKey{m:13,shape:[3,7]}");
    let [
        _,
        LifeEventKind::Failed { error, .. },
        LifeEventKind::Missed { why, .. },
        LifeEventKind::Failed { .. },
    ] = life(&unlucky)[..]
    else {
        panic!("{unlucky:?}")
    };
    assert_eq!((error.as_deref(), *why), (Some("invalid parameters: an unlucky number"), "failed"));

    let whys: Vec<&str> = life(&bench.explain("GemmKey{m:1,shape:[1,7]}"))
        .into_iter()
        .filter_map(|what| match what {
            LifeEventKind::Missed { why, .. } => Some(*why),
            _ => None,
        })
        .collect();
    assert_eq!(whys, ["first", "removed", "idle_timeout"]);
}

#[test]
fn a_key_whose_creation_was_refused_is_found_with_each_violation_in_its_place() {
    let mut bench = Bench::new(EvictionPolicy::none());
    bench.get(&[31]);
    let armed = bench.registry.arm("serving", Contract::Refuse);
    bench.get(&[41, 41]);
    let refused = "serving: refuse, no_manifest, gemm:GemmKey{m:31,shape:[1,7]} in m";
    let key = "GemmKey{m:41,shape:[1,7]}";
    let found = bench.explain(key);
    assert_eq!(found.key, "gemm:GemmKey{m:41,shape:[1,7]}");
    assert_eq!(said(&found), [refused; 2]);
    let Some(LifeEventKind::Violated { caller: Some(caller), .. }) = life(&found).pop() else {
        panic!("{found:?}")
    };
    assert!(caller.contains("explain.rs:"), "{caller}");
    drop(armed);

    // Created later, it is not said to be new.
    let armed = bench.registry.arm("decoding", Contract::Warn);
    bench.get(&[41]);
    drop(armed);
    bench.registry.remove::<Gemm>(&Gemm::create_cache_key(&41));
    let armed = bench.registry.arm("decoding", Contract::Count);
    bench.get(&[41]);
    drop(armed);
    let said = said(&bench.explain(key));
    let warned = refused.replace("serving: refuse", "decoding: warn");
    let counted = warned.replace("warn, no_manifest", "count, evicted");
    let [first, second, missed, third, created, left, again, fourth, rebuilt] = &said[..] else {
        panic!("{said:#?}")
    };
    assert_eq!([first, second, third, fourth], [refused, refused, &*warned, &*counted]);
    assert!(left.contains("removed"), "{left}");
    assert_eq!(
        [missed, created, again, rebuilt],
        ["missed: refused", "created", "missed: removed", "created"]
    );
    assert_eq!(bench.explain(key).life.map(|life| life.totals.violations), Some(4));
}
