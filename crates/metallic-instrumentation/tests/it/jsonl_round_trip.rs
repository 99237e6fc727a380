use metallic_instrumentation::{
    ArtifactEvicted, ArtifactFound, ArtifactMissed, ArtifactNotWritten, ArtifactRejected, ArtifactWritten,
    CacheCleared, CacheEviction, CacheKind, CacheOpened, CachePolicyChanged, CreationOutcome,
    CreationViolation, EntryRemoved, Event, EventData, EventSink, EventsDropped, IncompleteKey,
    JsonlExporter, JsonlReader, KvCacheRefused, KvCacheResized, KvCacheTruncated, LogOpened, RegistryOpened,
    RemoteFailed, RemovalCause, ResourceCacheAccess, ResourceCacheSummary, ResourceCreated, SpanEnded,
    ViolationMode, ViolationVerdict, WarmUpFinished,
};
use proptest::prelude::*;

use crate::doubles::Page;

/// Any text, and text of what JSON has to escape.
fn text<T: From<String> + std::fmt::Debug>() -> impl Strategy<Value = T> {
    prop_oneof![any::<String>(), "[\"\\\\\n\r\t\u{0}\u{7f}\u{2028}é𝄞:{} ]{0,40}"].prop_map(T::from)
}

fn maybe<T: From<String> + std::fmt::Debug>() -> impl Strategy<Value = Option<T>> {
    prop::option::of(text())
}

fn one_of<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(all)
}

/// A strategy for an event of this type from one for each of its fields, by their names.
macro_rules! data {
    ($event:ident { $($field:ident: $strategy:expr),* $(,)? }) => {
        ($($strategy,)*).prop_map(|($($field,)*)| EventData::from($event { $($field,)* })).boxed()
    };
}

fn accesses() -> BoxedStrategy<EventData> {
    data!(ResourceCacheAccess { cache_key: text(), hit: any::<bool>(), bytes: any::<u64>() })
}

fn others() -> impl Strategy<Value = EventData> {
    let n = any::<u64>;
    let optional = any::<Option<u64>>;
    let list = || prop::collection::vec(text::<String>(), 0..3);
    let of_caches = prop_oneof![
        data!(ResourceCacheSummary {
            cache: text(),
            hits: n(),
            misses: n(),
            hit_rate: prop::num::f64::NORMAL | prop::num::f64::ZERO,
            size: n(),
        }),
        data!(CacheEviction { cache: text(), strategy: text(), count: n(), reason: text(), size_after: n() }),
        data!(ResourceCreated {
            cache: text(),
            cache_key: text(),
            duration_ns: n(),
            own_duration_ns: n(),
            loaded: any::<bool>(),
            outcome: one_of(CreationOutcome::ALL),
            error: maybe(),
            bytes: n(),
        }),
        data!(EntryRemoved {
            cache: text(),
            cache_key: text(),
            cause: one_of(RemovalCause::ALL),
            age_ns: n(),
            idle_ns: n(),
            reuse_count: n(),
            creation_ns: n(),
            bytes: n(),
        }),
        data!(CacheCleared { cache: text(), count: n(), size_after: n() }),
        data!(CachePolicyChanged {
            cache: text(),
            strategy: text(),
            max_entries: optional(),
            max_idle_ns: optional(),
            max_idle_generations: optional(),
            min_entries: n(),
        }),
        data!(CacheOpened {
            cache: text(),
            kind: one_of(CacheKind::ALL),
            strategy: text(),
            max_entries: optional(),
            max_idle_ns: optional(),
            max_idle_generations: optional(),
            min_entries: n(),
        }),
    ];
    let of_kv_caches = prop_oneof![
        data!(KvCacheResized {
            cache: text(),
            layers: n(),
            len: n(),
            capacity: n(),
            bytes: n(),
            peak_bytes: n(),
            duration_ns: n(),
        }),
        data!(KvCacheTruncated { cache: text(), from: n(), to: n() }),
        data!(KvCacheRefused {
            cache: text(),
            positions: n(),
            capacity: n(),
            needed_bytes: n(),
            limit_bytes: n(),
            error: text(),
        }),
    ];
    let of_stores = prop_oneof![
        data!(ArtifactFound {
            cache: text(),
            cache_key: text(),
            level: text(),
            bytes: n(),
            duration_ns: n(),
        }),
        data!(ArtifactMissed { cache: text(), cache_key: text(), cause: text() }),
        data!(ArtifactWritten { cache: text(), cache_key: text(), bytes: n(), duration_ns: n() }),
        data!(ArtifactNotWritten { cache: maybe(), cache_key: maybe(), level: text(), cause: text() }),
        data!(ArtifactRejected { cache: text(), cache_key: text(), level: text(), cause: text() }),
        data!(ArtifactEvicted { count: n(), bytes: n() }),
        data!(RemoteFailed { level: text(), operation: text(), error: text() }),
    ];
    let rest = prop_oneof![
        data!(EventsDropped { count: n() }),
        data!(IncompleteKey { cache: text(), cache_key: text(), differing_parts: list() }),
        data!(SpanEnded { name: text(), label: maybe(), thread: maybe(), duration_ns: n() }),
        data!(LogOpened {
            program: text(),
            version: maybe(),
            library: text(),
            process_id: any::<u32>(),
            opened_unix_ns: n(),
            rotations: n(),
            devices: list(),
        }),
        data!(RegistryOpened { name: maybe(), device: maybe(), shared: any::<bool>() }),
        data!(CreationViolation {
            cache: text(),
            cache_key: text(),
            scope: text(),
            mode: one_of(ViolationMode::ALL),
            verdict: one_of(ViolationVerdict::ALL),
            evicted_by: maybe(),
            nearest_key: maybe(),
            caller: maybe(),
            loaded: any::<bool>(),
            duration_ns: n(),
            differing_fields: list(),
        }),
        data!(WarmUpFinished {
            created: n(),
            loaded: n(),
            present: n(),
            failed: n(),
            skipped: n(),
            left_out: n(),
            duration_ns: n(),
        }),
    ];
    prop_oneof![of_caches, of_kv_caches, of_stores, rest]
}

fn event() -> impl Strategy<Value = Event> {
    let data = prop_oneof![1 => accesses(), 2 => others()];
    (data, any::<Option<u64>>(), any::<Option<u32>>()).prop_map(|(data, timestamp, registry)| Event {
        data,
        timestamp,
        registry,
    })
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(event(), 1..20)
}

proptest! {
    #[test]
    fn what_was_written_is_read_back_and_has_the_form_serde_gives_it(events in events()) {
        let page = Page::default();
        let exporter = JsonlExporter::to_writer(page.clone()).unwrap();
        // Twice, so that keys are met again.
        for event in events.iter().chain(&events) {
            exporter.record(event);
        }
        drop(exporter);
        let page = page.text();
        let expected = events.iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect::<String>();
        prop_assert_eq!(&page, &expected.repeat(2));
        let mut reader = JsonlReader::new(page.as_bytes());
        let read: Vec<Event> = reader.by_ref().map(Result::unwrap).collect();
        prop_assert_eq!(reader.skipped().total(), 0);
        prop_assert_eq!(read, [events.clone(), events].concat());
    }

    #[test]
    fn an_event_survives_serde(event in event()) {
        let json = serde_json::to_string(&event).unwrap();
        prop_assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
    }

    #[test]
    fn no_input_upsets_the_reader(log in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut reader = JsonlReader::new(&log[..]);
        let events = reader.by_ref().map(Result::unwrap).count() as u64;
        prop_assert_eq!(events + reader.skipped().total(), reader.lines());
    }
}
