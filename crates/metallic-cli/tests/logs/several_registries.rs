//! Logs of several registries, threads and processes: figures by registry and summed.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::made::{Numbered, Work, dice, open_log, write};
use metallic::caching::{CacheMetrics, CacheRegistry, EvictionPolicy, ManualClock};
use metallic_cli::commands::replay::{Recorder as Replayed, as_recorded};
use metallic_cli::commands::report::{Report, collect};
use metallic_cli::input::LogReader;
use metallic_instrumentation::{Event, Recorder, ResourceCacheAccess};

const THREADS: u32 = 4;

/// A registry that looks keys up at random, and tells its number to `recorder`.
struct Worker {
    registry: CacheRegistry<ManualClock>,
    clock: ManualClock,
    next: Box<dyn FnMut() -> u64>,
    left: u32,
}

impl Worker {
    fn new(number: u32, recorder: &Arc<Recorder>) -> Self {
        let sink = Arc::new(Numbered { number, sink: recorder.clone() });
        let clock = ManualClock::new();
        let mut registry =
            CacheRegistry::with_device(clock.clone()).with_clock(clock.clone()).with_sink(sink);
        registry.set_eviction_policy::<Work>(EvictionPolicy::size_limited_lru(5 + number as usize));
        Self { registry, clock, next: Box::new(dice(u64::from(number))), left: 700 + 450 * number }
    }

    /// Looks one key up; `false` if all is done.
    fn step(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        self.registry.get_or_create::<Work>(&((self.next)() % 12), None).expect("it can be made");
        self.clock.advance(Duration::from_millis(1));
        true
    }

    fn metrics(&self) -> CacheMetrics {
        self.registry.metrics::<Work>().expect("it was used")
    }
}

/// Four threads with a registry each, all reporting to one sink at once.
fn threads(recorder: &Arc<Recorder>) -> Vec<CacheMetrics> {
    thread::scope(|scope| {
        let work = |number: u32| {
            move || {
                let mut worker = Worker::new(number, recorder);
                while worker.step() {
                    thread::yield_now();
                }
                worker.metrics()
            }
        };
        let running: Vec<_> = (1..=THREADS).map(|number| scope.spawn(work(number))).collect();
        running.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    })
}

/// The same four registries, each of which takes its turn.
fn in_turn(recorder: &Arc<Recorder>) -> Vec<CacheMetrics> {
    let mut workers: Vec<_> = (1..=THREADS).map(|number| Worker::new(number, recorder)).collect();
    while workers.iter_mut().filter_map(|worker| worker.step().then_some(())).count() > 0 {}
    workers.iter().map(Worker::metrics).collect()
}

fn reported(events: &[Event]) -> Report {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let path = folder.path().join("log.jsonl");
    write(&path, events);
    collect(LogReader::open(&[path]).expect("the log is there"), 1000).expect("the log has events")
}

#[test]
fn four_threads_with_a_registry_each_are_reported_exactly() {
    let recorder = Arc::new(Recorder::new());
    let metrics = threads(&recorder);
    let report = reported(&recorder.events());
    let [cache] = &report.caches[..] else { panic!("there is one cache: {:?}", report.caches) };
    let sum = |figure: fn(&CacheMetrics) -> u64| metrics.iter().map(figure).sum::<u64>();
    assert_eq!((cache.hits, cache.misses), (sum(|m| m.hits), sum(|m| m.misses)));
    assert_eq!(cache.evictions, sum(|m| m.evictions));
    assert_eq!(cache.entries, Some(sum(|m| m.size as u64)));
    assert_eq!((cache.restarts, cache.unexplained), (0, 0));
    assert_eq!(cache.registries.len(), THREADS as usize);
    for registry in &cache.registries {
        let metrics = &metrics[registry.number.expect("it has a number") as usize - 1];
        assert_eq!((registry.hits, registry.misses), (metrics.hits, metrics.misses));
        assert_eq!((registry.evictions, registry.entries), (metrics.evictions, Some(metrics.size as u64)));
        assert_eq!(Duration::from_nanos(registry.creation_ns), metrics.creation_time);
    }
    // A key that all of them created is one key, with the sum of its costs.
    assert_eq!(report.dearest_keys.len(), 12);
    assert_eq!(report.dearest_keys.iter().map(|key| key.creation_ns).sum::<u64>(), cache.creation_ns.sum);
}

