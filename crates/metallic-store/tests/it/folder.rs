//! The folder: its permissions, its bound, and hostile things in it.

use std::fs;
use std::time::{Duration, SystemTime};

use metallic_store::conformance::{artifact, key};
use metallic_store::{Artifact, ArtifactKey, ArtifactStore, DiskOptions, DiskStore, MissCause, SaveError};

fn path(store: &DiskStore, key: &ArtifactKey) -> std::path::PathBuf {
    let name = key.id().to_string();
    store.folder().join("entries").join(&name[..2]).join(name)
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_new_folder_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = DiskStore::open(folder.path().join("a/b"), DiskOptions::new());
        store.save(&key(1, "a"), &artifact(1, 10)).unwrap();
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(store.folder()), 0o700);
        assert_eq!(mode(&path(&store, &key(1, "a"))), 0o600);
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let shared = folder.path().join("shared");
        let store = DiskStore::open(&shared, DiskOptions::new());
        store.save(&key(1, "a"), &artifact(1, 10)).unwrap();
        for mode in [0o770, 0o707, 0o722] {
            fs::set_permissions(&shared, fs::Permissions::from_mode(mode)).unwrap();
            let store = DiskStore::open(&shared, DiskOptions::new());
            assert!(store.refusal().unwrap().contains("can be written to by others"), "{mode:o}");
            assert_eq!(store.load(&key(1, "a")).unwrap_err().name(), "refused");
            assert_eq!(store.save(&key(1, "a"), &artifact(1, 10)).unwrap_err().name(), "refused");
        }
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(DiskStore::open(&shared, DiskOptions::new()).load(&key(1, "a")), Ok(artifact(1, 10)));
    }

    #[test]
    fn an_entry_that_others_can_write_to_is_refused_and_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let store = DiskStore::open(folder.path().join("store"), DiskOptions::new());
        let (key, artifact) = (key(1, "a"), artifact(1, 10));
        store.save(&key, &artifact).unwrap();
        let path = path(&store, &key);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let cause = store.load(&key).unwrap_err();
        assert!(cause.to_string().contains("the entry can be written to by others"), "{cause}");
        store.save(&key, &artifact).unwrap();
        assert_eq!(store.load(&key), Ok(artifact.clone()));
        // Only root can give files away.
        if std::os::unix::fs::chown(&path, Some(12345), None).is_ok() {
            let cause = store.load(&key).unwrap_err();
            assert!(cause.to_string().contains("the entry belongs to the user with number 12345"), "{cause}");
            store.save(&key, &artifact).unwrap();
            assert_eq!(store.load(&key), Ok(artifact));
        }
    }

    #[test]
    fn links_pipes_and_folders_in_the_place_of_an_entry_are_misses_and_give_way() {
        let folder = tempfile::tempdir().unwrap();
        let store = DiskStore::open(folder.path().join("store"), DiskOptions::new());
        let (key, artifact) = (key(1, "a"), artifact(1, 10));
        store.save(&key, &artifact).unwrap();
        let path = path(&store, &key);
        let elsewhere = folder.path().join("elsewhere");
        fs::copy(&path, &elsewhere).unwrap();

        for link in [elsewhere.clone(), folder.path().join("nowhere"), path.clone()] {
            fs::remove_file(&path).unwrap();
            symlink(&link, &path).unwrap();
            assert_eq!(store.load(&key).unwrap_err(), MissCause::NotAFile, "a link to {link:?}");
            store.save(&key, &artifact).unwrap();
            assert_eq!(store.load(&key).as_ref(), Ok(&artifact), "the link was replaced, not followed");
        }
        // Apple's systems have no safe call for it here.
        #[cfg(not(target_vendor = "apple"))]
        {
            fs::remove_file(&path).unwrap();
            rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
            assert_eq!(store.load(&key).unwrap_err(), MissCause::NotAFile, "a pipe that no one writes to");
            store.save(&key, &artifact).unwrap();
        }

        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(store.load(&key).unwrap_err(), MissCause::NotAFile, "a folder");
        store.save(&key, &artifact).unwrap();
        assert_eq!(store.load(&key).as_ref(), Ok(&artifact), "an empty folder gave way");

        fs::remove_file(&path).unwrap();
        fs::create_dir_all(path.join("someone's")).unwrap();
        assert!(matches!(store.save(&key, &artifact), Err(SaveError::Io(_))));
        assert_eq!(
            store.load(&key).unwrap_err(),
            MissCause::NotAFile,
            "what is in it is not the store's to remove"
        );
        assert_eq!(store.usage().unwrap().bytes, 0, "and its room was given back");
    }
}

