//! What a cache tells its sink: which events, in which order, with which contents and times.

use std::cell::Cell;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metallic::caching::{CacheRegistry, CacheableKernel, EvictionPolicy, KernelCache};
use metallic::error::MetalError;
use metallic_instrumentation::{
    CacheCleared, CacheEviction, CachePolicyChanged, CreationOutcome, EntryRemoved, Event, EventData,
    EventKind, EventSink, JsonlExporter, JsonlReader, KindFilter, Recorder, RemovalCause,
    ResourceCacheAccess, ResourceCacheSummary, ResourceCreated,
};

use crate::doubles::{Cast, CastKey, Foundry, Mood, MpsGemm, SECOND, data};

const SECOND_NS: u64 = 1_000_000_000;

fn label(size: u32) -> Arc<str> {
    format!("cast:CastKey{{size:{size}}}").into()
}

fn access(size: u32, hit: bool) -> EventData {
    let bytes = u64::from(size) * 4;
    ResourceCacheAccess { cache_key: label(size), hit, bytes }.into()
}

fn created(size: u32, duration_ns: u64) -> EventData {
    ResourceCreated {
        cache: "cast".into(),
        cache_key: label(size),
        duration_ns,
        outcome: CreationOutcome::Created,
        error: None,
        bytes: u64::from(size) * 4,
    }
    .into()
}

fn not_created(size: u32, outcome: CreationOutcome, error: Option<&str>) -> [EventData; 2] {
    let created = ResourceCreated {
        cache: "cast".into(),
        cache_key: label(size),
        duration_ns: 0,
        outcome,
        error: error.map(str::to_owned),
        bytes: 0,
    };
    [created.into(), ResourceCacheAccess { cache_key: label(size), hit: false, bytes: 0 }.into()]
}

/// Entry `size` left; times are in seconds.
fn removed(size: u32, cause: RemovalCause, age: u64, idle: u64, reuse_count: u64) -> EventData {
    EntryRemoved {
        cache: "cast".into(),
        cache_key: label(size),
        cause,
        age_ns: age * SECOND_NS,
        idle_ns: idle * SECOND_NS,
        reuse_count,
        creation_ns: 0,
        bytes: u64::from(size) * 4,
    }
    .into()
}

fn eviction(strategy: &'static str, count: u64, reason: &'static str, size_after: u64) -> EventData {
    CacheEviction {
        cache: "cast".into(),
        strategy: strategy.into(),
        count,
        reason: reason.into(),
        size_after,
    }
    .into()
}

fn cleared(count: u64, size_after: u64) -> EventData {
    CacheCleared { cache: "cast".into(), count, size_after }.into()
}

fn get(registry: &mut CacheRegistry<Foundry>, sizes: impl IntoIterator<Item = u32>) {
    for size in sizes {
        assert_eq!(registry.get_or_create::<Cast>(&size, None).unwrap().size, size);
    }
}

// Sequences.

#[test]
fn a_miss_is_a_creation_and_an_access_and_a_hit_is_an_access() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    get(&mut registry, [7, 7, 8, 7]);
    assert_eq!(
        data(&recorder),
        [created(7, 0), access(7, false), access(7, true), created(8, 0), access(8, false), access(7, true)]
    );
}

#[test]
fn a_miss_that_needs_room_tells_who_left_and_then_how_many_before_the_creation() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    registry.set_eviction_policy::<Cast>(EvictionPolicy::size_limited_lru(2));
    get(&mut registry, [1]);
    foundry.wait(SECOND);
    get(&mut registry, [2, 1, 1]);
    foundry.wait(SECOND);
    recorder.clear();
    get(&mut registry, [3, 4]);
    assert_eq!(
        data(&recorder),
        [
            removed(2, RemovalCause::SizeLimit, 1, 1, 0),
            eviction("size_limited_lru", 1, "size_limit_exceeded_max_2", 1),
            created(3, 0),
            access(3, false),
            removed(1, RemovalCause::SizeLimit, 2, 1, 2),
            eviction("size_limited_lru", 1, "size_limit_exceeded_max_2", 1),
            created(4, 0),
            access(4, false),
        ]
    );
}

