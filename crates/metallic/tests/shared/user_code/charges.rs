//! Resources of which every one, and every clone, panics when it is dropped, where two of them are let go of at once: each is dropped
//! once, and none ends the process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use metallic::caching::{LocalSharedCache, SharedCache, SharedRegistry};
use metallic::error::Error;
use metallic_instrumentation::{Event, EventKind, EventSink};

/// Counts those that are alive.
struct Charge(Arc<AtomicI64>);

impl Charge {
    fn new(alive: &Arc<AtomicI64>) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        Self(alive.clone())
    }
}

impl Clone for Charge {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
        panic!("a charge");
    }
}

type Cache = SharedCache<u32, Charge>;

struct World {
    registry: SharedRegistry,
    cache: Cache,
    alive: Arc<AtomicI64>,
}

impl World {
    fn new() -> Self {
        let registry: SharedRegistry = SharedRegistry::new();
        registry.set_creator_threads(0);
        let cache = registry.cache("charges").unwrap();
        Self { registry, cache, alive: Arc::default() }
    }

    fn put(&self, local: &mut LocalSharedCache<u32, Charge>, key: u32) {
        local.get_or_make(&key, || Charge::new(&self.alive)).map(drop).unwrap();
    }

    /// Empties the cache whenever there is an event of this kind, as between a look-up and what its view keeps of it.
    fn empty_at(&self, kind: EventKind) {
        self.registry.set_sink(Some(Arc::new(Empties(self.cache.clone(), kind))));
    }

    fn alive(&self) -> i64 {
        self.alive.load(Ordering::SeqCst)
    }

    /// Drops all that is left.
    #[track_caller]
    fn end(self) {
        let Self { registry, cache, alive } = self;
        registry.set_sink(None);
        let _ = catch_unwind(AssertUnwindSafe(|| drop((cache, registry))));
        assert_eq!(alive.load(Ordering::SeqCst), 0, "one was not dropped, or twice");
    }
}

fn panics(f: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

struct Empties(Cache, EventKind);

impl EventSink for Empties {
    fn record(&self, event: &Event) {
        if event.kind() == self.1 {
            self.0.clear();
        }
    }
}

#[test]
fn a_view_lets_go_of_what_left_while_what_it_was_about_to_keep_leaves_as_well() {
    let world = World::new();
    let mut local = world.cache.local();
    world.put(&mut local, 1);
    world.empty_at(EventKind::ResourceCreated);
    assert!(panics(|| world.put(&mut local, 2)));
    assert_eq!(world.alive(), 0);
    drop(local);
    world.end();
}

#[test]
fn a_batch_lets_go_of_what_left_while_it_has_an_answer_in_hand() {
    let world = World::new();
    let mut local = world.cache.local();
    world.put(&mut local, 1);
    world.put(&mut world.cache.local(), 2);
    world.empty_at(EventKind::ResourceCacheAccess);
    let mut batch = local.batch();
    assert!(panics(|| {
        batch.get_or_fallback_with(&2, || unreachable!(), || Err(Error::ShutDown));
    }));
    assert_eq!(world.alive(), 0);
    drop(batch);
    drop(local);
    world.end();
}

#[test]
fn a_removal_drops_the_resource_and_the_clone_that_it_was_about_to_return() {
    let world = World::new();
    world.put(&mut world.cache.local(), 2);
    assert!(panics(|| drop(world.cache.remove(&2))));
    assert_eq!(world.alive(), 0);
    world.end();
}

#[test]
fn an_insertion_that_comes_to_nothing_drops_what_it_was_given_and_what_it_removed() {
    let world = World::new();
    world.put(&mut world.cache.local(), 2);
    let (cache, alive) = (world.cache.clone(), world.alive.clone());
    let ticket = world.cache.rebuild_with(2, move || {
        // The place is taken by this creation itself.
        drop(cache.insert_made(2, Charge::new(&alive)));
        Err(Error::ShutDown)
    });
    assert!(ticket.wait().is_err());
    drop(ticket);
    assert_eq!(world.alive(), 0);
    world.end();
}
