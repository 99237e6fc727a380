use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{artifact, key};
use crate::{ArtifactStore, Claim, Lease, Obtain};

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
