//! The page of a log: what it says besides the report's figures.

use std::sync::Arc;
use std::time::Duration;

use crate::made::{Numbered, Work, dice, open_log, write};
use metallic::caching::{CacheRegistry, EvictionPolicy, ManualClock};
use metallic::slots::Spans;
use metallic_cli::commands::report::Collector;
use metallic_cli::commands::report::html::{Contents, page};
use metallic_cli::input::LogReader;
use metallic_instrumentation::{
    CreationOutcome, Event, KvCacheResized, KvCacheTruncated, Recorder, RegistryOpened, ResourceCacheAccess,
    ResourceCreated, WarmUpFinished,
};

const MS: u64 = 1_000_000;
/// 2026-11-02, 08:00 UTC.
const START: u64 = 1_793_606_400_000 * MS;

fn contents(events: &[Event]) -> Contents {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let path = folder.path().join("serving.jsonl");
    write(&path, events);
    Contents::read(LogReader::open(&[path]).expect("the log is there"), Collector::new(1000))
        .expect("the log has events")
}

fn access(key: &str, hit: bool, at: u64) -> Event {
    Event::at(at, ResourceCacheAccess { cache_key: key.into(), hit, bytes: 0 })
}

fn creation(key: &str, bytes: u64, at: u64) -> [Event; 2] {
    let (cache, _) = key.split_once(':').expect("a label has a colon");
    let created = ResourceCreated {
        cache: cache.to_owned().into(),
        cache_key: key.into(),
        duration_ns: MS,
        own_duration_ns: MS,
        loaded: false,
        outcome: CreationOutcome::Created,
        error: None,
        bytes,
    };
    [Event::at(at, created), access(key, false, at)]
}

/// A loop over one key more than there is room for.
fn thrashing() -> Vec<Event> {
    let (clock, recorder) = (ManualClock::new(), Arc::new(Recorder::new()));
    let sink = Arc::new(Numbered { number: 1, sink: recorder.clone() });
    let mut registry = CacheRegistry::with_device(clock.clone()).with_clock(clock.clone()).with_sink(sink);
    registry.set_eviction_policy::<Work>(EvictionPolicy::size_limited_lru(11));
    let mut next = dice(7);
    for step in 0..3000 {
        let key = if step % 7 == 0 { next() % 12 } else { step % 12 };
        registry.get_or_create::<Work>(&key, None).expect("it can be made");
        clock.advance(Duration::from_micros(20));
    }
    recorder.events()
}

#[test]
fn title_and_head_name_log_program_device_and_time() {
    let device = Some("a <GPU>".to_owned());
    let mut events = vec![open_log(7, START)];
    events.push(
        Event::at(START, RegistryOpened { name: Some("decoder".into()), device, shared: true })
            .in_registry(1),
    );
    events.extend(creation("c:1", 0, START + MS).map(|event| event.in_registry(1)));
    let page = page(&contents(&events));
    let title = page.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).expect("a title");
    for part in ["serving.jsonl", "engine", "2026-11-02 08:00:00 UTC"] {
        assert!(title.contains(part), "{part} is not in {title}");
    }
    let head = page.split("<header>").nth(1).and_then(|rest| rest.split("</header>").next()).expect("a head");
    for part in ["serving.jsonl", "engine", "a &lt;GPU&gt;", "decoder", "2026-11-02 08:00:00 UTC"] {
        assert!(head.contains(part), "{part} is not in {head}");
    }
}

#[test]
fn each_column_of_a_plot_tells_its_figures_and_equal_lines_are_named() {
    let mut events = Vec::new();
    for step in 0..20 {
        for cache in ["one", "two"] {
            events.extend(creation(&format!("{cache}:{step}"), 0, START + step * 50 * MS));
        }
    }
    let page = page(&contents(&events));
    let entries = page.split("id=\"entries\"").nth(1).expect("a plot of entries");
    assert!(entries.contains("<title>0 s to "), "a column says what it spans");
    assert!(entries.contains("\none: 20\ntwo: 20</title>"), "and the peak is reached");
    assert!(entries.contains("equal throughout take turns in colour: one, two."));
}

#[test]
fn the_peak_within_a_column_is_drawn() {
    let mut events: Vec<Event> = (0..9).flat_map(|n| creation(&format!("c:{n}"), 0, START + n)).collect();
    let cleared = metallic_instrumentation::CacheCleared { cache: "c".into(), count: 9, size_after: 0 };
    events.push(Event::at(START + 10, cleared));
    events.push(access("c:1", false, START + 5000 * MS));
    let contents = contents(&events);
    assert_eq!(contents.report.caches[0].series[0].entries, Some(0));
    assert_eq!(contents.report.caches[0].series[0].peak_entries, Some(9));
    assert!(page(&contents).contains("\nc: 9</title>"));
}

