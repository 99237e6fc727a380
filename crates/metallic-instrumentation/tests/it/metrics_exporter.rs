use metallic_instrumentation::{
    CreationOutcome, Event, EventData, EventKind, EventSink, MetricsExporter, ResourceCacheAccess,
    ResourceCacheSummary, ResourceCreated,
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
    Event::new(ResourceCreated {
        cache: "gemm".into(),
        cache_key: "gemm:K".into(),
        duration_ns: seconds * 1_000_000_000,
        own_duration_ns: seconds * 1_000_000_000,
        outcome,
        error: None,
        bytes: 0,
    })
}

#[test]
fn accesses_are_counted_by_the_cache_before_the_first_colon() {
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
fn accesses_and_summaries_together_are_not_counted_twice() {
    recorded(|handle| {
        let exporter = MetricsExporter::new();
        (0..3).for_each(|_| exporter.record(&access("gemm:K", true)));
        exporter.record(&summary(3, 1));
        let page = handle.render();
        assert_eq!(value(&page, r#"metallic_cache_hits_total{cache="gemm"}"#), Some("3"));
        assert_eq!(value(&page, r#"metallic_cache_misses_total{cache="gemm"}"#), Some("0"));
        assert_eq!(value(&page, r#"metallic_cache_hit_ratio{cache="gemm"}"#), Some("0.75"));
        assert_eq!(value(&page, r#"metallic_cache_entries{cache="gemm"}"#), Some("5"));
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
        assert_eq!(value(&page, r#"metallic_cache_entries{cache="a"}"#), Some("3"));
    });
}

#[test]
fn creations_are_counted_and_timed_by_outcome() {
    recorded(|handle| {
        let exporter = MetricsExporter::new();
        exporter.record(&summary(0, 1));
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
        // Five of the summary, two that were created.
        assert_eq!(value(&page, r#"metallic_cache_entries{cache="gemm"}"#), Some("7"));
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
        assert_eq!(value(&page, r#"metallic_cache_entries{cache="a"}"#), Some("0"));
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
