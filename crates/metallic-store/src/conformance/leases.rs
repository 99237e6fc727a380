use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{artifact, key};
use crate::{Artifact, ArtifactStore, Claim, Lease, Obtain, update};

const LONG: Duration = Duration::from_secs(60);

/// A lease excludes others of its id and no others, and passes to a waiter when it is dropped.
///
/// A store without leases must say so, every time.
pub fn a_lease_excludes_until_it_is_dropped(store: &dyn ArtifactStore) {
    let (id, other) = (key(1, "a").id(), key(2, "a").id());
    let held = match store.lease(&id, Duration::ZERO) {
        Lease::Held(held) => held,
        Lease::Unsupported => {
            assert!(matches!(store.lease(&id, LONG), Lease::Unsupported));
            assert!(matches!(store.claim(&key(1, "a"), LONG), Claim::Unsupported));
            return;
        }
        Lease::TimedOut => panic!("a new store has no leases that are held"),
    };
    assert!(matches!(store.lease(&id, Duration::ZERO), Lease::TimedOut), "it is held");
    let start = Instant::now();
    assert!(matches!(store.lease(&id, Duration::from_millis(30)), Lease::TimedOut), "it is still held");
    assert!(start.elapsed() >= Duration::from_millis(30), "the wait is waited for");
    drop(held_one(store, &other));
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| drop(held_one(store, &id)));
        drop(held);
        waiter.join().expect("the waiter gets the lease");
    });
    drop(held_one(store, &id));
}

fn held_one(store: &dyn ArtifactStore, id: &crate::EntryId) -> crate::LeaseGuard {
    match store.lease(id, LONG) {
        Lease::Held(held) => held,
        refused => panic!("{refused:?} for a lease that is free, or about to be"),
    }
}

/// Threads that ask for the same keys at once create each once, if the store has leases.
pub fn many_threads_create_once(store: &dyn ArtifactStore) {
    if matches!(store.lease(&key(0, "a").id(), Duration::ZERO), Lease::Unsupported) {
        return;
    }
    const KEYS: u64 = 8;
    let created = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let created = &created;
            scope.spawn(move || {
                for number in (0..KEYS).map(|step| (step + thread) % KEYS) {
                    let obtained = Obtain::new(store, &key(number, "a")).with_wait(LONG).or_create(|| {
                        created.fetch_add(1, Ordering::Relaxed);
                        Ok::<_, std::convert::Infallible>(artifact(number, 200))
                    });
                    assert_eq!(obtained.map(|obtained| obtained.artifact), Ok(artifact(number, 200)));
                }
            });
        }
    });
    assert_eq!(created.into_inner(), KEYS, "each artifact is created once");
}

/// Threads that add to one artifact at once lose nothing of each other, if the store has leases.
pub fn what_is_added_is_not_lost(store: &dyn ArtifactStore) {
    let key = key(0, "a");
    if matches!(store.lease(&key.id(), Duration::ZERO), Lease::Unsupported) {
        return;
    }
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let key = &key;
            scope.spawn(move || {
                for step in 0..5 {
                    let saved = update(store, key, LONG, |present| {
                        let present =
                            present.as_ref().and_then(|artifact| artifact.payload(Artifact::NATIVE));
                        Some(Artifact::native([present.unwrap_or_default(), &[thread * 5 + step]].concat()))
                    });
                    assert_eq!(saved, Ok(()), "there is room");
                }
            });
        }
    });
    let added = store.load(&key).expect("it was saved twenty times");
    let mut added = added.payload(Artifact::NATIVE).unwrap_or_default().to_vec();
    added.sort();
    assert_eq!(added, (0..20).collect::<Vec<u8>>());
}
