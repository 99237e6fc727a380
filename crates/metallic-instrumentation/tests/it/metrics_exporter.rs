use metallic_instrumentation::{
    CacheCleared, CacheEviction, CacheOpened, CreationOutcome, Event, EventData, EventKind, EventSink,
    MetricsExporter, ResourceCacheAccess, ResourceCacheSummary, ResourceCreated,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::samples::one_of_each;

/// Runs `test` with a recorder of its own in force.
fn recorded(test: impl FnOnce(&PrometheusHandle)) {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || test(&handle));
}

/// The value of this series, as the page has it.
fn value<'a>(page: &'a str, series: &str) -> Option<&'a str> {
    page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
}

fn access(key: &str, hit: bool) -> Event {
    Event::new(ResourceCacheAccess { cache_key: key.into(), hit, bytes: 0 })
}

fn summary(hits: u64, misses: u64) -> Event {
    let hit_rate = hits as f64 / (hits + misses) as f64 * 100.0;
    Event::new(ResourceCacheSummary { cache: "gemm".into(), hits, misses, hit_rate, size: 5 })
}

fn created(outcome: CreationOutcome, seconds: u64) -> Event {
    created_in("gemm", outcome, seconds)
}

fn created_in(cache: &'static str, outcome: CreationOutcome, seconds: u64) -> Event {
    Event::new(ResourceCreated {
        cache: cache.into(),
        cache_key: format!("{cache}:K").into(),
        duration_ns: 2 * seconds * 1_000_000_000,
        own_duration_ns: seconds * 1_000_000_000,
        loaded: false,
        outcome,
        error: None,
        bytes: 0,
    })
}

fn evicted(count: u64, size_after: u64) -> Event {
    let reason = "size_limit_exceeded_max_4".into();
    Event::new(CacheEviction { cache: "gemm".into(), strategy: "lru".into(), count, reason, size_after })
}

