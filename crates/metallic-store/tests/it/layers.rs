use std::sync::Arc;

use metallic_store::conformance::{self, artifact, key};
use metallic_store::{
    ArtifactStore, Bundle, BundleTrust, Claim, DiskOptions, DiskStore, LayeredStore, MemoryStore, MissCause,
    Obtain, Origin, SaveError,
};

/// A top, two bases, two remote levels, and the store of them.
fn levels() -> ([Arc<MemoryStore>; 5], LayeredStore) {
    let levels: [Arc<MemoryStore>; 5] = std::array::from_fn(|_| Arc::default());
    let [top, first, second, near, far] = levels.clone();
    let store = LayeredStore::new(top).with_base(first).with_base(second).with_remote(near).with_remote(far);
    (levels, store)
}

#[test]
fn a_layered_store_conforms() {
    let folders = tempfile::tempdir().unwrap();
    let mut opened = 0;
    conformance::check_all(|| {
        opened += 1;
        let top = DiskStore::open(folders.path().join(opened.to_string()), DiskOptions::new());
        Box::new(LayeredStore::new(Arc::new(top)).with_base(Arc::new(MemoryStore::new())))
    });
}

#[test]
fn a_remote_hit_is_filled_in_above_and_never_into_a_base() {
    let ([top, first, second, near, far], store) = levels();
    far.save(&key(1, "a"), &artifact(1, 100)).unwrap();
    assert_eq!(store.load(&key(1, "a")), Ok(artifact(1, 100)));
    store.flush();
    for filled in [&top, &near] {
        assert_eq!(filled.load(&key(1, "a")), Ok(artifact(1, 100)));
    }
    for base in [&first, &second] {
        assert!(base.ids(None).unwrap().is_empty());
        assert_eq!(base.stats().written, 0);
    }
    let asked = far.stats().misses() + far.stats().found;
    assert!(store.load(&key(1, "a")).is_ok());
    assert_eq!(far.stats().misses() + far.stats().found, asked, "it is not asked again");
}

#[test]
fn a_base_hit_is_filled_in_above_and_nothing_below_the_base_is_asked_or_written() {
    let ([top, first, second, near, far], store) = levels();
    second.save(&key(1, "a"), &artifact(1, 100)).unwrap();
    assert_eq!(store.load(&key(1, "a")), Ok(artifact(1, 100)));
    store.flush();
    assert_eq!(top.load(&key(1, "a")), Ok(artifact(1, 100)));
    assert_eq!((first.bytes(), near.bytes(), far.bytes()), (0, 0, 0));
    assert_eq!((near.stats().misses(), far.stats().misses()), (0, 0));
    assert_eq!(second.stats().written, 1, "only the test has written to the base");

    let found = second.stats().found;
    assert!(store.load(&key(1, "a")).is_ok());
    assert_eq!(second.stats().found, found, "it is not asked again");
}

#[test]
fn what_is_saved_reaches_the_top_at_once_and_the_remote_levels_in_the_background() {
    let ([top, first, _, near, far], store) = levels();
    store.save(&key(1, "a"), &artifact(1, 100)).unwrap();
    assert_eq!(top.load(&key(1, "a")), Ok(artifact(1, 100)));
    store.flush();
    for remote in [near, far] {
        assert_eq!(remote.load(&key(1, "a")), Ok(artifact(1, 100)));
    }
    assert!(first.ids(None).unwrap().is_empty());
}

#[test]
fn what_is_damaged_above_is_found_below_and_healed() {
    let folder = tempfile::tempdir().unwrap();
    let top = Arc::new(DiskStore::open(folder.path().join("top"), DiskOptions::new()));
    let remote = Arc::new(MemoryStore::new());
    let store = LayeredStore::new(top.clone()).with_remote(remote);
    store.save(&key(1, "a"), &artifact(1, 100)).unwrap();
    store.flush();
    let name = key(1, "a").id().to_string();
    let path = top.folder().join("entries").join(&name[..2]).join(name);
    std::fs::write(&path, b"nonsense").unwrap();
    assert_eq!(store.load(&key(1, "a")), Ok(artifact(1, 100)));
    store.flush();
    assert_eq!(top.stats().missed["magic"], 1);
    assert_eq!(top.load(&key(1, "a")), Ok(artifact(1, 100)));
}

#[test]
fn what_a_driver_rejects_is_not_taken_from_a_base_again() {
    let ([top, first, _, _, far], store) = levels();
    let key = key(1, "a");
    for level in [&first, &far] {
        level.save(&key, &artifact(1, 100)).unwrap();
    }
    assert!(store.load(&key).is_ok());
    store.reject(&key, "the driver says no");
    assert_eq!(store.load(&key), Err(MissCause::Rejected));
    assert!(first.load(&key).is_ok(), "the base is not written to");
    let obtained = Obtain::new(&store, &key).or_create(|| Ok::<_, ()>(artifact(2, 100))).unwrap();
    assert!(matches!(obtained.origin, Origin::Created { .. }));
    assert_eq!(store.load(&key), Ok(artifact(2, 100)));
    assert_eq!(top.load(&key), Ok(artifact(2, 100)));
}

