//! Logs of prepared tensors and KV caches, and what the tools make of them.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use metallic::Dtype;
use metallic::caching::{CacheMetrics, CacheRegistry, EvictionPolicy, ManualClock};
use metallic::slots::{PreparedForm, TensorPreparationCache, Versioned};
use metallic::tensor::Tensor;
use metallic_cli::commands::explain::{LifeEventKind, search};
use metallic_cli::commands::replay::{Recorder as Replayed, as_recorded, under};
use metallic_cli::commands::report::collect;
use metallic_cli::input::LogReader;
use metallic_cli::progress::Progress;
use metallic_instrumentation::{
    Event, EventData, EventSink, KvCacheRefused, KvCacheResized, KvCacheTruncated, Recorder, RemovalCause,
};

struct Weights;

impl Tensor for Weights {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn elements(&self) -> usize {
        8
    }
}

/// Ten weights of which one changes now and then, and seven are kept; a KV cache grows beside them.
fn run() -> (Vec<Event>, CacheMetrics, u64) {
    let (clock, recorder) = (ManualClock::new(), Arc::new(Recorder::new()));
    let mut registry = CacheRegistry::new().with_clock(clock.clone()).with_sink(recorder.clone());
    let mut sources: Vec<_> = (0..10).map(|_| Versioned::new(())).collect();
    let cache = registry.slot_mut(TensorPreparationCache::<Weights>::default);
    cache.set_eviction_policy(EvictionPolicy::hybrid(7, Duration::from_secs(20)));
    for step in 0..1000 {
        clock.advance(Duration::from_millis(if step % 300 == 299 { 30_000 } else { 100 }));
        let source = &mut sources[(step * step + step / 10) % 10];
        if step % 13 == 0 {
            source.get_mut();
        }
        let make = || {
            clock.advance(Duration::from_millis(5));
            Ok(Weights)
        };
        cache.get_or_prepare(source.version(), PreparedForm::as_is(Dtype::F32), make).expect("it is made");
        let kv = "kv_cache";
        recorder.record(&Event::new(KvCacheTruncated { cache: kv.into(), from: 2, to: 1 }));
    }
    let (metrics, stale) = (cache.metrics(), cache.stale_removals());
    recorder.record(&Event::new(KvCacheResized {
        cache: "kv_cache".into(),
        layers: 1,
        len: 1,
        capacity: 16,
        bytes: 64,
        peak_bytes: 64,
        duration_ns: 1,
    }));
    recorder.record(&Event::new(KvCacheRefused {
        cache: "kv_cache".into(),
        positions: 17,
        capacity: 16,
        needed_bytes: 68,
        limit_bytes: 64,
        error: "full".to_owned(),
    }));
    (recorder.events(), metrics, stale)
}

/// A log in memory.
fn log(events: &[Event]) -> LogReader {
    let line = |event: &Event| serde_json::to_string(event).expect("events have a JSON form") + "\n";
    let log: String = events.iter().map(line).collect();
    LogReader::starting_with("log", Box::new(Cursor::new(log)), Vec::new(), Progress::none())
}

#[test]
fn a_replay_takes_what_was_outdated_for_gone_under_every_policy() {
    let (events, metrics, stale) = run();
    assert!(stale > 10 && metrics.hits > 100 && metrics.evictions > 10);
    let mut replayed = Replayed::default();
    events.into_iter().for_each(|event| replayed.record(event));
    let (recordings, _) = replayed.finish();
    let [recording] = &recordings[..] else { panic!("a KV cache has no accesses to replay") };
    let outcome = as_recorded(&recording.trace, None);
    assert_eq!(outcome.divergence, None);
    assert_eq!((outcome.misses, recording.hits), (metrics.misses, metrics.hits));
    let fewest = under(&recording.trace, EvictionPolicy::none()).misses;
    assert_eq!(fewest, 10 + stale, "no policy serves what is outdated");
}

#[test]
fn a_report_has_prepared_tensors_among_the_caches_and_no_cache_for_a_kv_cache() {
    let (events, metrics, stale) = run();
    let report = collect(log(&events), 1000).expect("the log has events");
    let [cache] = &report.caches[..] else { panic!("one cache") };
    assert_eq!(
        (&*cache.cache, cache.hits, cache.misses),
        ("tensor_preparation", metrics.hits, metrics.misses)
    );
    assert_eq!((cache.removals, cache.evictions), (stale, metrics.evictions));
}

#[test]
fn the_life_of_a_prepared_tensor_tells_when_it_was_outdated() {
    let (events, ..) = run();
    let stale = events
        .iter()
        .find_map(|event| match &event.data {
            EventData::EntryRemoved(removed) if removed.cause == RemovalCause::Stale => {
                Some(&removed.cache_key)
            }
            _ => None,
        })
        .expect("one was outdated");
    let found = search(&mut log(&events), stale).expect("a log in memory can be read");
    let events = found.life.expect("the key is in the log").events;
    assert!(events.iter().any(|event| matches!(event.kind, LifeEventKind::Left { cause: "stale", .. })));
    assert!(events.iter().any(|event| matches!(event.kind, LifeEventKind::Missed { why: "stale", .. })));
}
