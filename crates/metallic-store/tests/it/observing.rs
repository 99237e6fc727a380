use std::fs;
use std::sync::{Arc, Mutex};

use metallic_store::conformance::{artifact, key};
use metallic_store::{
    ArtifactStore, Claim, DiskOptions, DiskStore, Secret, SecretError, StoreAction, StoreEvent, StoreObserver,
};

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl StoreObserver for Heard {
    fn observe(&self, event: &StoreEvent<'_>) {
        let action = match &event.action {
            StoreAction::Found { bytes, .. } => format!("found {bytes}"),
            StoreAction::Missed { cause, .. } => format!("missed: {cause}"),
            StoreAction::Written { bytes, .. } => format!("written {bytes}"),
            StoreAction::NotWritten { cause, .. } => format!("not written: {cause}"),
            StoreAction::Rejected { reason, .. } => format!("rejected: {reason}"),
            StoreAction::Evicted { .. } => "evicted".to_owned(),
            StoreAction::Unleased { unsupported, .. } => format!("unleased, unsupported {unsupported}"),
            StoreAction::Fault { attempt, .. } => format!("fault: {attempt}"),
            _ => "something new".to_owned(),
        };
        self.0.lock().unwrap().push(format!("{}: {action}", event.store));
    }
}

#[test]
fn an_observer_hears_what_the_counters_count() {
    let folder = tempfile::tempdir().unwrap();
    let heard = Arc::new(Heard::default());
    let options = DiskOptions::new().with_name("top").with_limit(3000).with_observer(heard.clone());
    let store = DiskStore::open(folder.path().join("store"), options);
    assert!(store.load(&key(1, "a")).is_err());
    store.save(&key(1, "a"), &artifact(1, 1000)).unwrap();
    assert!(store.load(&key(1, "a")).is_ok());
    assert!(store.load(&key(1, "b")).is_err());
    store.save(&key(2, "a"), &artifact(2, 2000)).unwrap();
    store.save(&key(2, "a"), &artifact(2, 9000)).unwrap_err();
    store.reject(&key(2, "a"), "the driver says no");
    let Claim::Granted(_guard) = store.claim(&key(3, "a"), std::time::Duration::ZERO) else {
        panic!("it is free")
    };
    assert!(matches!(store.claim(&key(3, "a"), std::time::Duration::ZERO), Claim::TimedOut));
    let heard = heard.0.lock().unwrap();
    assert_eq!(
        *heard,
        [
            "top: missed: no artifact of this key",
            "top: written 1008",
            "top: found 1008",
            "top: missed: stored under another fingerprint: driver is `b`, stored with `a`",
            "top: evicted",
            "top: written 2008",
            "top: not written: 9378 bytes, more than the 3000 that it may take",
            "top: rejected: the driver says no",
            "top: unleased, unsupported false",
        ]
    );
    let stats = store.stats();
    assert_eq!((stats.found, stats.misses(), stats.written, stats.evicted), (1, 2, 2, 1));
    assert_eq!((stats.rejected, stats.unleased, stats.not_written["too_long"]), (1, 1, 1));
    assert_eq!((stats.missed["absent"], stats.missed["changed"]), (1, 1));
    assert_eq!((stats.bytes_found, stats.bytes_written), (1008, 3016));
}

#[test]
fn a_secret_is_long_and_its_file_is_its_owners_alone() {
    assert!(matches!(Secret::new(b"  too short     \n"), Err(SecretError::TooShort(9))));
    assert!(Secret::new(b"sixteen bytes ok").unwrap() == Secret::new(b"\n sixteen bytes ok \n").unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    assert!(matches!(Secret::from_file(&file), Err(SecretError::Unreadable { .. })));
    fs::write(&file, "sixteen bytes ok\n").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Secret::from_file(&file), Err(SecretError::Exposed { mode: 0o640, .. })));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert!(Secret::from_file(&file).unwrap() == Secret::new(b"sixteen bytes ok").unwrap());
    assert_eq!(format!("{:?}", Secret::from_file(&file).unwrap()), "Secret(..)");
}
