use std::borrow::Cow;
use std::sync::Arc;

use metallic_instrumentation::{
    CacheCleared, CacheEviction, CachePolicyChanged, CreationOutcome, EntryRemoved, Event, EventData,
    EventSink, EventsDropped, JsonlExporter, JsonlReader, KvCacheRefused, KvCacheResized, KvCacheTruncated,
    RemovalCause, ResourceCacheAccess, ResourceCacheSummary, ResourceCreated,
};
use proptest::prelude::*;

use crate::doubles::Page;

fn name() -> impl Strategy<Value = Cow<'static, str>> {
    any::<String>().prop_map(Cow::Owned)
}

/// Any text, and text of what JSON has to escape.
fn key() -> impl Strategy<Value = Arc<str>> {
    prop_oneof![any::<String>(), "[\"\\\\\n\r\t\u{0}\u{7f}\u{2028}é𝄞:{} ]{0,40}"].prop_map(Arc::from)
}

fn data() -> impl Strategy<Value = EventData> {
    let n = any::<u64>;
    let outcome = prop::sample::select(vec![
        CreationOutcome::Created,
        CreationOutcome::Failed,
        CreationOutcome::Panicked,
    ]);
    let cause = prop::sample::select(vec![
        RemovalCause::SizeLimit,
        RemovalCause::IdleTimeout,
        RemovalCause::Removed,
        RemovalCause::Cleared,
        RemovalCause::Stale,
    ]);
    prop_oneof![
        4 => (key(), any::<bool>(), n())
            .prop_map(|(cache_key, hit, bytes)| ResourceCacheAccess { cache_key, hit, bytes }.into()),
        1 => (name(), n(), n(), prop::num::f64::NORMAL | prop::num::f64::ZERO, n()).prop_map(
            |(cache, hits, misses, hit_rate, size)| {
                ResourceCacheSummary { cache, hits, misses, hit_rate, size }.into()
            }
        ),
        1 => (name(), name(), n(), name(), n()).prop_map(|(cache, strategy, count, reason, size_after)| {
            CacheEviction { cache, strategy, count, reason, size_after }.into()
        }),
        1 => (name(), key(), n(), outcome, any::<Option<String>>(), n()).prop_map(
            |(cache, cache_key, duration_ns, outcome, error, bytes)| {
                ResourceCreated { cache, cache_key, duration_ns, outcome, error, bytes }.into()
            }
        ),
        1 => (name(), key(), cause, n(), n(), n(), n(), n()).prop_map(
            |(cache, cache_key, cause, age_ns, idle_ns, reuse_count, creation_ns, bytes)| {
                EntryRemoved { cache, cache_key, cause, age_ns, idle_ns, reuse_count, creation_ns, bytes }.into()
            }
        ),
        1 => (name(), n(), n())
            .prop_map(|(cache, count, size_after)| CacheCleared { cache, count, size_after }.into()),
        1 => (name(), name(), any::<Option<u64>>(), any::<Option<u64>>(), n()).prop_map(
            |(cache, strategy, max_entries, max_idle_ns, min_entries)| {
                CachePolicyChanged { cache, strategy, max_entries, max_idle_ns, min_entries }.into()
            }
        ),
        1 => n().prop_map(|count| EventsDropped { count }.into()),
        1 => (name(), n(), n(), n(), n(), n(), n()).prop_map(
            |(cache, layers, len, capacity, bytes, peak_bytes, duration_ns)| {
                KvCacheResized { cache, layers, len, capacity, bytes, peak_bytes, duration_ns }.into()
            }
        ),
        1 => (name(), n(), n()).prop_map(|(cache, from, to)| KvCacheTruncated { cache, from, to }.into()),
        1 => (name(), n(), n(), n(), n(), any::<String>()).prop_map(
            |(cache, positions, capacity, needed_bytes, limit_bytes, error)| {
                KvCacheRefused { cache, positions, capacity, needed_bytes, limit_bytes, error }.into()
            }
        ),
    ]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(
        (data(), any::<Option<u64>>()).prop_map(|(data, timestamp)| Event { data, timestamp }),
        1..20,
    )
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
    fn an_event_survives_serde(data in data(), timestamp in any::<Option<u64>>()) {
        let event = Event { data, timestamp };
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
