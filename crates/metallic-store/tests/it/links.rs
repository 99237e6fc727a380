//! Links whose artifact is evicted.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use metallic_store::conformance::{artifact, key};
use metallic_store::disk::file_system::CrashingFileSystem;
use metallic_store::{ArtifactKey, ArtifactStore, Content, DiskOptions, DiskStore, MissCause, Secret};

/// The content of all keys whose number is one modulo four.
fn content(number: u64) -> ArtifactKey {
    key(number % 4, "a").with_content(&Content::new().with("source", (number % 4).to_le_bytes()))
}

fn cost(number: u64) -> Duration {
    Duration::from_millis(number % 4 + 1)
}

/// Four artifacts, the first ones the cheapest, and three links to each.
fn fill(store: &DiskStore) {
    for number in 0..12 {
        store.save(&content(number), &artifact(number % 4, 2000).with_cost(cost(number))).unwrap();
        store.link(&key(number, "a"), &content(number)).unwrap();
    }
    // Used at the same time, so that cost decides: losing a link costs a millisecond.
    let used = SystemTime::now() - Duration::from_secs(1000);
    for id in store.ids(None).unwrap() {
        let name = id.to_string();
        let file = store.folder().join("entries").join(&name[..2]).join(name);
        fs::File::open(file).unwrap().set_modified(used).unwrap();
    }
}

/// Asserts that each link is there exactly if its artifact is, and returns how many artifacts are.
fn pairs(store: &DiskStore) -> usize {
    let ids = store.ids(None).unwrap();
    for number in 0..12 {
        let (link, artifact) = (ids.contains(&key(number, "a").id()), ids.contains(&content(number).id()));
        assert_eq!(link, artifact, "{number}");
    }
    (0..4).filter(|number| ids.contains(&content(*number).id())).count()
}

#[test]
fn links_leave_with_what_they_lead_to() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path().join("store"), DiskOptions::new());
    fill(&store);
    let all = store.usage().unwrap();
    assert_eq!((pairs(&store), all.entries), (4, 16));
    assert_eq!(store.prune(all.bytes).unwrap(), 0, "no link is evicted that leads somewhere");
    let evicted = store.prune(all.bytes - 1).unwrap();
    let left = store.usage().unwrap();
    assert_eq!((pairs(&store), left.entries, left.bytes), (3, 12, all.bytes - evicted));
    assert_eq!(store.load(&key(0, "a")), Err(MissCause::Absent), "the cheapest");

    // As after a rejection by another key.
    assert_eq!(store.remove(&content(1).id()), Ok(true));
    assert_eq!(store.load(&key(1, "a")), Err(MissCause::DanglingLink));
    store.prune(u64::MAX).unwrap();
    assert_eq!(
        (pairs(&store), store.usage().unwrap().entries),
        (2, 8),
        "there was room, and no need of them"
    );
    assert_eq!(store.stats().evicted, 4 + 3);
    store.prune(0).unwrap();
    assert_eq!(store.usage().unwrap().entries, 0);
}

#[test]
fn a_write_that_makes_room_leaves_no_link_that_leads_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let open = |limit| DiskStore::open(folder.path().join("store"), DiskOptions::new().with_limit(limit));
    fill(&open(1 << 20));
    let all = open(1 << 20).usage().unwrap().bytes;
    let store = open(all + 1000);
    store.save(&key(99, "a"), &artifact(99, 2000).with_cost(Duration::from_secs(9))).unwrap();
    assert!((1..4).contains(&pairs(&store)));
    assert!(store.load(&key(99, "a")).is_ok());
}

#[test]
fn a_link_that_cannot_be_verified_is_not_taken_for_one_that_leads_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let open = |options: DiskOptions| DiskStore::open(folder.path().join("store"), options);
    let secret = |text: &str| DiskOptions::new().with_secret(Secret::new(text.as_bytes()).unwrap());
    fill(&open(secret("the first secret, long enough")));
    let other = open(secret("another secret, long enough"));
    other.prune(u64::MAX).unwrap();
    assert_eq!(other.usage().unwrap().entries, 16);
}

#[test]
fn a_process_that_is_killed_at_any_step_of_an_eviction_leaves_links_that_the_next_one_removes() {
    let mut dangled = 0;
    for step in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("store");
        fill(&DiskStore::open(&at, DiskOptions::new()));
        let files = Arc::new(CrashingFileSystem::at(step));
        let killed = DiskStore::open(&at, DiskOptions::new().with_file_system(files.clone()));
        let _ = killed.prune(8000);
        drop(killed);
        let next = DiskStore::open(&at, DiskOptions::new());
        for number in 0..12 {
            match next.load(&key(number, "a")) {
                Ok(loaded) => assert_eq!(loaded, artifact(number % 4, 2000).with_cost(cost(number))),
                Err(MissCause::DanglingLink) => dangled += 1,
                Err(cause) => assert_eq!(cause, MissCause::Absent, "step {step}"),
            }
        }
        next.prune(8000).unwrap();
        assert!(pairs(&next) <= 3, "step {step}");
        assert!(next.usage().unwrap().bytes <= 8000, "step {step}");
        if !files.has_crashed() {
            break;
        }
        assert!(step < 500, "an eviction that never ends");
    }
    println!("{dangled} links led nowhere between two steps");
    assert!(dangled > 0);
}
