//! The figures of `metallic report`, and odd logs that it must not trip over.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use metallic::caching::{CacheRegistry, CacheableKernel, EvictionPolicy, ManualClock};
use metallic::error::MetalError;
use metallic_cli::Error;
use metallic_cli::commands::report::{Axis, Collector, CountedBy, Report, collect, html, write_tables};
use metallic_cli::commands::top::{Live, Screen, draw};
use metallic_cli::input::LogReader;
use metallic_cli::progress::Progress;
use metallic_instrumentation::{Event, Recorder};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

const MANY: usize = 1000;

fn reported(log: impl Into<Vec<u8>>) -> Report {
    try_reported(log, MANY).expect("the log has events")
}

fn try_reported(log: impl Into<Vec<u8>>, keys: usize) -> Result<Report, Error> {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let path = folder.path().join("log.jsonl");
    std::fs::write(&path, log.into()).expect("the folder is there");
    collect(LogReader::open(&[path])?, keys)
}

fn page(log: impl Into<Vec<u8>>) -> String {
    let log =
        LogReader::starting_with("log", Box::new(Cursor::new(log.into())), Vec::new(), Progress::none());
    html::page(&html::Contents::read(log, Collector::new(MANY)).expect("the log has events"))
}

fn lines(events: &[Event]) -> String {
    events
        .iter()
        .map(|event| serde_json::to_string(event).expect("an event has a JSON form") + "\n")
        .collect()
}

fn tables(report: &Report) -> String {
    let mut out = Cursor::new(Vec::new());
    write_tables(report, &mut out).expect("writing into memory cannot fail");
    String::from_utf8(out.into_inner()).expect("tables are text")
}

fn created(key: &str, ms: u64, at: u64) -> String {
    format!(
        r#"{{"type":"ResourceCreated","data":{{"cache":"c","cache_key":"c:{key}","duration_ns":{},"outcome":"created","bytes":0}},"timestamp":{at}}}
{{"type":"ResourceCacheAccess","data":{{"cache_key":"c:{key}","hit":false,"bytes":0}},"timestamp":{at}}}
"#,
        ms * 1_000_000
    )
}

fn hit(key: &str, at: u64) -> String {
    format!(
        r#"{{"type":"ResourceCacheAccess","data":{{"cache_key":"c:{key}","hit":true,"bytes":0}},"timestamp":{at}}}
"#
    )
}

fn evicted(key: &str, idle_ms: u64, at: u64) -> String {
    format!(
        r#"{{"type":"EntryRemoved","data":{{"cache":"c","cache_key":"c:{key}","cause":"size_limit","age_ns":1,"idle_ns":{},"reuse_count":0,"creation_ns":1,"bytes":0}},"timestamp":{at}}}
{{"type":"CacheEviction","data":{{"cache":"c","strategy":"lru","count":1,"reason":"size_limit_exceeded_max_1","size_after":0}},"timestamp":{at}}}
"#,
        idle_ms * 1_000_000
    )
}