#[test]
fn idle_entries_leave_in_one_event_before_the_look_up_is_told() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    registry.set_eviction_policy::<Cast>(EvictionPolicy::hybrid(2, Duration::from_millis(1500)));
    get(&mut registry, [1, 2]);
    foundry.wait(2 * SECOND);
    recorder.clear();
    get(&mut registry, [2]);
    let expiry = [
        removed(1, RemovalCause::IdleTimeout, 2, 2, 0),
        removed(2, RemovalCause::IdleTimeout, 2, 2, 0),
        eviction("hybrid", 2, "idle_timeout_exceeded_1500ms", 0),
    ];
    assert_eq!(data(&recorder), [&expiry[..], &[created(2, 0), access(2, false)]].concat());
}

#[test]
fn one_miss_may_expire_idle_entries_and_evict_others_for_size() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    get(&mut registry, [1]);
    foundry.wait(SECOND);
    get(&mut registry, [2, 3]);
    registry.set_eviction_policy::<Cast>(EvictionPolicy::hybrid(2, SECOND));
    foundry.wait(SECOND);
    recorder.clear();
    get(&mut registry, [4]);
    assert_eq!(
        data(&recorder),
        [
            removed(1, RemovalCause::IdleTimeout, 2, 2, 0),
            eviction("hybrid", 1, "idle_timeout_exceeded_1000ms", 2),
            removed(2, RemovalCause::SizeLimit, 1, 1, 0),
            eviction("hybrid", 1, "size_limit_exceeded_max_2", 1),
            created(4, 0),
            access(4, false),
        ]
    );
}

#[test]
fn clear_tells_of_each_entry_and_then_of_all() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    get(&mut registry, [1, 2, 1]);
    foundry.wait(SECOND);
    recorder.clear();
    registry.clear();
    registry.clear_cache::<Cast>();
    assert_eq!(
        data(&recorder),
        [
            removed(1, RemovalCause::Cleared, 1, 1, 1),
            removed(2, RemovalCause::Cleared, 1, 1, 0),
            cleared(2, 0),
            cleared(0, 0),
        ]
    );
}

#[test]
fn remove_tells_of_its_entry_and_of_nothing_if_there_is_none() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    get(&mut registry, [1, 2]);
    recorder.clear();
    registry.remove::<Cast>(&CastKey { size: 1 });
    registry.remove::<Cast>(&CastKey { size: 1 });
    assert_eq!(data(&recorder), [removed(1, RemovalCause::Removed, 0, 0, 0), cleared(1, 1)]);
}

#[test]
fn a_creation_that_fails_is_told_with_its_error_and_its_cause() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    foundry.set_mood(Mood::OutOfRegisters);
    registry.get_or_create::<Cast>(&1, None).unwrap_err();
    let error = "pipeline compilation failed: out of registers";
    assert_eq!(data(&recorder), not_created(1, CreationOutcome::Failed, Some(error)));
}

#[test]
fn a_change_of_policy_is_told_with_all_its_limits() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    let changed = |strategy: &'static str, max_entries, max_idle_ns, min_entries| {
        let cache = "cast".into();
        let strategy = strategy.into();
        EventData::from(CachePolicyChanged { cache, strategy, max_entries, max_idle_ns, min_entries })
    };
    let cases = [
        (EvictionPolicy::none(), changed("none", None, None, 0)),
        (EvictionPolicy::size_limited_lru(9), changed("size_limited_lru", Some(9), None, 0)),
        (EvictionPolicy::lru().with_min_entries(3), changed("lru", None, None, 3)),
        (EvictionPolicy::fifo().with_max_entries(0), changed("fifo", Some(0), None, 0)),
        (EvictionPolicy::idle_timeout(SECOND), changed("idle_timeout", None, Some(SECOND_NS), 0)),
        (EvictionPolicy::hybrid(5, Duration::MAX), changed("hybrid", Some(5), Some(u64::MAX), 0)),
    ];
    for (policy, expected) in cases {
        registry.set_eviction_policy::<Cast>(policy);
        assert_eq!(data(&recorder), [expected]);
    }
}

