//! Locals that callers do not hold.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;
use std::thread;

use metallic::caching::SharedRegistry;
use metallic::error::Error;

use crate::kernels::{Script, Scripted};

fn registry() -> (SharedRegistry<Script>, Script) {
    let script = Script::default();
    (SharedRegistry::with_device(script.clone()), script)
}

#[test]
fn a_thread_has_one_local_of_each_registry_until_it_is_released() {
    let ((one, _), (other, _)) = (registry(), registry());
    let address =
        |registry: &SharedRegistry<Script>| registry.with_local(|local| ptr::from_ref(local).addr());
    let first = address(&one);
    assert_ne!(address(&other), first);
    assert_eq!(address(&one), first, "the same one");
    one.with_local(|local| local.get_or_create::<Scripted>(&1, None).map(drop)).unwrap();
    let resource = one.get_or_create::<Scripted>(&1, None).unwrap();
    one.remove::<Scripted>(&1);
    assert_eq!(Arc::strong_count(&resource), 2, "the local has it until it is used again");
    one.release_local();
    assert_eq!(Arc::strong_count(&resource), 1);
}

#[test]
fn a_creation_may_use_the_local_of_its_thread_and_a_cycle_is_a_typed_error() {
    let (registry, script) = registry();
    let inner = registry.clone();
    script.on(1, move || inner.with_local(|local| local.get_or_create::<Scripted>(&2, None).map(drop)));
    let inner = registry.clone();
    script.on(3, move || inner.with_local(|local| local.get_or_create::<Scripted>(&3, None).map(drop)));
    registry.with_local(|outer| {
        assert_eq!(**outer.get_or_create::<Scripted>(&1, None).unwrap(), 1);
        registry.with_local(|inner| assert_eq!(**inner.get_or_create::<Scripted>(&2, None).unwrap(), 2));
        let error = outer.get_or_create::<Scripted>(&3, None).unwrap_err();
        assert!(matches!(error.root(), Error::RecursiveCreation { .. }), "{error:?}");
    });
    assert_eq!(script.creations(), 3);
    // The script has the registry.
    script.on(1, || Ok(()));
    script.on(3, || Ok(()));
}

#[test]
fn what_a_thread_has_is_dropped_and_counted_when_it_ends_or_panics() {
    let (registry, _) = registry();
    let resource = registry.get_or_create::<Scripted>(&1, None).unwrap();
    let hit = |local: &mut metallic::caching::LocalRegistry<Script>| {
        (0..10).for_each(|_| drop(local.get_or_create::<Scripted>(&1, None).cloned().unwrap()));
    };
    thread::scope(|scope| scope.spawn(|| registry.with_local(hit)).join()).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        registry.with_local(|local| {
            hit(local);
            panic!("in the middle of it");
        })
    }));
    assert!(panicked.is_err());
    registry.with_local(hit);
    registry.release_local();
    registry.remove::<Scripted>(&1);
    assert_eq!(Arc::strong_count(&resource), 1, "no local has it any more");
    assert_eq!(registry.metrics::<Scripted>().map(|metrics| metrics.hits), Some(30));
}

/// Looks up when its thread has ended, and other thread-locals may be gone.
struct Late(SharedRegistry<Script>);

impl Drop for Late {
    fn drop(&mut self) {
        let late = self.0.with_local(|local| local.get_or_create::<Scripted>(&7, None).map(drop));
        assert!(late.is_ok());
    }
}

thread_local! {
    static BEFORE: RefCell<Option<Late>> = const { RefCell::new(None) };
    static AFTER: RefCell<Option<Late>> = const { RefCell::new(None) };
}

#[test]
fn a_local_is_at_hand_while_its_thread_ends() {
    let (registry, script) = registry();
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            BEFORE.set(Some(Late(registry.clone())));
            registry.with_local(|local| local.get_or_create::<Scripted>(&7, None).map(drop)).unwrap();
            AFTER.set(Some(Late(registry.clone())));
        });
        // The scope does not wait for the thread's end, only for that of its function.
        thread.join().unwrap();
    });
    let metrics = registry.metrics::<Scripted>().unwrap();
    assert_eq!((metrics.hits, metrics.misses, script.creations()), (2, 1, 1));
}