#[test]
fn the_bound_holds_and_what_is_worth_least_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let limit = 40_000;
    let store = DiskStore::open(folder.path().join("store"), DiskOptions::new().with_limit(limit));
    let of_cost = |number, millis| artifact(number, 5000).with_cost(Duration::from_millis(millis));
    // Used at the same time: the cheap ones are worth less.
    let used = SystemTime::now() - Duration::from_secs(1000);
    for number in 0..7 {
        let key = key(number, "a");
        store.save(&key, &of_cost(number, if number % 2 == 0 { 10 } else { 1000 })).unwrap();
        fs::File::open(path(&store, &key)).unwrap().set_modified(used).unwrap();
    }
    // A costly one that was not used for a thousand times longer is worth less than the cheap ones.
    fs::File::open(path(&store, &key(1, "a")))
        .unwrap()
        .set_modified(used - Duration::from_secs(1_000_000))
        .unwrap();
    assert!(store.usage().unwrap().bytes <= limit);
    store.save(&key(7, "a"), &of_cost(7, 10)).unwrap();
    assert!(store.usage().unwrap().bytes <= limit);
    assert_eq!(store.load(&key(1, "a")).unwrap_err(), MissCause::Absent, "the one not used for long");
    for number in [3, 5, 7] {
        assert!(store.load(&key(number, "a")).is_ok(), "{number} is costly or new");
    }
    assert!(store.stats().evicted >= 1);
    assert_eq!(
        store.save(&key(9, "a"), &artifact(9, 50_000)).unwrap_err().name(),
        "too_long",
        "more than the whole bound evicts nothing"
    );
    assert!(store.load(&key(7, "a")).is_ok());
}

#[test]
fn what_is_from_the_future_is_evicted_before_what_was_used() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path().join("store"), DiskOptions::new());
    let now = SystemTime::now();
    let day = Duration::from_secs(86_400);
    // A clock that was a year ahead once wrote the odd ones.
    for number in 0..8 {
        store.save(&key(number, "a"), &artifact(number, 1000).with_cost(Duration::from_secs(1))).unwrap();
        let used = if number % 2 == 1 { now + 365 * day } else { now - day };
        fs::File::open(path(&store, &key(number, "a"))).unwrap().set_modified(used).unwrap();
    }
    let half = store.usage().unwrap().bytes / 2;
    store.prune(half).unwrap();
    for number in 0..8 {
        assert_eq!(store.load(&key(number, "a")).is_ok(), number % 2 == 0, "{number}");
    }
}

#[test]
fn a_process_that_keeps_the_ledger_locked_costs_one_wait_and_not_one_a_write() {
    let folder = tempfile::tempdir().unwrap();
    let wait = Duration::from_millis(300);
    let store = DiskStore::open(folder.path().join("store"), DiskOptions::new().with_lock_wait(wait));
    store.save(&key(0, "a"), &artifact(0, 10)).unwrap();
    let ledger = fs::File::open(store.folder().join("ledger")).unwrap();
    ledger.lock().unwrap();
    let start = std::time::Instant::now();
    for number in 1..20 {
        assert_eq!(store.save(&key(number, "a"), &artifact(number, 10)), Err(SaveError::Busy));
    }
    let took = start.elapsed();
    assert!(wait <= took && took < 10 * wait, "{took:?}");
    assert_eq!(store.load(&key(0, "a")), Ok(artifact(0, 10)), "reading needs no ledger");
    drop(ledger);
    store.save(&key(1, "a"), &artifact(1, 10)).unwrap();
}

#[test]
fn the_ledger_is_exact_through_replacing_removing_and_pruning() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path().join("store"), DiskOptions::new().with_limit(1 << 20));
    let total = || {
        let record = fs::read(store.folder().join("ledger")).unwrap();
        u64::from_le_bytes(record[8..16].try_into().unwrap())
    };
    for number in [0, 1, 2, 1, 0, 3] {
        store.save(&key(number, "a"), &artifact(number, 100 * number as usize)).unwrap();
        let told = total();
        assert_eq!(store.usage().unwrap().bytes, told);
    }
    store.remove(&key(1, "a").id()).unwrap();
    let told = total();
    assert_eq!(store.usage().unwrap().bytes, told);
    let freed = store.prune(0).unwrap();
    assert_eq!((freed, total()), (told, 0));
    assert_eq!(store.ids(None), Ok(Vec::new()));
}