#[test]
fn accesses_of_unknown_caches_are_counted_by_the_name_before_the_first_colon() {
    recorded(|handle| {
        let exporter = MetricsExporter::new();
        for (key, hit) in
            [("gemm:K{a:1}", true), ("gemm:K{a:\"x:y\"}", false), ("sdpa:K", true), ("gemm:K", true)]
        {
            exporter.record(&access(key, hit));
        }
        let page = handle.render();
        assert_eq!(value(&page, r#"metallic_cache_hits_total{cache="gemm"}"#), Some("2"));
        assert_eq!(value(&page, r#"metallic_cache_misses_total{cache="gemm"}"#), Some("1"));
        assert_eq!(value(&page, r#"metallic_cache_hits_total{cache="sdpa"}"#), Some("1"));
        assert!(page.contains("# HELP metallic_cache_hits_total Look-ups answered from the cache\n"));
    });
}

#[test]
fn caches_with_colons_in_their_names_are_told_apart() {
    recorded(|handle| {
        let exporter = MetricsExporter::new();
        for (cache, hits) in [("app::gemm", 2), ("app::softmax", 6), ("app", 1)] {
            exporter.record(&created_in(cache, CreationOutcome::Created, 1));
            (0..hits).for_each(|_| exporter.record(&access(&format!("{cache}:K{{a:1,b:x::y}}"), true)));
        }
        let page = handle.render();
        let hits = |cache| value(&page, &format!(r#"metallic_cache_hits_total{{cache="{cache}"}}"#));
        assert_eq!(["app::gemm", "app::softmax", "app"].map(hits), [Some("2"), Some("6"), Some("1")]);
    });
}

#[test]
fn a_cache_is_known_from_its_opening() {
    recorded(|handle| {
        let exporter = MetricsExporter::new();
        let opened = one_of_each().into_iter().find_map(|event| match event.data {
            EventData::CacheOpened(opened) => Some(opened),
            _ => None,
        });
        exporter.record(&Event::new(CacheOpened { cache: "app::gemm".into(), ..opened.unwrap() }));
        exporter.record(&access("app::gemm:K", false));
        let page = handle.render();
        assert_eq!(value(&page, r#"metallic_cache_misses_total{cache="app::gemm"}"#), Some("1"));
        assert!(!page.contains(r#"cache="app""#));
    });
}

#[test]
fn the_entries_of_several_registries_are_counted_together() {
    recorded(|handle| {
        let exporter = MetricsExporter::new();
        let create = |count| {
            (0..count).for_each(|_| exporter.record(&created(CreationOutcome::Created, 1)));
        };
        let entries = || handle.render();
        let expect = |count: &str| {
            assert_eq!(value(&entries(), r#"metallic_cache_entries{cache="gemm"}"#), Some(count));
        };
        create(100);
        create(40);
        expect("140");
        exporter.record(&Event::new(CacheCleared { cache: "gemm".into(), count: 40, size_after: 0 }));
        expect("100");
        exporter.record(&evicted(90, 10));
        create(20);
        expect("30");
        exporter.record(&summary(60, 40));
        expect("30");
    });
}

#[test]
fn summaries_of_several_registries_are_added_up() {
    recorded(|handle| {
        let exporter = MetricsExporter::from_summaries();
        for (registry, hits, misses) in [(1, 60, 40), (2, 10, 90), (1, 150, 50), (2, 105, 95), (2, 99, 1)] {
            exporter.record(&summary(hits, misses).in_registry(registry));
        }
        let page = handle.render();
        // The last is that of a cache that was made anew.
        assert_eq!(value(&page, r#"metallic_cache_hits_total{cache="gemm"}"#), Some("354"));
        assert_eq!(value(&page, r#"metallic_cache_misses_total{cache="gemm"}"#), Some("146"));
    });
}

#[test]
fn artifacts_and_violations_are_counted_with_what_they_tell() {
    recorded(|handle| {
        let exporter = MetricsExporter::new();
        let wanted = |event: &&Event| exporter.enabled(event.kind());
        one_of_each().iter().filter(wanted).for_each(|event| exporter.record(event));
        let page = handle.render();
        for (series, expected) in [
            (r#"metallic_artifacts_found_total{cache="a",level="disk"}"#, "1"),
            (r#"metallic_artifact_found_bytes_total{cache="a",level="disk"}"#, "65536"),
            (r#"metallic_artifact_load_seconds_count{cache="a",level="disk"}"#, "1"),
            (r#"metallic_artifacts_missed_total{cache="a",cause="absent"}"#, "1"),
            (r#"metallic_artifacts_written_total{cache="a"}"#, "1"),
            (r#"metallic_artifact_written_bytes_total{cache="a"}"#, "65536"),
            (r#"metallic_artifacts_not_written_total{cache="a",level="disk",cause="full"}"#, "1"),
            (r#"metallic_incomplete_keys_total{cache="a"}"#, "1"),
            (r#"metallic_artifacts_rejected_total{cache="a",level="disk",cause="digest_differs"}"#, "1"),
            ("metallic_artifacts_evicted_total", "2"),
            ("metallic_artifact_evicted_bytes_total", "131072"),
            (r#"metallic_remote_failures_total{level="redis",operation="get"}"#, "1"),
            (
                r#"metallic_creation_violations_total{cache="a",scope="serving",mode="refuse",verdict="evicted"}"#,
                "1",
            ),
        ] {
            assert_eq!(value(&page, series), Some(expected), "{series} of\n{page}");
        }
    });
}

#[test]
fn accesses_and_summaries_together_are_not_counted_twice() {
    recorded(|handle| {
        let exporter = MetricsExporter::new();
        (0..3).for_each(|_| exporter.record(&access("gemm:K", true)));
        exporter.record(&summary(3, 1));
        let page = handle.render();
        assert_eq!(value(&page, r#"metallic_cache_hits_total{cache="gemm"}"#), Some("3"));
        assert_eq!(value(&page, r#"metallic_cache_misses_total{cache="gemm"}"#), Some("0"));
    });
}

#[test]
fn from_summaries_declines_accesses_and_takes_the_totals() {
    recorded(|handle| {
        let exporter = MetricsExporter::from_summaries();
        assert!(!exporter.enabled(EventKind::ResourceCacheAccess));
        exporter.record(&access("gemm:K", true));
        exporter.record(&summary(60, 40));
        exporter.record(&summary(150, 50));
        let page = handle.render();
        assert_eq!(value(&page, r#"metallic_cache_hits_total{cache="gemm"}"#), Some("150"));
        assert_eq!(value(&page, r#"metallic_cache_misses_total{cache="gemm"}"#), Some("50"));
    });
}

#[test]
fn evictions_are_counted_by_strategy_and_cause_without_the_limit() {
    recorded(|handle| {
        let exporter = MetricsExporter::new();
        let eviction = one_of_each().swap_remove(2);
        for reason in
            ["size_limit_exceeded_max_4", "size_limit_exceeded_max_8", "idle_timeout_exceeded_5ms", "mood"]
        {
            let mut event = eviction.clone();
            let EventData::CacheEviction(eviction) = &mut event.data else { panic!("not an eviction") };
            eviction.reason = reason.into();
            exporter.record(&event);
        }
        let page = handle.render();
        let series = |cause| {
            let labels = format!(r#"{{cache="a",strategy="size_limited_lru",cause="{cause}"}}"#);
            value(&page, &format!("metallic_cache_evictions_total{labels}"))
        };
        assert_eq!(series("size_limit"), Some("4"));
        assert_eq!(series("idle_timeout"), Some("2"));
        assert_eq!(series("other"), Some("2"));
        assert_eq!(value(&page, r#"metallic_cache_entries{cache="a"}"#), Some("-8"), "none was created");
    });
}

#[test]
fn creations_are_counted_and_timed_by_outcome() {
    recorded(|handle| {
        let exporter = MetricsExporter::new();
        for (outcome, seconds) in
            [(CreationOutcome::Created, 1), (CreationOutcome::Created, 2), (CreationOutcome::Failed, 4)]
        {
            exporter.record(&created(outcome, seconds));
        }
        let page = handle.render();
        let series = |metric, outcome| {
            let labels = format!(r#"{{cache="gemm",outcome="{outcome}"}}"#);
            value(&page, &format!("metallic_cache_{metric}{labels}"))
        };
        assert_eq!(series("creations_total", "created"), Some("2"));
        assert_eq!(series("creations_total", "failed"), Some("1"));
        assert_eq!(series("creations_total", "panicked"), Some("0"));
        assert_eq!(series("creation_seconds_sum", "created"), Some("3"));
        assert_eq!(series("creation_seconds_count", "failed"), Some("1"));
        assert_eq!(value(&page, r#"metallic_cache_entries{cache="gemm"}"#), Some("2"));
    });
}

#[test]
fn removals_are_those_of_the_caller() {
    recorded(|handle| {
        let exporter = MetricsExporter::new();
        one_of_each()
            .iter()
            .filter(|event| exporter.enabled(event.kind()))
            .for_each(|event| exporter.record(event));
        let page = handle.render();
        assert_eq!(value(&page, r#"metallic_cache_removals_total{cache="a"}"#), Some("3"));
    });
}

#[test]
fn a_kv_cache_has_gauges_of_its_memory_and_no_series_of_a_cache() {
    recorded(|handle| {
        let exporter = MetricsExporter::new();
        let kv_events = &one_of_each()[8..11];
        for event in kv_events {
            assert!(exporter.enabled(event.kind()));
            exporter.record(event);
        }
        exporter.record(&kv_events[1]);
        let page = handle.render();
        let series = |metric| value(&page, &format!(r#"metallic_kv_cache_{metric}{{cache="kv"}}"#));
        assert_eq!(series("bytes"), Some("4096"));
        assert_eq!(series("capacity_positions"), Some("32"));
        assert_eq!(series("resizes_total"), Some("1"));
        assert_eq!(series("rollbacks_total"), Some("2"));
        assert_eq!(series("refusals_total"), Some("1"));
        assert!(!page.contains("metallic_cache_entries{"));
    });
}

#[test]
fn without_a_recorder_nothing_happens() {
    let exporter = MetricsExporter::new();
    one_of_each().iter().for_each(|event| exporter.record(event));
}