#[test]
fn metrics_and_peeks_and_slots_tell_nothing() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    get(&mut registry, [1]);
    recorder.clear();
    registry.metrics::<Cast>();
    registry.metrics_by_name().for_each(drop);
    registry.cache::<Cast>().unwrap().peek(&CastKey { size: 1 });
    registry.cache_mut::<Cast>().expire_idle();
    assert_eq!(recorder.events(), []);
}

// Summaries.

#[test]
fn a_summary_follows_every_hundredth_operation_of_a_cache() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    registry.set_eviction_policy::<Cast>(EvictionPolicy::size_limited_lru(8));
    let mut summaries = Vec::new();
    for operation in 1..=300_u32 {
        get(&mut registry, [operation.div_ceil(10)]); // a miss and nine hits
        // Operations of another cache do not count.
        registry.get_or_create::<MpsGemm>(&(1, 2, operation as usize % 7), None).unwrap();
        summaries.extend(data(&recorder).into_iter().filter_map(|data| match data {
            EventData::ResourceCacheSummary(summary) if summary.cache == "cast" => Some((operation, summary)),
            _ => None,
        }));
    }
    let expected = [100, 200, 300].map(|operation| {
        let (hits, misses) = (u64::from(operation) / 10 * 9, u64::from(operation) / 10);
        (operation, ResourceCacheSummary { cache: "cast".into(), hits, misses, hit_rate: 90.0, size: 8 })
    });
    assert_eq!(summaries, expected);
}

#[test]
fn a_summary_comes_after_the_access_it_counts_and_counts_failures() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    get(&mut registry, [1]);
    for _ in 0..98 {
        get(&mut registry, [1]);
    }
    recorder.clear();
    foundry.set_mood(Mood::OutOfRegisters);
    registry.get_or_create::<Cast>(&2, None).unwrap_err();
    let summary = ResourceCacheSummary { cache: "cast".into(), hits: 98, misses: 2, hit_rate: 98.0, size: 1 };
    let events = data(&recorder);
    assert_eq!(events[1..], [not_created(2, CreationOutcome::Failed, None)[1].clone(), summary.into()]);
}

#[test]
fn a_cleared_cache_goes_on_counting_to_a_hundred() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    get(&mut registry, [1; 60]);
    registry.clear();
    get(&mut registry, [1; 39]);
    assert_eq!(recorder.count(EventKind::ResourceCacheSummary), 0);
    get(&mut registry, [1]);
    assert_eq!(recorder.count(EventKind::ResourceCacheSummary), 1);
}

// Times.

#[test]
fn events_carry_the_time_of_the_registrys_clock() {
    let foundry = Foundry::default();
    foundry.wait(10 * SECOND);
    foundry.set_cost(3 * SECOND);
    let (mut registry, recorder) = foundry.recorded();
    get(&mut registry, [1]); // from 10 to 13
    foundry.wait(2 * SECOND);
    get(&mut registry, [1]);
    foundry.wait(SECOND);
    registry.clear();
    let times: Vec<_> =
        recorder.events().iter().map(|event| (event.kind(), event.timestamp.unwrap() / SECOND_NS)).collect();
    assert_eq!(
        times,
        [
            (EventKind::ResourceCreated, 13),
            (EventKind::ResourceCacheAccess, 10),
            (EventKind::ResourceCacheAccess, 15),
            (EventKind::EntryRemoved, 16),
            (EventKind::CacheCleared, 16),
        ]
    );
    let events = recorder.events();
    assert_eq!(events[0].data, created(1, 3 * SECOND_NS));
    let EventData::EntryRemoved(entry) = &events[3].data else { panic!("{:?}", events[3]) };
    // Its life began when the creation was over.
    assert_eq!((entry.age_ns, entry.idle_ns), (3 * SECOND_NS, SECOND_NS));
    assert_eq!((entry.reuse_count, entry.creation_ns), (1, 3 * SECOND_NS));
}

#[test]
fn the_machines_clock_gives_the_time_since_the_unix_epoch() {
    let recorder = Arc::new(Recorder::new());
    let mut registry = CacheRegistry::new().with_sink(recorder.clone());
    let since_epoch = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let before = since_epoch();
    registry.get_or_create::<MpsGemm>(&(1, 2, 3), None).unwrap();
    let (first, after) = (recorder.events()[0].timestamp.unwrap(), since_epoch());
    let slack = u128::from(5 * SECOND_NS); // a machine's time may be set while a test runs, but hardly by more
    assert!((before - slack..after + slack).contains(&u128::from(first)), "{before} {first} {after}");
}