#[test]
fn a_store_without_a_top_is_used_and_never_written_to() {
    let (base, remote) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
    base.save(&key(1, "a"), &artifact(1, 100)).unwrap();
    remote.save(&key(2, "a"), &artifact(2, 100)).unwrap();
    let store = LayeredStore::read_only().with_base(base.clone()).with_remote(remote.clone());
    assert_eq!(store.load(&key(1, "a")), Ok(artifact(1, 100)));
    assert_eq!(store.load(&key(2, "a")), Ok(artifact(2, 100)));
    assert_eq!(store.save(&key(3, "a"), &artifact(3, 100)), Err(SaveError::ReadOnly));
    assert!(matches!(store.claim(&key(3, "a"), Obtain::DEFAULT_WAIT), Claim::Unsupported));
    store.flush();
    assert_eq!((base.stats().written, remote.stats().written), (1, 1));
}

#[test]
fn a_bundle_is_a_base() {
    let shipped = MemoryStore::new();
    shipped.save(&key(1, "a"), &artifact(1, 100)).unwrap();
    let (file, _) = Bundle::export(&shipped, shipped.ids(None).unwrap(), None).unwrap();
    let bundle = Bundle::from_bytes(&file, BundleTrust::Anyone).unwrap();
    let store = LayeredStore::new(Arc::new(MemoryStore::new())).with_base(Arc::new(bundle));
    assert_eq!(store.load(&key(1, "a")), Ok(artifact(1, 100)));
    let cause = store.load(&key(1, "b")).unwrap_err();
    assert!(matches!(&cause, MissCause::Changed(changes) if changes[0].name == "driver"), "{cause:?}");
}

/// An observer that uses the store it observes, as a program's metrics might by mistake.
struct Reentrant(std::sync::OnceLock<std::sync::Weak<LayeredStore>>);

impl metallic_store::StoreObserver for Reentrant {
    fn observe(&self, event: &metallic_store::StoreEvent<'_>) {
        thread_local!(static IS_INSIDE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) });
        let store = self.0.get().and_then(std::sync::Weak::upgrade);
        let (metallic_store::StoreAction::NotWritten { .. }, Some(store)) = (&event.action, store) else {
            return;
        };
        if !IS_INSIDE.replace(true) {
            let _ = store.read(&key(1, "a").id());
            store.flush();
            IS_INSIDE.set(false);
        }
    }
}

#[test]
fn an_observer_may_use_the_store_from_within_the_back_fill() {
    let observer = Arc::new(Reentrant(std::sync::OnceLock::new()));
    let folder = tempfile::tempdir().unwrap();
    // Too small for anything: each back-fill is an event.
    let options = DiskOptions::new().with_limit(10).with_observer(observer.clone());
    let top = Arc::new(DiskStore::open(folder.path().join("top"), options));
    let base = Arc::new(MemoryStore::new());
    base.save(&key(1, "a"), &artifact(1, 100)).unwrap();
    let store = Arc::new(LayeredStore::new(top.clone()).with_base(base));
    observer.0.set(Arc::downgrade(&store)).unwrap();
    for _ in 0..300 {
        // More than the queue takes: some are refused on this thread, others fail on the other.
        assert_eq!(store.load(&key(1, "a")), Ok(artifact(1, 100)));
    }
    assert!(top.stats().not_written.values().sum::<u64>() > 0);
}

/// An observer that panics at the first entry that is written.
struct PanicsOnce(std::sync::Once);

impl metallic_store::StoreObserver for PanicsOnce {
    fn observe(&self, event: &metallic_store::StoreEvent<'_>) {
        if matches!(event.action, metallic_store::StoreAction::Written { .. }) {
            self.0.call_once_force(|_| panic!("an observer's fault"));
        }
    }
}

#[test]
fn a_panic_in_the_back_fill_does_not_end_it() {
    let top = Arc::new(MemoryStore::new().with_observer(Arc::new(PanicsOnce(std::sync::Once::new()))));
    let base = Arc::new(MemoryStore::new());
    for number in 0..3 {
        base.save(&key(number, "a"), &artifact(number, 100)).unwrap();
    }
    let store = LayeredStore::new(top.clone()).with_base(base);
    for number in 0..3 {
        assert!(store.load(&key(number, "a")).is_ok());
        store.flush();
        assert_eq!(top.load(&key(number, "a")), Ok(artifact(number, 100)));
    }
}
