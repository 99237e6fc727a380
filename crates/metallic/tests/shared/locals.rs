//! The entries that a local keeps, and lets go of, when it is told late, or by code that panics and calls back.

use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use metallic::caching::SharedRegistry;
use metallic::error::Error;
use metallic_instrumentation::{Event, EventKind, EventSink};

use crate::kernels::{Script, Scripted};

/// A key whose hash is everyone's.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Crowded(u32);

impl Hash for Crowded {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

#[test]
fn a_local_lets_go_of_every_removed_key_of_one_hash() {
    let registry: SharedRegistry = SharedRegistry::new();
    let numbers = registry.cache::<Crowded, u32>("numbers").unwrap();
    let mut local = numbers.local();
    let mut get = |key, value| *local.get_or_create_with(&Crowded(key), || Ok::<_, Error>(value)).unwrap();
    for key in 0..4 {
        get(key, key);
    }
    for key in 0..3 {
        numbers.remove(&Crowded(key));
    }
    for key in 0..4 {
        assert_eq!(get(key, key + 100), if key < 3 { key + 100 } else { key });
    }
}

#[test]
fn a_creation_may_ask_for_another_key_of_the_same_hash() {
    let registry: SharedRegistry = SharedRegistry::new();
    let numbers = registry.cache::<Crowded, u32>("numbers").unwrap();
    let inner = || numbers.get_or_create_with(&Crowded(2), || Ok::<_, Error>(2));
    let outer = numbers.get_or_create_with(&Crowded(1), || Ok::<_, Error>(inner()? + 10));
    assert_eq!((outer.unwrap(), numbers.get(&Crowded(2))), (12, Some(2)));
}

/// Removes key 1 when it hears of its first creation.
struct Remover {
    registry: SharedRegistry<Script>,
    armed: AtomicBool,
}

impl EventSink for Remover {
    fn record(&self, _: &Event) {
        if self.armed.swap(false, Ordering::SeqCst) {
            self.registry.remove::<Scripted>(&1).unwrap();
        }
    }

    fn enabled(&self, kind: EventKind) -> bool {
        kind == EventKind::ResourceCreated
    }
}

#[test]
fn a_local_hands_out_once_what_was_removed_before_it_was_kept() {
    let script = Script::default();
    let registry = SharedRegistry::with_device(script.clone());
    let armed = AtomicBool::new(true);
    registry.set_sink(Some(Arc::new(Remover { registry: registry.clone(), armed })));
    let mut local = registry.local();
    let removed = Arc::downgrade(local.get_or_create::<Scripted>(&1, None).unwrap());
    for _ in 0..3 {
        local.get_or_create::<Scripted>(&1, None).unwrap();
    }
    assert_eq!((script.creations(), removed.strong_count()), (2, 0));
    registry.set_sink(None);
}

/// Panics when it is dropped, if it is 1 and the fuse is lit.
#[derive(Clone)]
struct Bomb(u32, Arc<AtomicBool>);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(self.0 != 1 || !self.1.load(Ordering::SeqCst), "as it was told to");
    }
}

#[test]
fn a_panic_while_a_local_lets_go_leaves_nothing_removed_in_it() {
    let (registry, fuse) = (SharedRegistry::<()>::default(), Arc::new(AtomicBool::new(false)));
    let bombs = registry.cache::<u32, Bomb>("bombs").unwrap();
    let mut local = bombs.local();
    for key in 1..4 {
        local.get_or_create_with(&key, || Ok::<_, Error>(Bomb(key, fuse.clone()))).unwrap();
    }
    bombs.clear();
    fuse.store(true, Ordering::SeqCst);
    let next = || local.get_or_create_with(&4, || Ok::<_, Error>(Bomb(4, fuse.clone()))).map(drop);
    catch_unwind(AssertUnwindSafe(next)).unwrap_err();
    fuse.store(false, Ordering::SeqCst);
    for key in 2..4 {
        let made = local.get_or_create_with(&key, || Ok::<_, Error>(Bomb(key + 100, fuse.clone())));
        assert_eq!(made.unwrap().0, key + 100);
    }
}

#[test]
fn the_hits_of_a_local_are_counted_though_what_it_drops_panics() {
    let (registry, fuse) = (SharedRegistry::<()>::default(), Arc::new(AtomicBool::new(false)));
    let bombs = registry.cache::<u32, Bomb>("bombs").unwrap();
    let mut local = bombs.local();
    for _ in 0..10 {
        for key in 1..3 {
            local.get_or_create_with(&key, || Ok::<_, Error>(Bomb(key, fuse.clone()))).unwrap();
        }
    }
    bombs.remove(&1);
    fuse.store(true, Ordering::SeqCst);
    catch_unwind(AssertUnwindSafe(|| drop(local))).unwrap_err();
    let metrics = bombs.metrics();
    assert_eq!((metrics.hits, metrics.misses, metrics.max_entry_reuse_count), (18, 2, Some(9)));
}

/// A key of which no second one can be made while the fuse is lit.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Unique(u32);

static LIT: AtomicBool = AtomicBool::new(false);

impl Clone for Unique {
    fn clone(&self) -> Self {
        assert!(!LIT.load(Ordering::SeqCst), "as it was told to");
        Self(self.0)
    }
}

#[test]
fn a_key_that_cannot_be_cloned_does_not_harm_a_local() {
    let registry: SharedRegistry = SharedRegistry::new();
    let numbers = registry.cache::<Unique, u32>("numbers").unwrap();
    let (mut one, mut other) = (numbers.local(), numbers.local());
    for key in 0..20 {
        one.get_or_create_with(&Unique(key), || Ok::<_, Error>(key)).unwrap();
        LIT.store(true, Ordering::SeqCst);
        let look_up = || other.get_or_create_with(&Unique(key), || Ok::<_, Error>(0)).copied();
        catch_unwind(AssertUnwindSafe(look_up)).unwrap_err();
        LIT.store(false, Ordering::SeqCst);
        let again = other.get_or_create_with(&Unique(key), || Ok::<_, Error>(0));
        assert_eq!(*again.unwrap(), key);
    }
    numbers.clear();
    assert!(other.get_or_create_with(&Unique(0), || Ok::<_, Error>(7)).is_ok_and(|made| *made == 7));
}
