use std::path::Path;
use std::time::{Duration, Instant};

use metallic_store::conformance::{artifact, key};
use metallic_store::{ArtifactStore, Claim, DiskOptions, DiskStore, Lease, Obtain, Origin};

use super::spawn;

const KEYS: u64 = 24;

/// Obtains every key, and prints how many this process created.
pub(super) fn obtain_all(folder: &Path, start: &str) {
    // On a machine that has much else to do, a process can be stopped for long with the ledger's lock: the others would do without
    // their entry, as they should, and create what it was to save.
    let store = DiskStore::open(folder, DiskOptions::new().with_lock_wait(Duration::from_secs(60)));
    let start: u64 = start.parse().unwrap();
    let mut created = 0;
    for number in (0..KEYS).map(|step| (start + step) % KEYS) {
        let key = key(number, "a");
        let obtained = Obtain::new(&store, &key)
            .or_create(|| {
                // Work that takes its time: digests, which no other thread can do for it.
                let mut bytes = artifact(number, 20_000);
                for _ in 0..3 {
                    bytes = bytes.with_payload(
                        "digest",
                        metallic_store::Digest::of(&[1; 100_000]).to_string().as_bytes(),
                    );
                }
                Ok::<_, std::convert::Infallible>(bytes)
            })
            .unwrap();
        if let Origin::Created { .. } = obtained.origin {
            created += 1;
        }
    }
    println!("created {created} unleased {}", store.stats().unleased);
}

/// Takes a lease, says so, and holds it for ever.
pub(super) fn hold_until_killed(folder: &Path) {
    let store = DiskStore::open(folder, DiskOptions::new());
    let Lease::Held(_held) = store.lease(&key(1, "a").id(), Duration::ZERO) else { panic!("it is free") };
    println!("holding ");
    loop {
        std::thread::park();
    }
}

#[test]
fn eight_cold_processes_create_each_artifact_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut processes: Vec<_> =
        (0..8).map(|start| spawn(&folder.path().join("store"), &format!("obtain:{start}"))).collect();
    let reports: Vec<_> = processes.iter_mut().map(|process| process.expect("created ")).collect();
    let created: u64 =
        reports.iter().map(|report| report.split(' ').next().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(created, KEYS, "{reports:?}");
    let store = DiskStore::open(folder.path().join("store"), DiskOptions::new());
    assert_eq!(store.ids(None).unwrap().len() as u64, KEYS);
    assert_eq!(std::fs::read_dir(store.folder().join("leases")).unwrap().count(), 0, "leases are put away");
    println!("8 processes, {KEYS} keys: created {reports:?}");
}

#[test]
fn the_lease_of_a_killed_process_is_taken_over_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path(), DiskOptions::new());
    let mut owner = spawn(folder.path(), "hold:");
    owner.expect("holding");
    let key = key(1, "a");
    assert!(matches!(store.claim(&key, Duration::ZERO), Claim::TimedOut), "the owner has it");
    let waited = std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let claim = store.claim(&key, Duration::from_secs(60));
            assert!(matches!(claim, Claim::Granted(_)), "{claim:?}");
            Instant::now()
        });
        let killed = Instant::now();
        owner.0.kill().unwrap();
        waiter.join().unwrap() - killed
    });
    println!("taken over {waited:?} after the owner's death");
    assert!(waited < Duration::from_millis(100), "{waited:?}");
}

#[test]
fn a_hung_owner_costs_the_deadline_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path(), DiskOptions::new());
    let mut owner = spawn(folder.path(), "hold:");
    owner.expect("holding");
    let (key, wait) = (key(1, "a"), Duration::from_millis(200));
    let start = Instant::now();
    let obtained =
        Obtain::new(&store, &key).with_wait(wait).or_create(|| Ok::<_, ()>(artifact(1, 100))).unwrap();
    let took = start.elapsed();
    assert!(matches!(obtained.origin, Origin::Created { .. }));
    assert!(took >= wait && took < wait + Duration::from_millis(500), "{took:?}");
    assert_eq!(store.stats().unleased, 1);
    assert_eq!(store.load(&key), Ok(obtained.artifact), "it is saved all the same");
}
