//! Checks that any [`ArtifactStore`] keeps its contract, for its author's tests.
//!
//! Each function takes a new, empty store and panics with what differs from the [contract](ArtifactStore#contract).
//! [`check_all`] calls them all.
//!
//! ```
//! use metallic_store::{MemoryStore, conformance};
//!
//! conformance::check_all(|| Box::new(MemoryStore::new()));
//! ```

mod leases;
mod model;

pub use leases::{a_lease_excludes_until_it_is_dropped, many_threads_create_once, what_is_added_is_not_lost};
pub use model::a_store_does_what_a_map_does;

use std::time::Duration;

use crate::{Artifact, ArtifactKey, ArtifactStore, Body, Content, Entry, Fingerprint, MissCause};

/// Checks everything, each on a new store.
pub fn check_all(mut open: impl FnMut() -> Box<dyn ArtifactStore>) {
    what_is_saved_is_loaded(&*open());
    a_miss_names_what_changed(&*open());
    a_cheap_key_leads_to_its_content(&*open());
    what_is_rejected_is_gone(&*open());
    readers_see_whole_entries(&*open());
    a_store_does_what_a_map_does(&*open(), 0x5eed, 300);
    a_lease_excludes_until_it_is_dropped(&*open());
    many_threads_create_once(&*open());
    what_is_added_is_not_lost(&*open());
}

/// A key for checks.
pub fn key(number: u64, driver: &str) -> ArtifactKey {
    let fingerprint = Fingerprint::new()
        .with_layer(Fingerprint::BUILD, "build 1")
        .with_layer("driver", driver)
        .with_layer("device", "the checks' own");
    ArtifactKey::new("conformance", 1, number.to_le_bytes(), fingerprint).expect("it is short")
}

/// An artifact for checks, of `bytes` bytes that follow from `number`.
pub fn artifact(number: u64, bytes: usize) -> Artifact {
    let payload: Vec<u8> = (0..bytes as u64).map(|index| (number.wrapping_mul(31) ^ index) as u8).collect();
    Artifact::native(payload)
        .with_payload(Artifact::PORTABLE, &number.to_be_bytes())
        .with_cost(Duration::from_micros(number % 1000 + 1))
        .with_label(format!("number {number}"))
}

fn missed(store: &dyn ArtifactStore, key: &ArtifactKey) -> MissCause {
    store.load(key).expect_err("nothing is to be found under this key")
}

/// Payloads, cost and label come back; a second artifact takes the first one's place.
pub fn what_is_saved_is_loaded(store: &dyn ArtifactStore) {
    let key = key(1, "a");
    assert_eq!(missed(store, &key), MissCause::Absent, "a new store is empty");
    for artifact in [artifact(1, 1000), artifact(2, 0), artifact(3, 70_000)] {
        store.save(&key, &artifact).expect("a new store has room");
        assert_eq!(store.load(&key).as_ref(), Ok(&artifact));
    }
    let stats = store.stats();
    assert_eq!((stats.found, stats.misses(), stats.written), (3, 1, 3), "each look-up and write counts once");
    assert_eq!(store.remove(&key.id()), Ok(true));
    assert_eq!(store.remove(&key.id()), Ok(false));
    assert_eq!(missed(store, &key), MissCause::Absent);
}

/// Artifacts of several fingerprints exist side by side, and a miss names the layer or schema that differs.
///
/// Of a store that cannot list its entries, only the former is checked.
pub fn a_miss_names_what_changed(store: &dyn ArtifactStore) {
    let (old, new) = (key(1, "550"), key(1, "560"));
    store.save(&old, &artifact(1, 10)).expect("a new store has room");
    store.save(&key(2, "560"), &artifact(2, 10)).expect("a new store has room");
    let cause = missed(store, &new);
    let lists = !store.ids(None).expect("a store can be listed, or lists nothing").is_empty();
    if lists {
        let changes = new.fingerprint().changes_from(old.fingerprint());
        assert_eq!(cause, MissCause::Changed(changes.clone()));
        let why = store.why(&new);
        assert_eq!(why.outcome, Err(cause));
        assert_eq!(why.siblings.len(), 1, "other keys are no siblings");
        assert_eq!(why.siblings[0].changes, changes);
        let later =
            ArtifactKey::new("conformance", 2, old.bytes(), old.fingerprint().clone()).expect("it is short");
        assert_eq!(missed(store, &later), MissCause::Schema { stored: 1, wanted: 2 });
    }
    store.save(&new, &artifact(3, 10)).expect("there is room");
    assert_eq!(store.load(&old).as_ref(), Ok(&artifact(1, 10)), "it is still there");
    assert_eq!(store.load(&new).as_ref(), Ok(&artifact(3, 10)));
    if lists {
        let info = store.info(&old.id()).expect("it is there");
        assert_eq!((info.key, info.label.as_str(), info.is_link), (old, "number 1", false));
        assert_eq!(info.cost, artifact(1, 10).cost());
    }
}

/// A link leads to the artifact of a content key, is named when it dangles, and never leads on.
pub fn a_cheap_key_leads_to_its_content(store: &dyn ArtifactStore) {
    let (first, rebuilt) = (key(1, "a"), key(2, "a"));
    let content = first.with_content(&Content::new().with("source", "kernel void f() {}"));
    store.save(&content, &artifact(1, 100)).expect("a new store has room");
    for key in [&first, &rebuilt] {
        store.link(key, &content).expect("a new store has room");
        assert_eq!(store.load(key).as_ref(), Ok(&artifact(1, 100)));
    }
    let lost = Entry { key: rebuilt.clone(), body: Body::Link(first.id()) };
    store.write(&lost).expect("there is room");
    assert_eq!(missed(store, &rebuilt), MissCause::LinkToLink);
    assert_eq!(store.remove(&content.id()), Ok(true));
    assert_eq!(missed(store, &first), MissCause::DanglingLink);
}

/// Rejecting removes the artifact, and the link that led to it.
pub fn what_is_rejected_is_gone(store: &dyn ArtifactStore) {
    let key = key(1, "a");
    let content = key.with_content(&Content::new().with("source", "kernel void f() {}"));
    store.save(&content, &artifact(1, 100)).expect("a new store has room");
    store.link(&key, &content).expect("a new store has room");
    store.reject(&key, "the driver says no");
    assert!(store.load(&key).is_err());
    assert!(store.load(&content).is_err());
    assert_eq!(store.stats().rejected, 1);
    store.save(&key, &artifact(2, 100)).expect("there is room");
    assert_eq!(store.load(&key).as_ref(), Ok(&artifact(2, 100)), "what is made anew is kept");
}

/// While threads replace an entry, others see one of its versions, whole.
pub fn readers_see_whole_entries(store: &dyn ArtifactStore) {
    let key = key(1, "a");
    store.save(&key, &artifact(0, 5000)).expect("a new store has room");
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let key = &key;
            scope.spawn(move || {
                for number in 0..20 {
                    store.save(key, &artifact(writer * 100 + number, 5000)).expect("there is room");
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..60 {
                    let read = store.load(&key).expect("an entry that is replaced is always there");
                    let number = read.payload(Artifact::PORTABLE).and_then(|bytes| bytes.try_into().ok());
                    assert_eq!(read, artifact(number.map_or(0, u64::from_be_bytes), 5000));
                }
            });
        }
    });
}