#[test]
fn advice_comes_with_its_code_and_a_dear_key_with_its_command() {
    let contents = contents(&thrashing());
    let [advice] = contents.advice.as_deref().expect("there is advice") else { panic!("of one cache") };
    let code = advice.code.as_deref().expect("one entry more saves nearly all");
    let page = page(&contents);
    let section =
        page.split("id=\"advice\"").nth(1).and_then(|rest| rest.split("</section>").next()).unwrap();
    let code = code.lines().last().expect("it has lines").replace("::<K>", "::&lt;K&gt;");
    assert!(section.contains(&code), "{section}");
    assert!(section.contains("saves "));
    assert!(page.contains("serving.jsonl &#39;work:"), "the command that explains a key");
    assert!(page.contains("metallic explain "));
}

#[test]
fn a_log_without_evictions_is_left_as_it_is_and_has_no_card_for_them() {
    let mut events: Vec<Event> = creation("c:1", 0, START).into();
    events.extend((1..50).map(|n| access("c:1", true, START + n * MS)));
    let page = page(&contents(&events));
    assert!(page.contains("<b>c</b>: leave as it is: nothing was evicted"));
    assert!(!page.contains("id=\"evictions\"") && !page.contains("id=\"rebuilt-keys\""));
}

#[test]
fn memory_and_kv_caches_are_drawn_and_have_rows() {
    let kv = |len, capacity, bytes, at| {
        let cache = "kv".into();
        let peak_bytes = bytes + 10;
        Event::at(at, KvCacheResized { cache, layers: 2, len, capacity, bytes, peak_bytes, duration_ns: 5 })
    };
    let mut events: Vec<Event> = creation("c:1", 3 << 20, START).into();
    events.push(kv(0, 64, 1000, START + MS));
    events.push(Event::at(START + 9 * MS, KvCacheTruncated { cache: "kv".into(), from: 40, to: 0 }));
    events.push(kv(0, 0, 0, START + 99 * MS));
    let contents = contents(&events);
    assert_eq!(
        (contents.report.caches[0].bytes, contents.report.caches[0].peak_bytes),
        (Some(3 << 20), Some(3 << 20))
    );
    let [figures] = &contents.report.kv_caches[..] else { panic!("one KV cache") };
    assert_eq!((figures.peak_positions, figures.peak_capacity, figures.capacity), (40, 64, 0));
    assert_eq!((figures.peak_bytes, figures.bytes, figures.resized, figures.truncated), (1010, 0, 2, 1));
    let page = page(&contents);
    for part in ["id=\"memory\"", "id=\"kv-cache\"", "<small>2 layers</small>", "3.0 MiB"] {
        assert!(page.contains(part), "{part} is not in the page");
    }
}

#[test]
fn what_a_warm_up_created_is_set_against_what_was_used() {
    let mut events: Vec<Event> = ["c:used", "c:idle"].map(|key| creation(key, 0, START + MS)).concat();
    let finished = WarmUpFinished {
        created: 2,
        loaded: 0,
        present: 0,
        failed: 0,
        skipped: 0,
        left_out: 0,
        duration_ns: 2 * MS,
    };
    events.push(Event::at(START + 2 * MS, finished));
    events.push(access("c:used", true, START + 3 * MS));
    events.extend(creation("c:late", 0, START + 4 * MS));
    let contents = contents(&events);
    let coverage = contents.coverage.as_ref().expect("the log has a warm-up");
    assert_eq!(coverage.never_used, ["c:idle".to_owned()].into());
    assert_eq!(coverage.never_warmed, ["c:late".to_owned()].into());
    assert!(coverage.used_before_ready.is_empty());
    let page = page(&contents);
    assert!(page.contains("1 key: warmed and never used") && page.contains("1 key: used and never warmed"));
}

#[test]
fn a_clock_that_goes_back_is_noted_and_time_goes_on() {
    let hour = 3_600_000 * MS;
    let mut events: Vec<Event> = (0..100).map(|n| access("c:1", true, START + n * 10 * MS)).collect();
    events.extend((0..100).map(|n| access("c:1", true, START - hour + n * 10 * MS)));
    let contents = contents(&events);
    let report = &contents.report;
    assert_eq!(report.clock_steps_back, 1);
    let (first, last) = report.span.expect("it has times");
    assert!(last - first < 3_000 * MS, "two seconds are not an hour: {}", last - first);
    assert!(page(&contents).contains("clock went back 1 time, by up to 1.00 h"));
}

#[test]
fn creations_and_steps_of_many_seconds_are_no_clock_that_goes_back() {
    let (clock, recorder) = (ManualClock::new(), Arc::new(Recorder::new()));
    let sink = Arc::new(Numbered { number: 1, sink: recorder.clone() });
    let mut registry = CacheRegistry::with_device(clock.clone()).with_clock(clock.clone()).with_sink(sink);
    let spans = registry.slot_mut(Spans::default).clone();
    let frame = spans.begin();
    for key in [20_000_000, 30_000_000, 20_000_000] {
        registry.get_or_create::<Work>(&key, None).expect("it can be made");
    }
    frame.end("frame", || "1".to_owned());
    registry.get_or_create::<Work>(&40_000_000, None).expect("it can be made");
    assert_eq!(contents(&recorder.events()).report.clock_steps_back, 0);
}
