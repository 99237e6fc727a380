//! Faults at every call that a store makes of its file system: no look-up gives anything wrong, no call fails a caller, and
//! once the fault is over the store works again and keeps its bound.
//!
//! In a binary of its own, where no test starts processes: between a fork and its exec a child has the locks of all threads.
#![expect(clippy::unwrap_used, reason = "what fails in a test's helper fails the test")]

mod injecting;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use metallic_store::conformance::{artifact, key};
use metallic_store::disk::file_system::CrashingFileSystem;
use metallic_store::{
    Artifact, ArtifactStore, Content, DiskOptions, DiskStore, Lease, MissCause, Obtain, Origin,
};

use injecting::{Fault, InjectingFileSystem};

const FAULTS: [Fault; 10] = [
    Fault::Error(ErrorKind::StorageFull),
    Fault::Error(ErrorKind::PermissionDenied),
    Fault::Error(ErrorKind::ReadOnlyFilesystem),
    Fault::Error(ErrorKind::NotFound),
    Fault::Error(ErrorKind::Interrupted),
    Fault::Error(ErrorKind::StaleNetworkFileHandle),
    Fault::Error(ErrorKind::Unsupported),
    Fault::Short,
    Fault::Nothing,
    Fault::Garbage,
];

const LIMIT: u64 = 20_000;

fn options() -> DiskOptions {
    DiskOptions::new().with_limit(LIMIT)
}

/// Each round: a store with three entries, and one operation under one fault at one call, or from that call on.
fn at_every_call(
    under_test: &DiskOptions,
    operation: impl Fn(&DiskStore) -> &'static str,
    check: impl Fn(&DiskStore),
) -> u64 {
    let mut outcomes = BTreeMap::new();
    let mut rounds = 0;
    for fault in FAULTS {
        for lasting in [false, true] {
            for call in 0.. {
                let folder = tempfile::tempdir().unwrap();
                let files = Arc::new(InjectingFileSystem::default());
                let before = DiskStore::open(folder.path(), options());
                for number in 0..3 {
                    before.save(&key(number, "a"), &artifact(number, 3000)).unwrap();
                }
                let store = DiskStore::open(
                    folder.path(),
                    under_test
                        .clone()
                        .with_lock_wait(Duration::from_millis(5))
                        .with_file_system(files.clone()),
                );
                files.inject(fault, call, lasting);
                let outcome = operation(&store);
                let reached = files.heal();
                // What the next process finds.
                let store = DiskStore::open(folder.path(), options());
                check(&store);
                let usage = store.usage().unwrap();
                assert!(usage.bytes <= LIMIT, "{fault:?} at {call}: {usage:?}");
                let left = std::fs::read_dir(folder.path().join("tmp")).unwrap().count();
                assert_eq!(left, 0, "{fault:?} at {call}: a temporary file is left");
                *outcomes.entry(outcome).or_insert(0) += 1;
                rounds += 1;
                if !reached {
                    break;
                }
                assert!(call < 200, "an operation that never ends");
            }
        }
    }
    println!("{rounds} rounds, {outcomes:?}");
    rounds
}

fn entries_are_right(store: &DiskStore) {
    for number in 0..4 {
        if let Ok(loaded) = store.load(&key(number, "a")) {
            assert_eq!(loaded, artifact(number, 3000));
        }
    }
    store.save(&key(0, "a"), &artifact(0, 3000)).unwrap();
    assert_eq!(store.load(&key(0, "a")), Ok(artifact(0, 3000)));
}

#[test]
fn a_write_survives_every_fault_at_every_call() {
    let rounds = at_every_call(
        &options().durable(),
        |store| match store.save(&key(3, "a"), &artifact(3, 3000)) {
            Ok(()) => "saved",
            Err(cause) => cause.name(),
        },
        entries_are_right,
    );
    assert!(rounds > 200, "{rounds}: the faults are not reached");
}

#[test]
fn a_write_that_evicts_survives_every_fault_at_every_call() {
    at_every_call(
        &options(),
        |store| match store.save(&key(3, "a"), &artifact(3, 12_000)) {
            Ok(()) => "saved",
            Err(cause) => cause.name(),
        },
        |store| {
            if let Ok(loaded) = store.load(&key(3, "a")) {
                assert_eq!(loaded, artifact(3, 12_000));
                store.remove(&key(3, "a").id()).unwrap();
            }
            entries_are_right(store);
        },
    );
}

#[test]
fn an_eviction_of_links_survives_every_fault_at_every_call() {
    let content = key(0, "a").with_content(&Content::new().with("source", "kernel void f() {}"));
    at_every_call(
        &options(),
        |store| {
            let linked = DiskStore::open(store.folder(), options());
            linked.link(&key(3, "a"), &content).unwrap();
            match store.prune(LIMIT) {
                Ok(0) => "left for the next",
                Ok(_) => "evicted",
                Err(cause) => cause.name(),
            }
        },
        |store| {
            for number in 0..3 {
                assert_eq!(
                    store.load(&key(number, "a")),
                    Ok(artifact(number, 3000)),
                    "nothing else is evicted"
                );
            }
            store.prune(LIMIT).unwrap();
            assert_eq!(store.load(&key(3, "a")), Err(MissCause::Absent));
            entries_are_right(store);
        },
    );
}

