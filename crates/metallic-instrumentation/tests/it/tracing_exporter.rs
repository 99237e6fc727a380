use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use metallic_instrumentation::{
    CreationOutcome, Event, EventData, EventKind, EventSink, TracingExporter, ViolationMode,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata, Subscriber};

use crate::samples::one_of_each;

/// The level and the fields of an event.
type Heard = (Level, BTreeMap<&'static str, String>);

/// Keeps the events of the target up to a level.
struct Listener {
    level: Level,
    heard: Arc<Mutex<Vec<Heard>>>,
}

#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "metallic::cache" && *metadata.level() <= self.level
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.heard.lock().unwrap().push((*event.metadata().level(), fields.0));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The records that a listener at this level gets of these events, from a cache that asks before it records.
fn heard(level: Level, events: &[Event]) -> Vec<Heard> {
    let heard = Arc::default();
    tracing::subscriber::with_default(Listener { level, heard: Arc::clone(&heard) }, || {
        let exporter = TracingExporter::new();
        events.iter().filter(|event| exporter.enabled(event.kind())).for_each(|event| exporter.record(event));
    });
    std::mem::take(&mut *heard.lock().unwrap())
}

#[test]
fn every_field_of_every_event_is_passed_on() {
    let heard = heard(Level::TRACE, &one_of_each());
    assert_eq!(heard.len(), EventKind::ALL.len());
    for ((_, fields), event) in heard.iter().zip(one_of_each()) {
        // The debug form of the data shows the names of all its fields.
        let debug = format!("{:#?}", event.data);
        let names = debug.lines().filter_map(|line| line.strip_prefix("        ")?.split_once(": "));
        let expected: Vec<&str> = names.map(|(name, _)| name).filter(|name| !name.starts_with(' ')).collect();
        for name in &expected {
            let absent = debug.contains(&format!("{name}: None"));
            assert_eq!(fields.contains_key(name), !absent, "{} of {}", name, event.kind());
        }
        assert!(!expected.is_empty());
        assert_eq!(fields["message"], event.kind().name());
        assert_eq!(fields["timestamp"], event.timestamp.unwrap().to_string());
        assert_eq!(fields["registry"], event.registry.unwrap().to_string());
    }
    assert_eq!(heard[0].1["cache_key"], "\"a:K{m:1}\"");
    assert_eq!(heard[3].1["outcome"], "\"failed\"");
    assert_eq!(heard[4].1["cause"], "\"idle_timeout\"");
}

#[test]
fn a_listener_hears_the_kinds_of_its_level() {
    let kinds = |level| -> Vec<String> {
        heard(level, &one_of_each())
            .into_iter()
            .map(|(_, mut fields)| fields.remove("message").unwrap())
            .collect()
    };
    assert_eq!(kinds(Level::ERROR), [""; 0]);
    let warnings = [
        "ResourceCreated",
        "EventsDropped",
        "KvCacheRefused",
        "ArtifactNotWritten",
        "ArtifactRejected",
        "RemoteFailed",
        "CreationViolation",
        "IncompleteKey",
    ];
    assert_eq!(kinds(Level::INFO), warnings);
    let mut details: Vec<_> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
    details.retain(|kind| !["ResourceCacheAccess", "EntryRemoved"].contains(kind));
    assert_eq!(kinds(Level::DEBUG), details);
    assert_eq!(kinds(Level::TRACE).len(), EventKind::ALL.len());
}

#[test]
fn a_creation_warns_only_when_it_did_not_succeed() {
    let of = |outcome| {
        let mut event = one_of_each().swap_remove(3);
        let EventData::ResourceCreated(created) = &mut event.data else { panic!("not a creation") };
        created.outcome = outcome;
        event
    };
    let events = [CreationOutcome::Created, CreationOutcome::Failed, CreationOutcome::Panicked].map(of);
    let levels = heard(Level::DEBUG, &events).into_iter().map(|(level, _)| level);
    assert!(levels.eq([Level::DEBUG, Level::WARN, Level::WARN]));
    assert_eq!(heard(Level::INFO, &events).len(), 2);
}

#[test]
fn a_violation_warns_unless_it_is_only_counted() {
    let of = |mode| {
        let events = one_of_each().into_iter();
        let mut event = events.rev().find(|event| event.kind() == EventKind::CreationViolation).unwrap();
        let EventData::CreationViolation(violation) = &mut event.data else { panic!("not a violation") };
        violation.mode = mode;
        event
    };
    let events = [ViolationMode::Count, ViolationMode::Warn, ViolationMode::Refuse].map(of);
    assert_eq!(heard(Level::DEBUG, &events).len(), 3);
    assert_eq!(heard(Level::INFO, &events).len(), 2);
}

#[test]
fn nothing_is_wanted_when_nobody_listens() {
    assert!(EventKind::ALL.iter().all(|&kind| !TracingExporter::new().enabled(kind)));
}
