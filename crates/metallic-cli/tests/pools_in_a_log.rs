//! Logs of pools, and of caches that count generations, and what the tools make of them.

use std::io::Cursor;
use std::sync::Arc;

use metallic::caching::{EvictionPolicy, SharedRegistry};
use metallic_cli::commands::replay::{Recorder as Replayed, Recording};
use metallic_cli::commands::report::collect;
use metallic_cli::input::LogReader;
use metallic_cli::progress::Progress;
use metallic_instrumentation::{Event, Recorder};

/// A pool with two items of one key, and a cache beside it.
fn run() -> Vec<Event> {
    let recorder = Arc::new(Recorder::new());
    let registry: SharedRegistry = SharedRegistry::new();
    registry.set_sink(Some(recorder.clone()));
    let buffers = registry.pool::<u32, ()>("buffer").expect("the name is free");
    let masks = registry.cache::<u32, u32>("mask").expect("the name is free");
    buffers.set_eviction_policy(EvictionPolicy::size_limited_lru(1));
    masks.set_eviction_policy(EvictionPolicy::none().with_max_idle_generations(1));
    for step in 0..40 {
        drop((buffers.checkout(&1, || ()), buffers.checkout(&1, || ())));
        assert_eq!(masks.get_or_make(&(step % 7), || step).ok().map(|made| made % 7), Some(step % 7));
        registry.next_generation();
    }
    recorder.events()
}

fn recordings(events: Vec<Event>) -> Vec<Recording> {
    let mut replayed = Replayed::default();
    events.into_iter().for_each(|event| replayed.record(event));
    replayed.finish().0
}

#[test]
fn a_replay_leaves_pools_out_and_knows_which_cache_counts_generations() {
    let recordings = recordings(run());
    let [recording] = &recordings[..] else { panic!("the pool is left out") };
    assert_eq!((&*recording.trace.cache, recording.counts_generations), ("mask", true));
    assert!(recording.evictions > 30 && recording.trace.len() == 40);
}

#[test]
fn a_report_says_which_cache_is_a_pool_and_finds_nothing_odd_in_two_items_of_one_key() {
    let line = |event: &Event| serde_json::to_string(event).expect("events have a JSON form") + "\n";
    let text: String = run().iter().map(line).collect();
    let log = LogReader::starting_with("log", Box::new(Cursor::new(text)), Vec::new(), Progress::none());
    let report = collect(log, 1000).expect("the log has events");
    let pool =
        report.caches.iter().find(|cache| &*cache.cache == "buffer").expect("it is a cache of the log");
    assert_eq!((pool.hits, pool.misses, pool.evictions), (39, 41, 40));
    assert_eq!((pool.unexplained, pool.rebuilt), (0, 0));
    assert!(
        report.keys.tracked == 7 && report.dearest_keys.iter().all(|key| key.key.starts_with("mask:")),
        "a pool's keys are not followed"
    );
}
