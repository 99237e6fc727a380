//! Artifacts in a log.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use metallic::caching::{ManualClock, SharedRegistry};
use metallic::creation::{ArtifactStore, StoreEvents};
use metallic_instrumentation::{EventData, EventSink, Recorder, RemoteFailed};
use metallic_store::{DiskOptions, DiskStore, LayeredStore, MemoryStore, StoreAction};

use crate::kernels::{Code, Key, Kind, Machine};

/// The events of one creation that are of artifacts or of creations, each in a word or two.
fn told(recorder: &Recorder) -> Vec<String> {
    let word = |data: &EventData| match data {
        EventData::ArtifactFound(e) => {
            Some(format!("found {} bytes in {} of {}", e.bytes, e.level, e.cache_key))
        }
        EventData::ArtifactMissed(e) => Some(format!("missed: {}", e.cause)),
        EventData::ArtifactWritten(e) => Some(format!("written {} bytes of {}", e.bytes, e.cache)),
        EventData::ArtifactNotWritten(e) => Some(format!("not written to {}: {}", e.level, e.cause)),
        EventData::ArtifactRejected(e) => Some(format!("rejected: {}", e.cause)),
        EventData::ResourceCreated(e) => Some(format!("created, loaded: {}", e.loaded)),
        _ => None,
    };
    recorder.take().iter().filter_map(|event| word(&event.data)).collect()
}

fn registry(
    driver: &'static str,
    store: Arc<dyn ArtifactStore>,
) -> (Machine, SharedRegistry<Machine>, Arc<Recorder>) {
    let machine = Machine::new("build", driver);
    let registry = SharedRegistry::with_clock(Some(machine.clone()), ManualClock::new());
    let recorder = Arc::new(Recorder::default());
    registry.set_store(Some(store));
    registry.set_sink(Some(recorder.clone()));
    (machine, registry, recorder)
}

#[test]
fn a_miss_a_write_a_load_and_a_rejection_are_told_apart() {
    let store = Arc::new(MemoryStore::new());
    let key = Key::new(Kind::Typed, 7);
    let (_, first, events) = registry("550", store.clone());
    first.get_or_create::<Code>(&key, None).unwrap();
    assert_eq!(told(&events), ["missed: absent", "written 200 bytes of code", "created, loaded: false"]);

    let (_, second, events) = registry("550", store.clone());
    second.get_or_create::<Code>(&key, None).unwrap();
    let found = "found 200 bytes in memory of code:Key{kind:Typed,width:7}";
    assert_eq!(told(&events), [found, "created, loaded: true"]);

    let (_, other, events) = registry("560", store.clone());
    other.get_or_create::<Code>(&key, None).unwrap();
    assert_eq!(told(&events)[0], "missed: changed");

    let (machine, refusing, events) = registry("550", store);
    machine.refuse_next();
    refusing.get_or_create::<Code>(&key, None).unwrap();
    let written = "written 200 bytes of code";
    assert_eq!(told(&events), [found, "rejected: driver", written, "created, loaded: false"]);
}

#[test]
fn a_damaged_file_is_told_as_rejected_and_missed() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Arc::new(DiskStore::open(folder.path(), DiskOptions::new()));
    let key = Key::new(Kind::Typed, 7);
    registry("550", open()).1.get_or_create::<Code>(&key, None).unwrap();
    let shard = fs::read_dir(folder.path().join("entries")).unwrap().next().unwrap().unwrap();
    let file = fs::read_dir(shard.path()).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(file, bytes).unwrap();
    let (_, damaged, events) = registry("550", open());
    damaged.get_or_create::<Code>(&key, None).unwrap();
    assert_eq!(told(&events)[..2], ["rejected: payload_digest", "missed: payload_digest"]);
}

#[test]
fn the_stores_own_events_go_where_they_are_sent() {
    let recorder = Arc::new(Recorder::default());
    let observer = Arc::new(StoreEvents::new(recorder.clone() as Arc<dyn EventSink>));
    let store = Arc::new(MemoryStore::with_limit(500).with_observer(observer));
    let (_, registry, _) = registry("550", store.clone());
    for width in 0..3 {
        registry.get_or_create::<Code>(&Key::new(Kind::Typed, width), None).unwrap();
    }
    store.journal().record(StoreAction::Fault { attempt: "get", cause: "the server is gone" });
    let [evicted, failed] = &recorder.take()[..] else { panic!("one eviction, one failure") };
    assert!(matches!(&evicted.data, EventData::ArtifactEvicted(e) if (e.count, e.bytes) == (1, 200)));
    let (level, operation) = ("memory".into(), "get".into());
    let gone = RemoteFailed { level, operation, error: "the server is gone".to_owned() };
    assert_eq!(failed.data, gone.into());
    assert!(Duration::from_nanos(failed.timestamp.unwrap()) > Duration::from_secs(1_700_000_000));
}

#[test]
fn what_a_store_does_not_keep_is_told_once() {
    let small = |observer: &Arc<Recorder>| {
        let events = StoreEvents::new(observer.clone() as Arc<dyn EventSink>);
        Arc::new(MemoryStore::with_limit(100).with_observer(Arc::new(events)))
    };
    let of_store = Arc::new(Recorder::default());
    let (_, registry, events) = registry("550", small(&of_store));
    registry.get_or_create::<Code>(&Key::new(Kind::Typed, 7), None).unwrap();
    assert_eq!(
        told(&events),
        ["missed: absent", "not written to memory: too_long", "created, loaded: false"]
    );
    assert_eq!(told(&of_store), [""; 0], "the registry has told it");
}

#[test]
fn what_a_level_does_not_keep_in_the_background_is_told_by_the_level() {
    let of_level = Arc::new(Recorder::default());
    let events = StoreEvents::new(of_level.clone() as Arc<dyn EventSink>);
    let remote = Arc::new(MemoryStore::with_limit(100).with_observer(Arc::new(events)));
    let store = Arc::new(LayeredStore::new(Arc::new(MemoryStore::new())).with_remote(remote));
    let (_, registry, events) = registry("550", store.clone());
    registry.get_or_create::<Code>(&Key::new(Kind::Typed, 7), None).unwrap();
    store.flush();
    assert_eq!(told(&of_level), ["not written to memory: too_long"]);
    assert!(told(&events).contains(&"written 200 bytes of code".to_owned()));
}
