//! Drivers that refuse what was intact.

use std::sync::Arc;

use metallic::caching::CacheRegistry;
use metallic_store::{ArtifactStore, DiskOptions, DiskStore, LayeredStore, MemoryStore};

use crate::kernels::{Code, Key, Kind, Machine, Stubborn, code, misses_and_loads};

/// Creates twice over a store: with a driver that refuses what it is given first, and then with one that does not.
fn refuse_over(store: &Arc<dyn ArtifactStore>, kind: Kind) -> [u64; 2] {
    [true, false].map(|refuses| {
        let machine = Machine::new("build", "550");
        let registry = machine.registry_over(store.clone());
        if refuses {
            machine.refuse_next();
        }
        let key = Key::new(kind, 7);
        assert_eq!(registry.get_or_create::<Code>(&key, None).unwrap(), code(&key), "{kind:?}");
        let loads = u64::from(machine.compilations() == 0);
        assert_eq!(misses_and_loads(&registry), (1, loads), "what was refused was not loaded");
        machine.compilations()
    })
}

fn fill(store: &dyn Fn() -> Arc<dyn ArtifactStore>) {
    let registry = Machine::new("build", "550").registry_over(store());
    for kind in Kind::ALL {
        registry.get_or_create::<Code>(&Key::new(kind, 7), None).unwrap();
    }
}

#[test]
fn what_a_driver_refuses_is_compiled_and_stored_anew() {
    let store: Arc<dyn ArtifactStore> = Arc::new(MemoryStore::new());
    fill(&|| store.clone());
    for kind in Kind::ALL {
        assert_eq!(refuse_over(&store, kind), [1, 0], "{kind:?}");
    }
    assert_eq!(store.stats().rejected, 4);
}

#[test]
fn a_creation_that_loads_and_then_fails_is_no_load() {
    let store: Arc<dyn ArtifactStore> = Arc::new(MemoryStore::new());
    let key = Key::new(Kind::Typed, 7);
    Machine::new("build", "550").registry_over(store.clone()).get_or_create::<Stubborn>(&key, None).unwrap();
    let machine = Machine::new("build", "550");
    machine.refuse_next();
    let registry = machine.registry_over(store.clone());
    assert!(registry.get_or_create::<Stubborn>(&key, None).is_err());
    let mut private = CacheRegistry::with_device(Machine::new("build", "550")).with_store(store);
    private.device().unwrap().refuse_next();
    assert!(private.get_or_create::<Stubborn>(&key, None).is_err());
    for metrics in [registry.metrics::<Stubborn>(), private.metrics::<Stubborn>()] {
        let metrics = metrics.unwrap();
        assert_eq!((metrics.misses, metrics.failed_creations, metrics.loads), (1, 1, 0));
    }
}

#[test]
fn a_driver_that_refuses_what_cannot_be_removed_fails_no_one() {
    let folder = tempfile::tempdir().unwrap();
    fill(&|| Arc::new(DiskStore::open(folder.path(), DiskOptions::new())));
    let read_only = || DiskStore::open(folder.path(), DiskOptions::new().read_only());
    let alone: Arc<dyn ArtifactStore> = Arc::new(read_only());
    let base: Arc<dyn ArtifactStore> = Arc::new(LayeredStore::read_only().with_base(Arc::new(read_only())));
    let top = LayeredStore::new(Arc::new(MemoryStore::new())).with_base(Arc::new(read_only()));
    let top: Arc<dyn ArtifactStore> = Arc::new(top);
    for kind in Kind::ALL {
        assert_eq!(refuse_over(&alone, kind), [1, 0], "it is still there, and may be accepted");
        assert_eq!(refuse_over(&base, kind), [1, 1], "it is not taken from a base again, and cannot be kept");
        assert_eq!(refuse_over(&top, kind), [1, 0], "it is not taken from a base again, and was kept above");
    }
}