#[test]
fn a_torn_or_missing_ledger_is_counted_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path().join("store"), DiskOptions::new().with_limit(30_000));
    let ledger = store.folder().join("ledger");
    for (number, damage) in [&b""[..], b"mtl-led1", &[0xff; 24], &[0; 4096]].iter().enumerate() {
        store.save(&key(number as u64, "a"), &artifact(0, 5000)).unwrap();
        fs::write(&ledger, damage).unwrap();
    }
    fs::remove_file(&ledger).unwrap();
    for number in 10..30 {
        store.save(&key(number, "a"), &artifact(0, 5000)).unwrap();
        let bytes: u64 = store.ids(None).unwrap().iter().map(|id| store.info(id).unwrap().bytes).sum();
        assert!(bytes <= 30_000, "{bytes}");
    }
}

#[test]
fn a_store_that_is_only_read_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("store");
    let written = DiskStore::open(&at, DiskOptions::new());
    let (key, artifact) = (key(1, "a"), artifact(1, 10));
    written.save(&key, &artifact).unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(100_000);
    fs::File::open(path(&written, &key)).unwrap().set_modified(long_ago).unwrap();

    let base = DiskStore::open(&at, DiskOptions::new().read_only());
    assert_eq!(base.load(&key), Ok(artifact.clone()));
    assert_eq!(base.save(&key, &artifact), Err(SaveError::ReadOnly));
    assert_eq!(base.remove(&key.id()), Err(SaveError::ReadOnly));
    let used = fs::metadata(path(&written, &key)).unwrap().modified().unwrap();
    assert!(used < SystemTime::now() - Duration::from_secs(50_000), "not even the time of the last use");
    assert!(!at.join("leases").exists());

    assert_eq!(written.load(&key), Ok(artifact));
    let used = fs::metadata(path(&written, &key)).unwrap().modified().unwrap();
    assert!(used > SystemTime::now() - Duration::from_secs(50), "one that is written to notes the use");
    let nowhere = DiskStore::open(folder.path().join("nowhere"), DiskOptions::new().read_only());
    assert_eq!(nowhere.load(&key), Err(MissCause::Absent));
    assert!(!folder.path().join("nowhere").exists());
}

#[test]
fn what_a_store_did_not_put_there_is_named_and_never_touched() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("project");
    // A user's own folder, which has a `tmp` and more that a store has, too.
    let (first, other) = (key(1, "a").id().to_string(), key(2, "a").id().to_string());
    let theirs = [
        "README".to_owned(),
        "entries/notes".to_owned(),
        format!("entries/zz/{first}"),
        format!("entries/{}/notes", &first[..2]),
        "leases/contract.pdf".to_owned(),
        "tmp/100".to_owned(),
        "tmp/100-1-2-3".to_owned(),
        "tmp/draft-1-2".to_owned(),
        "tmp/thesis.tex".to_owned(),
    ];
    for path in &theirs {
        let path = at.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "theirs").unwrap();
    }
    let as_entry = at.join("entries").join(&other[..2]).join(&other);
    fs::create_dir_all(as_entry.join("inside")).unwrap();
    let abandoned = at.join("tmp/100-1-2");
    fs::write(&abandoned, "a killed process left it").unwrap();

    let store = DiskStore::open(&at, DiskOptions::new().with_limit(1000));
    for number in 3..20 {
        store.save(&key(number, "a"), &artifact(number, 100)).unwrap();
    }
    drop(store.lease(&key(3, "a").id(), Duration::ZERO));
    store.prune(0).unwrap();
    assert!(!abandoned.exists());
    let mut expected: Vec<_> = theirs.iter().map(|path| at.join(path)).collect();
    expected.push(as_entry);
    // A folder that is no shard is named itself, and not what is in it.
    expected.retain(|path| !path.starts_with(at.join("entries/zz")));
    expected.push(at.join("entries/zz"));
    expected.sort();
    assert_eq!(store.foreign().unwrap(), expected);
    for path in &theirs {
        assert_eq!(fs::read_to_string(at.join(path)).unwrap(), "theirs", "{path}");
    }
    let nowhere = DiskStore::open(folder.path().join("nowhere"), DiskOptions::new().read_only());
    assert!(nowhere.foreign().unwrap().is_empty());
}

#[test]
fn the_room_on_the_file_system_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path().join("store"), DiskOptions::new());
    let available = store.available().unwrap();
    assert_eq!(available.is_some(), cfg!(unix));
    assert!(available.is_none_or(|bytes| bytes > 0));
    let nowhere = DiskStore::open(folder.path().join("nowhere"), DiskOptions::new().read_only());
    assert!(nowhere.available().is_err());
}

#[test]
fn a_sparse_giant_is_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path().join("store"), DiskOptions::new());
    let key = key(1, "a");
    store.save(&key, &Artifact::native(*b"code")).unwrap();
    fs::OpenOptions::new().write(true).open(path(&store, &key)).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(store.load(&key).unwrap_err().name(), "too_long");
}
