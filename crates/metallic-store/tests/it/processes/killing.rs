use std::path::Path;
use std::time::{Duration, Instant};

use metallic_store::conformance::{artifact, key};
use metallic_store::{Artifact, ArtifactStore, DiskOptions, DiskStore, MissCause};

use super::spawn;

const LIMIT: u64 = 200_000;
const PROCESSES: u64 = 8;
const KEYS: u64 = 40;

/// Follows from the number alone, so that whoever reads it knows what it must be.
fn expected(number: u64) -> Artifact {
    artifact(number, 3000 + 200 * number as usize)
}

/// Writes, reads and removes at random, for ever. A read that is wrong is written down before the process is killed.
pub(super) fn write_until_killed(folder: &Path, seed: &str) {
    let store = DiskStore::open(folder.join("store"), DiskOptions::new().with_limit(LIMIT));
    let mut state = seed.parse::<u64>().unwrap() | 1;
    println!("writing ");
    loop {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let number = state % KEYS;
        let key = key(number, "a");
        match (state >> 32) % 8 {
            0 => drop(store.remove(&key.id())),
            1..4 => drop(store.save(&key, &expected(number))),
            _ => match store.load(&key) {
                Ok(loaded) if loaded == expected(number) => {}
                Err(MissCause::Absent) => {}
                wrong => std::fs::write(folder.join("wrong"), format!("{number}: {wrong:?}")).unwrap(),
            },
        }
    }
}

/// How many children are killed: 100, unless the environment asks for more.
fn kills() -> u64 {
    std::env::var("METALLIC_STORE_KILLS").map_or(100, |kills| kills.parse().expect("a number of kills"))
}

#[test]
fn processes_killed_at_random_moments_leave_a_whole_store() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("store");
    let start = |seed: u64| {
        let mut process = spawn(folder.path(), &format!("write:{seed}"));
        process.expect("writing");
        process
    };
    let begun = Instant::now();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut processes: Vec<_> = (0..PROCESSES).map(|number| start(seed ^ number)).collect();
    let mut longest = 0;
    for kill in 0..kills() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let victim = (seed >> 33) as usize % processes.len();
        // The moment is random by what the others do to the machine, and by this: up to 4 ms in which they write.
        let moment = Duration::from_micros((seed >> 20) % 4000);
        let from = Instant::now();
        while from.elapsed() < moment {
            std::thread::yield_now();
        }
        processes[victim] = start(seed);
        // Between files that come and go the sum is no moment's, and errs by what changes meanwhile: one entry a process.
        let bytes = bytes_in(&root);
        longest = longest.max(bytes);
        let largest = 128 + 1024 + 3000 + 200 * KEYS;
        assert!(bytes <= LIMIT + PROCESSES * largest, "{bytes} bytes after {kill} kills");
    }
    drop(processes);
    assert!(
        !folder.path().join("wrong").exists(),
        "{:?}",
        std::fs::read_to_string(folder.path().join("wrong"))
    );

    let store = DiskStore::open(&root, DiskOptions::new().with_limit(LIMIT));
    let told = store.usage().unwrap();
    assert!(told.bytes <= LIMIT && told.bytes == bytes_in(&root), "{told:?}");
    assert_eq!(std::fs::read_dir(root.join("tmp")).unwrap().count(), 0, "no temporary file is left");
    assert!(std::fs::read_dir(root.join("leases")).map_or(0, Iterator::count) == 0, "no lease is left");
    let mut intact = 0;
    for number in 0..KEYS {
        match store.load(&key(number, "a")) {
            Ok(loaded) => {
                assert_eq!(loaded, expected(number));
                intact += 1;
            }
            Err(cause) => assert_eq!(cause, MissCause::Absent),
        }
        store.save(&key(number, "a"), &expected(number)).unwrap();
    }
    println!(
        "{} kills of {PROCESSES} processes in {:.1?}: no bad read, {intact} entries whole, at most {longest} of {LIMIT} bytes",
        kills(),
        begun.elapsed(),
    );
}

/// Bytes in entries, as one walk over the folder finds them.
fn bytes_in(root: &Path) -> u64 {
    let shards = std::fs::read_dir(root.join("entries")).into_iter().flatten().flatten();
    let files = shards.flat_map(|shard| std::fs::read_dir(shard.path()).into_iter().flatten().flatten());
    files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}