// Labels.

thread_local! {
    static FORMATTED: Cell<u32> = const { Cell::new(0) };
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct CountedKey(u32);

impl fmt::Debug for CountedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        FORMATTED.set(FORMATTED.get() + 1);
        write!(f, "CountedKey({})", self.0)
    }
}

struct Counted;

impl CacheableKernel for Counted {
    type Key = CountedKey;
    type CachedResource = ();
    type Params = u32;

    const CACHE_NAME: &'static str = "counted";

    fn create_cache_key(n: &u32) -> CountedKey {
        CountedKey(*n)
    }

    fn create_cached_resource(key: &CountedKey, _: Option<&metallic::Device>) -> Result<(), MetalError> {
        if key.0 == 666 { Err(MetalError::DeviceNotAvailable) } else { Ok(()) }
    }
}

/// How often a key is formatted meanwhile.
fn formatted(action: impl FnOnce()) -> u32 {
    let before = FORMATTED.get();
    action();
    FORMATTED.get() - before
}

/// Misses, hits, evictions, an expiry, a failure, a removal, a clear and a summary.
fn everything(registry: &mut CacheRegistry) {
    registry.set_eviction_policy::<Counted>(EvictionPolicy::size_limited_lru(3));
    for n in (0..5).chain([3; 100]) {
        registry.get_or_create::<Counted>(&n, None).unwrap();
    }
    registry.get_or_create::<Counted>(&666, None).unwrap_err();
    registry.remove::<Counted>(&CountedKey(3));
    registry.clear();
}

#[test]
fn a_key_is_formatted_once_in_its_entrys_life() {
    let recorder = Arc::new(Recorder::new());
    let mut registry = CacheRegistry::new().with_sink(recorder.clone());
    registry.set_eviction_policy::<Counted>(EvictionPolicy::size_limited_lru(1));
    let first_life = formatted(|| {
        for _ in 0..10 {
            registry.get_or_create::<Counted>(&1, None).unwrap();
        }
    });
    assert_eq!(first_life, 1);
    let another = formatted(|| drop(registry.get_or_create::<Counted>(&2, None)));
    assert_eq!(another, 1, "the one that left was not formatted again");
    let second_life = formatted(|| {
        for _ in 0..10 {
            registry.get_or_create::<Counted>(&1, None).unwrap();
        }
        registry.clear();
    });
    assert_eq!(second_life, 1);
}

#[test]
fn accesses_of_an_entry_share_its_label() {
    let recorder = Arc::new(Recorder::new());
    let mut registry = CacheRegistry::new().with_sink(recorder.clone());
    for _ in 0..3 {
        registry.get_or_create::<Counted>(&1, None).unwrap();
    }
    let labels: Vec<Arc<str>> = data(&recorder)
        .into_iter()
        .filter_map(|data| match data {
            EventData::ResourceCacheAccess(access) => Some(access.cache_key),
            _ => None,
        })
        .collect();
    assert_eq!(labels.len(), 3);
    assert!(labels.iter().all(|label| Arc::ptr_eq(label, &labels[0])));
}

#[test]
fn the_place_of_an_entry_that_left_has_the_label_of_the_next() {
    let foundry = Foundry::default();
    let (mut registry, recorder) = foundry.recorded();
    registry.set_eviction_policy::<Cast>(EvictionPolicy::fifo().with_max_entries(1));
    get(&mut registry, [1, 1]);
    recorder.clear();
    get(&mut registry, [2, 2]);
    let expected = [created(2, 0), access(2, false), access(2, true)];
    assert_eq!(data(&recorder)[2..], expected);
}

#[test]
fn without_a_sink_no_key_is_formatted() {
    let mut registry = CacheRegistry::new();
    assert_eq!(formatted(|| everything(&mut registry)), 0);
}