#[test]
fn four_threads_with_a_registry_each_are_replayed_exactly() {
    let recorder = Arc::new(Recorder::new());
    let metrics = threads(&recorder);
    let mut replayed = Replayed::default();
    recorder.events().into_iter().for_each(|event| replayed.record(event));
    let (recordings, _) = replayed.finish();
    assert_eq!(recordings.len(), THREADS as usize);
    for recording in &recordings {
        let number = recording.registry.number.expect("it has a number");
        let metrics = &metrics[number as usize - 1];
        assert_eq!((recording.missing, recording.restarts, recording.earlier), (0, 0, 0));
        let outcome = as_recorded(&recording.trace, None);
        assert_eq!(outcome.divergence, None);
        assert_eq!((outcome.hits, outcome.misses), (metrics.hits, metrics.misses));
        assert_eq!(Duration::from_nanos(outcome.cost_ns as u64), metrics.creation_time);
    }
}

#[test]
fn without_numbers_the_counters_of_several_registries_are_not_taken_for_restarts() {
    // Not on threads: of those that happened to run one after the other, no one could tell.
    let recorder = Arc::new(Recorder::new());
    let metrics = in_turn(&recorder);
    let unnumbered: Vec<Event> =
        recorder.events().into_iter().map(|event| Event { registry: None, ..event }).collect();
    let cache = &reported(&unnumbered).caches[0];
    assert_eq!(cache.hits, metrics.iter().map(|metrics| metrics.hits).sum::<u64>());
    assert_eq!(cache.misses, metrics.iter().map(|metrics| metrics.misses).sum::<u64>());

    let mut replayed = Replayed::default();
    unnumbered.into_iter().for_each(|event| replayed.record(event));
    let (recordings, _) = replayed.finish();
    assert!(recordings[0].entangled > 0);
    assert_eq!((recordings[0].restarts, recordings[0].missing), (0, 0));
}

#[test]
fn summaries_that_are_in_the_log_twice_count_once() {
    let recorder = Arc::new(Recorder::new());
    let metrics = threads(&recorder);
    let mut events = recorder.events();
    let again: Vec<Event> =
        events.iter().filter(|event| event.kind().name() == "ResourceCacheSummary").cloned().collect();
    events.extend(again);
    assert_eq!(reported(&events).caches[0].hits, metrics.iter().map(|metrics| metrics.hits).sum::<u64>());
}

fn access(key: u32, hit: bool, at: u64) -> Event {
    let access = ResourceCacheAccess { cache_key: format!("work:{key}").into(), hit, bytes: 0 };
    Event::at(at, access).in_registry(1)
}

#[test]
fn runs_one_after_the_other_are_replayed_as_one_with_restarts_and_runs_at_one_time_apart() {
    let run =
        |process, opened, at| [open_log(process, opened), access(1, false, at), access(1, true, at + 1)];
    let record = |runs: &[[Event; 3]]| {
        let mut recorder = Replayed::default();
        runs.iter().flatten().for_each(|event| recorder.record(event.clone()));
        recorder.finish().0
    };
    let after = record(&[run(1, 10, 11), run(2, 20, 21)]);
    assert_eq!((after.len(), after[0].restarts, after[0].trace.len()), (1, 1, 4));
    assert_eq!(as_recorded(&after[0].trace, None).divergence, None);
    assert_eq!(record(&[run(1, 10, 30), run(2, 20, 21)]).len(), 2);
}

#[test]
fn the_report_names_the_files_that_it_read_and_who_wrote_them() {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let path = folder.path().join("log.jsonl");
    write(&folder.path().join("log.jsonl.1"), &[open_log(7, 10), access(1, false, 11)]);
    write(&path, &[open_log(8, 20), access(1, false, 21)]);
    let report = collect(LogReader::open(&[path]).expect("the log is there"), 10).expect("it has events");
    assert_eq!(report.files.len(), 2);
    assert!(report.files[0].ends_with("log.jsonl.1") && report.files[1].ends_with("log.jsonl"));
    assert_eq!(report.processes.iter().map(|process| process.process_id).collect::<Vec<_>>(), [7, 8]);
    let mut text = Vec::new();
    metallic_cli::commands::report::write_tables(&report, &mut text).expect("memory takes it");
    let text = String::from_utf8(text).expect("tables are text");
    assert!(text.contains("log.jsonl.1, ") && text.contains("process 8"), "{text}");
}
