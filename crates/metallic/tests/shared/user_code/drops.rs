//! Owners of several things, of which each panics when it is dropped.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use metallic::caching::{CacheRegistry, OnFailure, Pool, SharedCache, SharedRegistry};
use metallic::error::Error;

use super::{Key, Moment, Thing, at, make, never, registry};
use crate::kernels::Scripted;

/// How many are dropped, and panic, while `owner` is, whose drop panics once.
fn dropped_with(owner: impl Sized, moment: Moment) -> usize {
    let count = Rc::new(Cell::new(0));
    let counted = count.clone();
    at(moment, move || {
        counted.set(counted.get() + 1);
        panic!("as it was told to");
    });
    let gone = catch_unwind(AssertUnwindSafe(|| drop(owner)));
    never();
    gone.unwrap_err();
    count.get()
}

#[test]
fn a_shared_registry_drops_what_all_its_caches_have_though_each_of_it_panics() {
    for moment in [Moment::Drop, Moment::DropKey] {
        let (registry, _, script) = registry();
        registry.set_failure_policy::<Scripted>(OnFailure::Remember { backoff: std::time::Duration::MAX });
        for key in 0..2 {
            script.on(key, move || Err(Error::kernel(Thing(key))));
            registry.get_or_create::<Scripted>(&key, None).unwrap_err();
        }
        let caches = ["one", "other"].map(|name| registry.cache::<Key, Arc<Thing>>(name).unwrap());
        for cache in &caches {
            (0..3).for_each(|key| drop(make(cache, key).unwrap()));
        }
        drop(caches);
        let failures = if moment == Moment::Drop { 2 } else { 0 };
        assert_eq!(dropped_with(registry, moment), 6 + failures);
    }
}

#[test]
fn a_shared_cache_that_outlives_its_registry_drops_all_though_each_panics() {
    let (registry, ..) = registry();
    let things: SharedCache<Key, Arc<Thing>> = registry.cache("things").unwrap();
    (0..3).for_each(|key| drop(make(&things, key).unwrap()));
    drop(registry);
    assert_eq!(dropped_with(things, Moment::Drop), 3);
}

#[test]
fn a_registry_of_one_thread_drops_what_all_its_caches_have_though_each_of_it_panics() {
    for moment in [Moment::Drop, Moment::DropKey] {
        let mut registry: CacheRegistry = CacheRegistry::new();
        for name in ["one", "other"] {
            let things = registry.keyed_cache::<Key, Thing>(name).unwrap();
            (0..3).for_each(|key| _ = things.get_or_make(&Key(key), || Thing(key)));
        }
        assert_eq!(dropped_with(registry, moment), 6);
    }
}

#[test]
fn a_pool_drops_all_though_each_panics() {
    let (registry, ..) = registry();
    let pool: Pool<Key, Thing> = registry.pool("pool").unwrap();
    let lent: Vec<_> = (0..3).map(|key| pool.checkout(&Key(key), || Thing(key))).collect();
    drop((lent, registry));
    assert_eq!(dropped_with(pool, Moment::Drop), 3);
}

#[test]
fn a_registry_that_is_dropped_by_a_panic_panics_no_more() {
    let unwound = catch_unwind(|| {
        let (registry, ..) = registry();
        let things: SharedCache<Key, Arc<Thing>> = registry.cache("things").unwrap();
        (0..3).for_each(|key| drop(make(&things, key).unwrap()));
        super::panic_at(Moment::Drop);
        panic!("first");
    });
    never();
    assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&"first"));
}

thread_local! {
    /// The cache that the next clone of a [`Torn`] on this thread clears.
    static TEARS: RefCell<Option<SharedCache<u32, Torn>>> = const { RefCell::new(None) };
    static TORN: Cell<usize> = const { Cell::new(0) };
}

/// Panics when it is cloned, after the cache let go of it, and when it is dropped.
struct Torn;

impl Clone for Torn {
    fn clone(&self) -> Self {
        TEARS.take().expect("it is armed").clear();
        panic!("cloned");
    }
}

impl Drop for Torn {
    fn drop(&mut self) {
        TORN.set(TORN.get() + 1);
        panic!("dropped");
    }
}

#[test]
fn a_resource_whose_clone_and_drop_panic_is_dropped_once() {
    let registry: SharedRegistry = SharedRegistry::new();
    let cache: SharedCache<u32, Torn> = registry.cache("torn").unwrap();
    assert!(cache.insert_made(1, Torn).is_none());
    TEARS.set(Some(cache.clone()));
    let got = catch_unwind(AssertUnwindSafe(|| cache.get(&1)));
    assert_eq!(got.map(drop).unwrap_err().downcast_ref(), Some(&"cloned"));
    assert_eq!((TORN.get(), cache.counters().size), (1, 0));
}
