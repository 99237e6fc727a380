//! Several registries and threads over one store.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use metallic::caching::{CacheRegistry, KernelCache};
use metallic_store::{DiskOptions, DiskStore, MemoryStore};

use crate::kernels::{Code, Key, Kind, Machine, code, misses_and_loads};

#[test]
fn a_second_registry_over_one_folder_compiles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (round, loads) in [0, 4].into_iter().enumerate() {
        let machine = Machine::new("build", "550");
        let registry = machine.registry(folder.path());
        for kind in Kind::ALL {
            let key = Key::new(kind, 7);
            assert_eq!(registry.get_or_create::<Code>(&key, None).unwrap(), code(&key), "{kind:?}");
        }
        assert_eq!(misses_and_loads(&registry), (4, loads));
        assert_eq!(machine.compilations(), if round == 0 { 4 } else { 0 });
    }
}

#[test]
fn a_private_registry_and_a_local_one_use_the_store_as_well() {
    let store = Arc::new(MemoryStore::new());
    let key = Key::new(Kind::Typed, 1);
    let machine = Machine::new("build", "550");
    let mut private = CacheRegistry::with_device(machine.clone()).with_store(store.clone());
    assert_eq!(*private.get_or_create::<Code>(&key, None).unwrap(), code(&key));
    let shared = machine.registry_over(store.clone());
    assert_eq!(*shared.local().get_or_create::<Code>(&key, None).unwrap(), code(&key));
    let mut renamed = CacheRegistry::with_device(machine.clone()).with_store(store);
    renamed.set_cache_name::<Code>("another").unwrap();
    assert_eq!(*renamed.get_or_create::<Code>(&key, None).unwrap(), code(&key));
    assert_eq!(private.metrics::<Code>().unwrap().loads, 0);
    assert_eq!(misses_and_loads(&shared), (1, 1));
    assert_eq!(renamed.metrics::<Code>().unwrap().loads, 0, "artifacts go by the cache's name");
    assert_eq!(machine.compilations(), 2);
}

#[test]
fn without_a_store_a_device_or_a_registry_a_kernel_creates_as_any_other() {
    let machine = Machine::new("build", "550");
    let key = Key::new(Kind::Typed, 1);
    let mut alone = KernelCache::<Code, Machine>::default().with_device(machine.clone());
    assert_eq!(*alone.get_or_create(&key, None).unwrap(), code(&key));
    let registry = machine.registry_over(Arc::new(MemoryStore::new()));
    assert!(registry.store().is_some());
    registry.set_store(None);
    assert!(registry.store().is_none());
    assert_eq!(registry.get_or_create::<Code>(&key, None).unwrap(), code(&key));
    assert_eq!((machine.compilations(), misses_and_loads(&registry)), (2, (1, 0)));
}

#[test]
fn eight_threads_with_a_registry_each_compile_each_key_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(DiskStore::open(folder.path(), DiskOptions::new()));
    let machine = Machine::with_compile_time("build", "550", Duration::from_millis(2));
    thread::scope(|scope| {
        for _ in 0..8 {
            let (machine, store) = (&machine, store.clone());
            scope.spawn(move || {
                let registry = machine.registry_over(store);
                for width in 0..10 {
                    for kind in Kind::ALL {
                        let key = Key::new(kind, width * 64);
                        assert_eq!(registry.get_or_create::<Code>(&key, None).unwrap(), code(&key));
                    }
                }
            });
        }
    });
    assert_eq!(machine.compilations(), 40);
}

#[test]
fn loads_are_among_the_misses_and_their_time_among_that_of_creations() {
    let store = Arc::new(MemoryStore::new());
    let key = Key::new(Kind::Typed, 1);
    Machine::new("build", "550").registry_over(store.clone()).get_or_create::<Code>(&key, None).unwrap();
    let registry = Machine::new("build", "550").registry_over(store);
    registry.get_or_create::<Code>(&key, None).unwrap();
    registry.get_or_create::<Code>(&Key::new(Kind::Typed, 2), None).unwrap();
    let metrics = registry.metrics::<Code>().unwrap();
    assert_eq!((metrics.misses, metrics.loads, metrics.failed_creations), (2, 1, 0));
    assert!(metrics.load_time > Duration::ZERO && metrics.load_time < metrics.creation_time);
}