#[test]
fn for_a_sink_that_declines_no_key_is_formatted_and_no_event_recorded() {
    let recorder = Arc::new(Recorder::new());
    let mut registry = CacheRegistry::new().with_sink(Arc::new(KindFilter::new(recorder.clone(), [])));
    assert_eq!(formatted(|| everything(&mut registry)), 0);
    assert_eq!(recorder.events(), []);
}

#[test]
fn a_sink_gets_the_kinds_it_wants_and_no_key_is_formatted_for_those_without_one() {
    let keyless = [
        EventKind::CacheEviction,
        EventKind::CacheCleared,
        EventKind::CachePolicyChanged,
        EventKind::ResourceCacheSummary,
    ];
    let recorder = Arc::new(Recorder::new());
    let mut registry = CacheRegistry::new().with_sink(Arc::new(KindFilter::new(recorder.clone(), keyless)));
    assert_eq!(formatted(|| everything(&mut registry)), 0);
    let kinds: Vec<_> = recorder.events().iter().map(Event::kind).collect();
    let [evicted, cleared, changed, summary] = keyless;
    assert_eq!(kinds, [changed, evicted, evicted, summary, evicted, cleared, cleared]);
}

/// A sink that only just wakes up.
struct LateRiser(Recorder, std::sync::atomic::AtomicBool);

impl EventSink for LateRiser {
    fn enabled(&self, _: EventKind) -> bool {
        self.1.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn record(&self, event: &Event) {
        self.0.record(event);
    }
}

#[test]
fn a_sink_may_begin_to_want_events_at_any_time() {
    let foundry = Foundry::default();
    let sink = Arc::new(LateRiser(Recorder::new(), false.into()));
    let mut registry = foundry.registry().with_sink(sink.clone());
    get(&mut registry, [1, 1]);
    sink.1.store(true, std::sync::atomic::Ordering::Relaxed);
    get(&mut registry, [1, 2]);
    assert_eq!(data(&sink.0), [access(1, true), created(2, 0), access(2, false)]);
}

#[test]
fn a_registry_in_use_can_be_given_a_sink_and_then_another() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    get(&mut registry, [1, 2]);
    let (first, second) = (Arc::new(Recorder::new()), Arc::new(Recorder::new()));
    let mut registry = registry.with_sink(first.clone());
    get(&mut registry, [1]);
    registry.get_or_create::<MpsGemm>(&(1, 2, 3), None).unwrap(); // a cache that comes later
    assert_eq!(first.count(EventKind::ResourceCacheAccess), 2);
    assert_eq!(first.events()[0].data, access(1, true));
    first.clear();
    let mut registry = registry.with_sink(second.clone());
    get(&mut registry, [2]);
    assert_eq!((first.events(), data(&second)), (vec![], vec![access(2, true)]));
}

#[test]
fn a_cache_alone_takes_its_clock_and_sink_in_either_order() {
    for clock_first in [true, false] {
        let foundry = Foundry::default();
        foundry.wait(5 * SECOND);
        let recorder = Arc::new(Recorder::new());
        let cache = KernelCache::<Cast, Foundry>::default().with_device(foundry.clone());
        let mut cache = if clock_first {
            cache.with_clock(foundry.clock().clone()).with_sink(recorder.clone())
        } else {
            cache.with_sink(recorder.clone()).with_clock(foundry.clock().clone())
        };
        cache.get_or_create(&1, None).unwrap();
        assert_eq!(recorder.events()[1], Event::at(5 * SECOND_NS, access(1, false)));
    }
}

// The log, against the lines of the specification.

const SPEC_ACCESS: &str = r#"{"type":"ResourceCacheAccess","data":{"cache_key":"mps_gemm:MpsGemmKey{m:1024,n:1024,k:1024}","hit":true,"bytes":0}}"#;
const SPEC_SUMMARY: &str = r#"{"type":"ResourceCacheSummary","data":{"cache":"mps_gemm","hits":450,"misses":50,"hit_rate":90.0,"size":87}}"#;
const SPEC_EVICTION: &str = r#"{"type":"CacheEviction","data":{"cache":"mps_gemm","strategy":"size_limited_lru","count":5,"reason":"size_limit_exceeded_max_1000","size_after":1000}}"#;