#[test]
fn a_read_survives_every_fault_at_every_call() {
    at_every_call(
        &options(),
        |store| match store.load(&key(1, "a")) {
            Ok(loaded) => {
                assert_eq!(loaded, artifact(1, 3000));
                "loaded"
            }
            Err(cause) => cause.name(),
        },
        |store| {
            assert_eq!(store.load(&key(1, "a")), Ok(artifact(1, 3000)), "a read harms nothing");
            entries_are_right(store);
        },
    );
}

#[test]
fn a_creation_goes_through_every_fault_at_every_call() {
    at_every_call(
        &options(),
        |store| {
            let key = key(3, "a");
            let create = || Ok::<_, std::convert::Infallible>(artifact(3, 3000));
            let obtained =
                Obtain::new(store, &key).with_wait(Duration::from_millis(1)).or_create(create).unwrap();
            assert_eq!(obtained.artifact, artifact(3, 3000));
            assert!(matches!(obtained.origin, Origin::Created { .. }));
            "created"
        },
        entries_are_right,
    );
}

#[test]
fn where_there_are_no_locks_a_store_keeps_its_bound_and_says_that_creations_are_not_leased() {
    let folder = tempfile::tempdir().unwrap();
    let files = Arc::new(InjectingFileSystem::without_locks());
    let store = DiskStore::open(folder.path(), options().with_file_system(files));
    for number in 0..20 {
        let key = key(number, "a");
        let create = || Ok::<_, std::convert::Infallible>(artifact(number, 3000));
        let obtained = Obtain::new(&store, &key).or_create(create).unwrap();
        assert_eq!(
            obtained.artifact.payload(Artifact::NATIVE),
            artifact(number, 3000).payload(Artifact::NATIVE)
        );
        assert_eq!(store.load(&key), Ok(artifact(number, 3000)));
        assert!(store.usage().unwrap().bytes <= LIMIT);
    }
    assert_eq!(store.stats().unleased, 20);
    assert!(store.stats().evicted > 0);
}

#[test]
fn a_lease_whose_file_was_removed_before_it_was_locked_is_not_taken_for_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let id = key(1, "a").id();
    let others = DiskStore::open(folder.path(), options());
    let Lease::Held(first) = others.lease(&id, Duration::ZERO) else { panic!("it is free") };

    let files = Arc::new(InjectingFileSystem::default());
    let (keep, kept) = std::sync::mpsc::channel();
    files.meanwhile(move || {
        drop(first);
        let second = others.lease(&id, Duration::ZERO);
        assert!(matches!(second, Lease::Held(_)), "it is free again");
        keep.send(second).unwrap();
    });
    let store = DiskStore::open(folder.path(), options().with_file_system(files));
    assert!(
        matches!(store.lease(&id, Duration::from_millis(20)), Lease::TimedOut),
        "the second owner has it"
    );
    drop(kept.recv().unwrap());
    assert!(matches!(store.lease(&id, Duration::from_millis(20)), Lease::Held(_)));
}

#[test]
fn a_folder_that_cannot_be_made_costs_nothing_but_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"not a folder").unwrap();
    let store = DiskStore::open(file.join("below"), DiskOptions::new());
    let key = key(1, "a");
    for _ in 0..2 {
        let obtained = Obtain::new(&store, &key).or_create(|| Ok::<_, ()>(artifact(1, 10))).unwrap();
        assert_eq!(obtained.artifact, artifact(1, 10));
    }
    assert_eq!(store.stats().written, 0);
    assert_eq!(store.stats().not_written.values().sum::<u64>(), 2);
}

#[test]
fn a_fault_at_any_call_takes_no_living_writers_file_for_abandoned() {
    let folder = tempfile::tempdir().unwrap();
    DiskStore::open(folder.path(), options()).save(&key(0, "a"), &artifact(0, 100)).unwrap();
    // As another process that is about to write 1000 bytes has it.
    let path = folder.path().join("tmp").join("1000-1-1");
    let writing = std::fs::File::create_new(&path).unwrap();
    writing.try_lock().unwrap();
    for fault in FAULTS {
        for call in 0..40 {
            let files = Arc::new(InjectingFileSystem::default());
            let store = DiskStore::open(folder.path(), options().with_file_system(files.clone()));
            files.inject(fault, call, false);
            let _ = store.usage();
            assert!(path.exists(), "{fault:?} at {call}");
        }
    }
    drop(writing);
    DiskStore::open(folder.path(), options()).usage().unwrap();
    assert!(!path.exists(), "its lock is free");
}

#[test]
fn a_process_that_is_killed_at_any_step_of_a_creation_leaves_a_whole_store() {
    let mut killed = 0;
    for step in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let files = Arc::new(CrashingFileSystem::at(step));
        let store = DiskStore::open(folder.path(), options().durable().with_file_system(files.clone()));
        let create = || Ok::<_, std::convert::Infallible>(artifact(3, 3000));
        let obtained = Obtain::new(&store, &key(3, "a")).or_create(create).unwrap();
        assert_eq!(obtained.artifact, artifact(3, 3000));
        drop(store);
        let next = DiskStore::open(folder.path(), options());
        entries_are_right(&next);
        let usage = next.usage().unwrap();
        assert!(usage.bytes <= LIMIT, "step {step}: {usage:?}");
        assert_eq!(std::fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0, "step {step}");
        if !files.has_crashed() {
            break;
        }
        killed += 1;
    }
    println!("killed at {killed} steps");
    assert!(killed > 10, "{killed} steps");
}
