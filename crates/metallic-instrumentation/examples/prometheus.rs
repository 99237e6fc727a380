//! Metrics of a cache in the form Prometheus scrapes: `cargo run -p metallic-instrumentation --features metrics --example
//! prometheus`.
//!
//! The events come from a cache in a real program; here they are made by hand.

use metallic_instrumentation::{
    CacheEviction, CreationOutcome, Event, EventData, EventSink, MetricsExporter, ResourceCacheAccess,
    ResourceCacheSummary, ResourceCreated,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Buckets from cached binaries to slow compiles; without any, the exporter gives quantiles.
    let prometheus = PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Full("metallic_cache_creation_seconds".into()),
            &[0.001, 0.01, 0.1, 1.0, 10.0],
        )?
        .install_recorder()?;
    let sink = MetricsExporter::new();

    for event in events_of_a_cache() {
        if sink.enabled(event.kind()) {
            sink.record(&event);
        }
    }

    let page = prometheus.render();
    print!("{page}");
    for line in [
        r#"metallic_cache_hits_total{cache="gemm"} 97"#,
        r#"metallic_cache_misses_total{cache="gemm"} 3"#,
        r#"metallic_cache_evictions_total{cache="gemm",strategy="size_limited_lru",cause="size_limit"} 1"#,
        r#"metallic_cache_creation_seconds_bucket{cache="gemm",outcome="created",le="0.1"} 3"#,
    ] {
        assert!(page.lines().any(|is| is == line), "missing from the page: {line}");
    }
    Ok(())
}

/// A hundred look-ups on a cache with room for two entries.
fn events_of_a_cache() -> Vec<Event> {
    let access = |m: u32, hit| ResourceCacheAccess {
        cache_key: format!("gemm:GemmKey{{m:{m}}}").into(),
        hit,
        bytes: 0,
    };
    let mut events: Vec<EventData> = Vec::new();
    for m in [64, 128, 256] {
        if m == 256 {
            events.push(
                CacheEviction {
                    cache: "gemm".into(),
                    strategy: "size_limited_lru".into(),
                    count: 1,
                    reason: "size_limit_exceeded_max_2".into(),
                    size_after: 1,
                }
                .into(),
            );
        }
        events.push(
            ResourceCreated {
                cache: "gemm".into(),
                cache_key: access(m, false).cache_key,
                duration_ns: 40_000_000,
                own_duration_ns: 40_000_000,
                loaded: false,
                outcome: CreationOutcome::Created,
                error: None,
                bytes: 0,
            }
            .into(),
        );
        events.push(access(m, false).into());
    }
    events.extend((0..97).map(|_| access(256, true).into()));
    events.push(
        ResourceCacheSummary { cache: "gemm".into(), hits: 97, misses: 3, hit_rate: 97.0, size: 2 }.into(),
    );
    events.into_iter().map(Event::new).collect()
}