/// A log without times, and what a cache writes to it.
fn logged(name: &str, kinds: &[EventKind], action: impl FnOnce(&Arc<dyn EventSink>)) -> String {
    let path: PathBuf = [env!("CARGO_TARGET_TMPDIR"), name].iter().collect();
    let log = Arc::new(JsonlExporter::builder().timestamps(false).create(&path).unwrap());
    let sink: Arc<dyn EventSink> = Arc::new(KindFilter::new(log.clone(), kinds.iter().copied()));
    action(&sink);
    log.flush().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let events = JsonlReader::open(&path).unwrap().count();
    assert_eq!(events, text.lines().count(), "every line can be read back");
    text
}

fn gemm(registry: &mut CacheRegistry, m: usize) {
    registry.get_or_create::<MpsGemm>(&(m, 1024, 1024), None).unwrap();
}

#[test]
fn an_access_is_logged_as_the_specification_writes_it() {
    let text = logged("access.jsonl", &[EventKind::ResourceCacheAccess], |sink| {
        let mut registry = CacheRegistry::new().with_sink(sink.clone());
        gemm(&mut registry, 1024);
        gemm(&mut registry, 1024);
    });
    assert_eq!(text.lines().nth(1), Some(SPEC_ACCESS));
    assert_eq!(text.lines().next().unwrap(), SPEC_ACCESS.replace("true", "false"));
}

#[test]
fn a_summary_is_logged_as_the_specification_writes_it() {
    // Fifty misses cannot leave 87 entries; all else is as in the specification.
    let text = logged("summary.jsonl", &[EventKind::ResourceCacheSummary], |sink| {
        let mut registry = CacheRegistry::new().with_sink(sink.clone());
        for operation in 0..500 {
            gemm(&mut registry, operation % 50);
        }
        let summary = ResourceCacheSummary {
            cache: "mps_gemm".into(),
            hits: 450,
            misses: 50,
            hit_rate: 90.0,
            size: 87,
        };
        sink.record(&Event::new(summary));
    });
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 6);
    assert_eq!(lines[4], SPEC_SUMMARY.replace("87", "50"));
    assert_eq!(lines[5], SPEC_SUMMARY);
}

#[test]
fn an_eviction_is_logged_as_the_specification_writes_it() {
    // The specification counts the newcomer; `size_after` is the size before it is there.
    let text = logged("eviction.jsonl", &[EventKind::CacheEviction], |sink| {
        let mut registry = CacheRegistry::new().with_sink(sink.clone());
        (0..1004).for_each(|m| gemm(&mut registry, m));
        registry.set_eviction_policy::<MpsGemm>(EvictionPolicy::size_limited_lru(1000));
        gemm(&mut registry, 5000);
        let eviction = CacheEviction {
            cache: "mps_gemm".into(),
            strategy: "size_limited_lru".into(),
            count: 5,
            reason: "size_limit_exceeded_max_1000".into(),
            size_after: 1000,
        };
        sink.record(&Event::new(eviction));
    });
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines,
        [SPEC_EVICTION.replace(r#""size_after":1000"#, r#""size_after":999"#).as_str(), SPEC_EVICTION]
    );
}

#[test]
fn spaces_in_the_literals_of_a_key_stay_in_the_log() {
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct NamedKey {
        name: String,
        shape: [usize; 2],
    }
    struct Named;
    impl CacheableKernel for Named {
        type Key = NamedKey;
        type CachedResource = ();
        type Params = &'static str;
        const CACHE_NAME: &'static str = "named";
        fn create_cache_key(name: &&'static str) -> NamedKey {
            NamedKey { name: (*name).to_owned(), shape: [2, 3] }
        }
        fn create_cached_resource(_: &NamedKey, _: Option<&metallic::Device>) -> Result<(), MetalError> {
            Ok(())
        }
    }
    let text = logged("literals.jsonl", &[EventKind::ResourceCacheAccess], |sink| {
        let mut registry = CacheRegistry::new().with_sink(sink.clone());
        registry.get_or_create::<Named>(&r#"two "words", more"#, None).unwrap();
    });
    let expected = r#"named:NamedKey{name:"two \"words\", more",shape:[2,3]}"#;
    let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!(line["data"]["cache_key"], expected);
}
