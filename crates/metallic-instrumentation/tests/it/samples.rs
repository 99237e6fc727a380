//! Events for tests, and their lines.
#![cfg_attr(not(feature = "jsonl"), allow(dead_code))]

use metallic_instrumentation::{
    ArtifactEvicted, ArtifactFound, ArtifactMissed, ArtifactNotWritten, ArtifactRejected, ArtifactWritten,
    CacheCleared, CacheEviction, CacheKind, CacheOpened, CachePolicyChanged, CreationOutcome,
    CreationViolation, EntryRemoved, Event, EventData, EventKind, EventsDropped, IncompleteKey,
    KvCacheRefused, KvCacheResized, KvCacheTruncated, LogOpened, RegistryOpened, RemoteFailed, RemovalCause,
    ResourceCacheAccess, ResourceCacheSummary, ResourceCreated, SpanEnded, ViolationMode, ViolationVerdict,
    WarmUpFinished,
};

/// An access without a time; its number stands in its bytes.
pub(crate) fn access(number: u64) -> Event {
    Event::new(ResourceCacheAccess { cache_key: "gemm:GemmKey{m:64}".into(), hit: true, bytes: number })
}

pub(crate) fn line(number: u64) -> String {
    format!(
        r#"{{"type":"ResourceCacheAccess","data":{{"cache_key":"gemm:GemmKey{{m:64}}","hit":true,"bytes":{number}}}}}"#
    ) + "\n"
}

pub(crate) fn dropped_line(count: u64) -> String {
    format!(r#"{{"type":"EventsDropped","data":{{"count":{count}}}}}"#) + "\n"
}

pub(crate) fn lines(numbers: impl IntoIterator<Item = u64>) -> String {
    numbers.into_iter().map(line).collect()
}

/// One event of every kind.
pub(crate) fn one_of_each() -> Vec<Event> {
    let data: Vec<EventData> = vec![
        ResourceCacheAccess { cache_key: "a:K{m:1}".into(), hit: false, bytes: 7 }.into(),
        ResourceCacheSummary { cache: "a".into(), hits: 3, misses: 1, hit_rate: 75.0, size: 1 }.into(),
        CacheEviction {
            cache: "a".into(),
            strategy: "size_limited_lru".into(),
            count: 2,
            reason: "size_limit_exceeded_max_4".into(),
            size_after: 3,
        }
        .into(),
        ResourceCreated {
            cache: "a".into(),
            cache_key: "a:K{m:1}".into(),
            duration_ns: 1_500_000_000,
            own_duration_ns: 500_000_000,
            loaded: true,
            outcome: CreationOutcome::Failed,
            error: Some("no such \"device\"".to_owned()),
            bytes: 0,
        }
        .into(),
        EntryRemoved {
            cache: "a".into(),
            cache_key: "a:K{m:1}".into(),
            cause: RemovalCause::IdleTimeout,
            age_ns: 5,
            idle_ns: 4,
            reuse_count: 3,
            creation_ns: 2,
            bytes: 1,
        }
        .into(),
        CacheCleared { cache: "a".into(), count: 3, size_after: 0 }.into(),
        CachePolicyChanged {
            cache: "a".into(),
            strategy: "lru".into(),
            max_entries: Some(4),
            max_idle_ns: None,
            max_idle_generations: Some(3),
            min_entries: 0,
        }
        .into(),
        EventsDropped { count: 9 }.into(),
        KvCacheResized {
            cache: "kv".into(),
            layers: 2,
            len: 16,
            capacity: 32,
            bytes: 4096,
            peak_bytes: 6144,
            duration_ns: 8,
        }
        .into(),
        KvCacheTruncated { cache: "kv".into(), from: 16, to: 3 }.into(),
        KvCacheRefused {
            cache: "kv".into(),
            positions: 64,
            capacity: 32,
            needed_bytes: 8192,
            limit_bytes: 5000,
            error: "the KV cache is full".to_owned(),
        }
        .into(),
        LogOpened {
            program: "server".to_owned(),
            version: Some("1.2.3".to_owned()),
            library: "0.1.0".into(),
            process_id: 4711,
            opened_unix_ns: 1_732_374_000_000_000_000,
            rotations: 2,
            devices: vec!["llvmpipe".to_owned(), "cpu".to_owned()],
        }
        .into(),
        RegistryOpened { name: Some("encoder".into()), device: Some("cpu".to_owned()), shared: true }.into(),
        CacheOpened {
            cache: "a".into(),
            kind: CacheKind::Kernel,
            strategy: "hybrid".into(),
            max_entries: Some(4),
            max_idle_ns: Some(5),
            max_idle_generations: Some(6),
            min_entries: 1,
        }
        .into(),
        ArtifactFound {
            cache: "a".into(),
            cache_key: "a:K{m:1}".into(),
            level: "disk".into(),
            bytes: 65_536,
            duration_ns: 90_000,
        }
        .into(),
        ArtifactMissed { cache: "a".into(), cache_key: "a:K{m:1}".into(), cause: "absent".into() }.into(),
        ArtifactWritten {
            cache: "a".into(),
            cache_key: "a:K{m:1}".into(),
            bytes: 65_536,
            duration_ns: 400_000,
        }
        .into(),
        ArtifactNotWritten {
            cache: Some("a".into()),
            cache_key: Some("a:K{m:1}".into()),
            level: "disk".into(),
            cause: "full".into(),
        }
        .into(),
        ArtifactRejected {
            cache: "a".into(),
            cache_key: "a:K{m:1}".into(),
            level: "disk".into(),
            cause: "digest_differs".into(),
        }
        .into(),
        ArtifactEvicted { count: 2, bytes: 131_072 }.into(),
        RemoteFailed { level: "redis".into(), operation: "get".into(), error: "timed out".to_owned() }.into(),
        CreationViolation {
            cache: "a".into(),
            cache_key: "a:K{m:1}".into(),
            scope: "serving".into(),
            mode: ViolationMode::Refuse,
            verdict: ViolationVerdict::Evicted,
            evicted_by: Some("lru".into()),
            nearest_key: Some("a:K{m:2}".into()),
            differing_fields: vec!["m".to_owned()],
            caller: Some("src/main.rs:7".into()),
            loaded: false,
            duration_ns: 0,
        }
        .into(),
        WarmUpFinished {
            created: 9,
            loaded: 8,
            present: 7,
            failed: 6,
            skipped: 5,
            left_out: 4,
            duration_ns: 3,
        }
        .into(),
        IncompleteKey {
            cache: "a".into(),
            cache_key: "a:K{m:1}".into(),
            differing_parts: vec!["options".to_owned()],
        }
        .into(),
        SpanEnded {
            name: "token".into(),
            label: Some("prompt 1, token 2".to_owned()),
            thread: Some("worker 1".to_owned()),
            duration_ns: 12,
        }
        .into(),
    ];
    let events: Vec<Event> =
        data.into_iter().zip(100..).map(|(data, time)| Event::at(time, data).in_registry(2)).collect();
    assert!(events.iter().map(Event::kind).eq(EventKind::ALL.iter().copied()), "one_of_each lacks a kind");
    events
}