/// The tables, with their sentences in one line each.
fn unwrapped(report: &Report) -> String {
    tables(report).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_was_loaded_is_told_apart_from_what_was_compiled() {
    let loaded = |key: &str, ms, at| {
        created(key, ms, at).replace(r#""outcome":"created""#, r#""loaded":true,"outcome":"created""#)
    };
    let compiled = created("a", 100, 1) + &created("b", 50, 2);
    let without = reported(compiled.clone());
    assert_eq!((without.caches[0].loads, without.caches[0].load_ns), (0, 0));
    assert!(!tables(&without).contains("loaded"), "where nothing is loaded, there is no column for it");
    let report = reported(compiled + &loaded("c", 2, 3) + &loaded("d", 1, 4));
    let cache = &report.caches[0];
    assert_eq!((cache.creations, cache.failed, cache.creation_ns.sum), (4, 0, 153_000_000));
    assert_eq!((cache.loads, cache.load_ns), (2, 3_000_000));
    let tables = tables(&report);
    assert!(tables.contains("loaded sum") && tables.contains("3.00 ms"), "{tables}");
}

#[test]
fn what_was_evicted_and_created_again_is_named_with_what_that_cost() {
    let log = [
        created("a", 10, 1_000),
        hit("a", 2_000),
        evicted("a", 3, 3_000),
        created("b", 20, 4_000),
        evicted("b", 5, 5_000),
        created("a", 30, 6_000),
    ];
    let report = reported(log.concat());
    let cache = &report.caches[0];
    assert_eq!((cache.hits, cache.misses, cache.evictions), (1, 3, 2));
    assert_eq!((cache.rebuilt, cache.rebuilt_ns), (1, 30_000_000));
    assert_eq!(cache.creation_ns.sum, 60_000_000);
    assert_eq!(cache.creation_ns.max, 30_000_000);
    assert_eq!(cache.evictions_by_reason, [("size_limit_exceeded_max_1".to_owned(), 2)]);
    assert_eq!(cache.idle_at_eviction.iter().map(|bar| bar.count).sum::<u64>(), 2);
    assert_eq!(report.rebuilt_keys.len(), 1);
    assert_eq!((&*report.rebuilt_keys[0].key, report.rebuilt_keys[0].rebuilt_ns), ("c:a", 30_000_000));
    assert_eq!(report.dearest_keys[0].creation_ns, 40_000_000);
}

#[test]
fn a_creation_of_what_was_there_is_not_called_a_rebuild() {
    let report = reported([created("a", 10, 1), created("a", 20, 2)].concat());
    let cache = &report.caches[0];
    assert_eq!((cache.rebuilt, cache.unexplained, cache.unexplained_ns), (0, 1, 20_000_000));
    assert!(unwrapped(&report).contains("another run of the program"));
}

#[test]
fn lines_that_are_no_events_are_counted_and_named() {
    let log =
        format!("{}not json\n{{\"type\":\"Newer\",\"data\":{{}}}}\n\n{}", hit("a", 1), r#"{"type":"Reso"#);
    let report = reported(log);
    assert_eq!(report.events, 1);
    let skipped = &report.skipped[0];
    assert_eq!(skipped.lines, 4);
    assert!(skipped.file.ends_with("log.jsonl"));
    let text = unwrapped(&report);
    for part in ["1 torn", "1 not events", "1 of unknown type", "1 blank", "line 2: not an event", "Newer"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

#[test]
fn a_log_without_events_is_refused_with_the_reason() {
    let error = |log: &str| try_reported(log, MANY).unwrap_err().to_string();
    assert!(error("").ends_with("log.jsonl: the log is empty"));
    let foreign = error("hello\nworld\n");
    assert!(foreign.contains("no events, but 2 other lines") && foreign.contains("line 1"), "{foreign}");
}

#[test]
fn a_log_that_has_one_access_in_ten_is_counted_by_its_summaries() {
    let mut log = String::new();
    for n in 1..=5 {
        (0..10).for_each(|k| log += &hit("a", n * 1000 + k));
        log += &format!(
            r#"{{"type":"ResourceCacheSummary","data":{{"cache":"c","hits":{},"misses":{},"hit_rate":80.0,"size":7}},"timestamp":{}}}
"#,
            80 * n,
            20 * n,
            n * 1000 + 999
        );
    }
    let report = reported(log);
    let cache = &report.caches[0];
    assert_eq!((cache.counted_by, cache.hits, cache.misses), (CountedBy::Summaries, 400, 100));
    assert_eq!(cache.logged_accesses, 50);
    assert!(tables(&report).contains("sampled or filtered"));
}

#[test]
fn a_log_without_times_is_drawn_by_numbers_of_events() {
    let log = [created("a", 10, 1), hit("a", 2), evicted("a", 1, 3)].concat();
    let timeless: String =
        log.lines().map(|line| line.split(",\"timestamp\"").next().unwrap().to_owned() + "}\n").collect();
    let report = reported(timeless.clone());
    assert_eq!((report.axis, report.span), (Axis::Events, Some((0, 4))));
    assert_eq!(report.caches[0].hits, 1);
    assert!(page(timeless).contains("id=\"hit-rate\""));
}

#[test]
fn beyond_the_limit_of_keys_the_sums_stay_whole_and_what_is_lacking_is_said() {
    let log: String = (0..5000).map(|n| created(&format!("{n}"), 1 + n % 7, n)).collect();
    let report = try_reported(log, 100).unwrap();
    let exact: u64 = (0..5000).map(|n| (1 + n % 7) * 1_000_000).sum();
    assert_eq!(report.caches[0].creation_ns.sum, exact);
    assert!(report.keys.tracked <= 100 && report.keys.forgotten >= 4900);
    let named: u64 = report.dearest_keys.iter().map(|key| key.creation_ns).sum();
    assert_eq!(named + report.keys.other_creation_ns, exact);
    assert!(tables(&report).contains("all others"));
    assert!(tables(&report).contains("were forgotten"));
}

#[test]
fn more_caches_than_can_be_told_apart_are_one_row() {
    let access = |n| {
        format!(
            "{{\"type\":\"ResourceCacheAccess\",\"data\":{{\"cache_key\":\"c{n}:k\",\"hit\":true,\"bytes\":0}}}}\n"
        )
    };
    let report = reported((0..200).map(access).collect::<String>());
    assert_eq!(report.caches.len(), 65);
    assert_eq!(report.caches.iter().map(|cache| cache.hits).sum::<u64>(), 200);
}

/// Makes numbers, and takes as many milliseconds as the number says; odd ones beyond a hundred cannot be made.
struct Numbers;

impl CacheableKernel<ManualClock> for Numbers {
    type Key = u64;
    type CachedResource = u64;
    type Params = u64;
    const CACHE_NAME: &'static str = "numbers";

    fn create_cache_key(params: &u64) -> u64 {
        *params
    }

    fn create_cached_resource(key: &u64, clock: Option<&ManualClock>) -> Result<u64, MetalError> {
        clock.expect("the registry has a device").advance(Duration::from_millis(*key));
        if *key > 100 && key % 2 == 1 { Err(MetalError::invalid_params("odd")) } else { Ok(*key) }
    }
}

#[test]
fn the_report_says_what_the_registry_counted() {
    let (clock, recorder) = (ManualClock::new(), Arc::new(Recorder::new()));
    let mut registry =
        CacheRegistry::with_device(clock.clone()).with_clock(clock.clone()).with_sink(recorder.clone());
    registry.set_eviction_policy::<Numbers>(EvictionPolicy::hybrid(8, Duration::from_millis(900)));
    let mut dice = 1_u64;
    for step in 0..3000 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = ((dice >> 33) % 12) * ((dice >> 45) % 12) + 1;
        registry.get_or_create::<Numbers>(&number, None).ok();
        clock.advance(Duration::from_millis(dice >> 60));
        if step == 2000 {
            registry.clear_cache::<Numbers>();
        }
    }
    let report = reported(lines(&recorder.events()));
    let (cache, counted) = (&report.caches[0], registry.metrics::<Numbers>().unwrap());
    assert_eq!((cache.hits, cache.misses), (counted.hits, counted.misses));
    assert_eq!(cache.entries, Some(counted.size as u64));
    assert_eq!((cache.evictions, cache.removals), (counted.evictions, counted.removals));
    assert_eq!(cache.failed, counted.failed_creations);
    assert!(counted.failed_creations > 0 && counted.evictions > 0 && counted.removals > 0);
    assert_eq!(Duration::from_nanos(cache.creation_ns.sum), counted.creation_time);
    assert_eq!(cache.unexplained, 0);
    let by_moment: (u64, u64) =
        cache.series.iter().fold((0, 0), |sum, at| (sum.0 + at.hits, sum.1 + at.creation_ns));
    assert_eq!(by_moment, (cache.hits, cache.creation_ns.sum));
}

#[test]
fn the_json_has_the_documented_fields() {
    let report = reported([created("a", 10, 1), hit("a", 2)].concat());
    let json = serde_json::to_value(&report).unwrap();
    let fields: Vec<&String> = json.as_object().unwrap().keys().collect();
    #[rustfmt::skip]
    let expected = [
        "axis", "bucket", "caches", "clock_steps_back", "dearest_keys", "dropped_events", "events", "files", "keys", "kv_caches",
        "lines", "longest_step_back_ns", "processes", "rebuilt_keys", "skipped", "span", "steps",
        "violations",
    ];
    assert_eq!(fields, expected);
    assert_eq!(json["caches"][0]["hit_rate"], 0.5);
}

#[test]
fn a_key_cannot_become_markup_and_a_page_needs_nothing_else() {
    let evil = r#"<script>alert(1)</script><img src=x onerror=alert(2)>\" onload=\"x"#;
    let mut log = created(evil, 10, 1_000);
    for n in 0..40 {
        log += &evicted(evil, 5, 2_000 + n * 1_000);
        log += &created(evil, 10, 2_500 + n * 1_000);
        log += &hit(evil, 2_600 + n * 1_000);
    }
    log += "<script>alert(3)</script>\n";
    let page = page(log);
    assert_eq!(page.matches("<script").count(), 2, "the data and the script");
    for part in ["<script>alert", "<img", "http:", "https:", "\" onload"] {
        assert!(!page.contains(part), "{part} is in the page");
    }
    assert!(page.contains("&lt;script&gt;alert(1)"));
    let figures: Vec<&str> = page.split("<figure").skip(1).collect();
    assert_eq!(figures.len(), 8);
    for figure in figures {
        let plots = &figure[..figure.find("</details></figure>").unwrap()];
        assert!(plots.matches("<svg").count() == 2 || plots.contains("class=\"bars\""), "{plots}");
        for plot in plots.split("<svg").skip(1) {
            assert!(plot.contains("\"var(--s"), "no mark in {plot}");
            assert!(plot.contains("role=\"img\" aria-label=\"") && plot.contains("<title>"));
        }
    }
}

#[test]
fn text_of_a_log_cannot_steer_the_terminal() {
    let report = reported(created("\\u001b[2Jgone", 10, 1));
    assert!(!tables(&report).contains('\u{1b}'));
}

/// Events with figures at the ends of their ranges, in any order.
fn extreme_line() -> impl Strategy<Value = String> {
    let figure =
        || prop_oneof![Just(0), Just(1), Just(u64::MAX), Just(u64::MAX / 2), any::<u64>(), 0..10_000_u64];
    let name = || prop_oneof![Just("c"), Just("a:b"), Just(""), Just("<i>")];
    let time = prop_oneof![Just(String::new()), figure().prop_map(|at| format!(",\"timestamp\":{at}"))];
    let data = (0..7, name(), name(), figure(), figure(), any::<bool>()).prop_map(|(kind, cache, key, a, b, hit)| match kind {
        0 => format!(r#""type":"ResourceCacheAccess","data":{{"cache_key":"{cache}:{key}","hit":{hit},"bytes":{a}}}"#),
        1 => format!(r#""type":"ResourceCacheSummary","data":{{"cache":"{cache}","hits":{a},"misses":{b},"hit_rate":null,"size":{a}}}"#),
        2 => format!(r#""type":"CacheEviction","data":{{"cache":"{cache}","strategy":"{key}","count":{a},"reason":"idle_timeout_exceeded_{b}ms","size_after":{b}}}"#),
        3 => format!(r#""type":"ResourceCreated","data":{{"cache":"{cache}","cache_key":"{cache}:{key}","duration_ns":{a},"outcome":"created","bytes":{b}}}"#),
        4 => format!(r#""type":"EntryRemoved","data":{{"cache":"{cache}","cache_key":"{cache}:{key}","cause":"size_limit","age_ns":{a},"idle_ns":{b},"reuse_count":{a},"creation_ns":{b},"bytes":{a}}}"#),
        5 => format!(r#""type":"CacheCleared","data":{{"cache":"{cache}","count":{a},"size_after":{b}}}"#),
        _ => format!(r#""type":"EventsDropped","data":{{"count":{a}}}"#),
    });
    (data, time).prop_map(|(data, time)| format!("{{{data}{time}}}\n"))
}

proptest! {
    #[test]
    fn whatever_the_figures_are_there_is_a_report(log in proptest::collection::vec(extreme_line(), 1..60)) {
        let log = log.concat();
        let report = try_reported(log.clone(), 4).expect("every line is an event");
        prop_assert_eq!(report.lines, report.events);
        tables(&report);
        prop_assert!(page(log.clone()).ends_with("</html>\n"));
        let mut live = Live::default();
        live.feed(log.as_bytes(), 7);
        live.pass(u64::MAX);
        let mut terminal = Terminal::new(TestBackend::new(120, 30)).expect("the backend cannot fail");
        terminal.draw(|frame| draw(frame, "log", &live, &Screen::default())).expect("the backend cannot fail");
    }
}
