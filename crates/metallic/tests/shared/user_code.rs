//! Code of the callers (keys, errors, resources, clocks) that uses the registry, or panics, when the registry runs it.

mod bombs;
mod charges;
mod comparisons;
mod drops;
mod labels;
mod pools;
mod sweep;
mod tasks;

use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use metallic::caching::{Clock, EvictionPolicy, ManualClock, OnFailure, Pool, SharedCache, SharedRegistry};
use metallic::error::Error;
use metallic_instrumentation::Recorder;

use crate::kernels::{Script, Scripted};
use crate::tickets::Held;

/// A moment at which code of the caller runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Clone,
    Compare,
    Drop,
    DropKey,
    Now,
}

type Hook = Box<dyn Fn()>;

thread_local! {
    static HOOK: RefCell<Option<(Moment, Hook)>> = const { RefCell::new(None) };
}

/// Has every such moment of this thread run `hook`, except within it.
fn at(moment: Moment, hook: impl Fn() + 'static) {
    HOOK.set(Some((moment, Box::new(hook))));
}

fn happens(moment: Moment) {
    let Some((when, hook)) = HOOK.take() else { return };
    let ran = (when == moment).then(|| catch_unwind(AssertUnwindSafe(&hook)));
    // Unless it has set another.
    HOOK.with_borrow_mut(|now| _ = now.get_or_insert((when, hook)));
    if let Some(Err(payload)) = ran {
        std::panic::resume_unwind(payload);
    }
}

/// Runs `f` on a thread whose deadlock fails the test, and returns its result.
fn ends<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let (say, said) = channel();
    thread::spawn(move || say.send(f()));
    said.recv_timeout(Duration::from_secs(20)).expect("it has to end, and not by a panic")
}

/// A key whose hash is that of all others.
#[derive(Debug)]
struct Key(u32);

impl Clone for Key {
    fn clone(&self) -> Self {
        happens(Moment::Clone);
        Self(self.0)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        happens(Moment::Compare);
        self.0 == other.0
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Drop for Key {
    fn drop(&mut self) {
        happens(Moment::DropKey);
    }
}

/// A resource, or the cause of an error.
#[derive(Debug)]
struct Thing(u32);

impl Drop for Thing {
    fn drop(&mut self) {
        happens(Moment::Drop);
    }
}

impl std::fmt::Display for Thing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Thing {}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("as it was told to");
    }
}

struct HookedClock(ManualClock);

impl Clock for HookedClock {
    fn now(&self) -> Duration {
        happens(Moment::Now);
        self.0.now()
    }
}

fn registry() -> (SharedRegistry<Script>, ManualClock, Script) {
    let (clock, script) = (ManualClock::new(), Script::default());
    (SharedRegistry::with_clock(Some(script.clone()), HookedClock(clock.clone())), clock, script)
}

fn things(registry: &SharedRegistry<Script>) -> SharedCache<Key, Arc<Thing>> {
    registry.cache("things").unwrap()
}

fn make(things: &SharedCache<Key, Arc<Thing>>, key: u32) -> Result<Arc<Thing>, Error> {
    things.get_or_make(&Key(key), || Arc::new(Thing(key)))
}

fn panic_at(moment: Moment) {
    at(moment, || panic!("as it was told to"));
}

fn never() {
    HOOK.set(None);
}

#[test]
fn errors_that_are_forgotten_may_use_the_registry_and_panic_when_they_are_dropped() {
    ends(|| {
        let (registry, clock, script) = registry();
        registry.set_failure_policy::<Scripted>(OnFailure::Remember { backoff: Duration::from_secs(9) });
        for key in 0..2000 {
            script.on(key, move || Err(Error::kernel(Thing(key))));
        }
        let fail = |key| registry.get_or_create::<Scripted>(&key, None).map(drop).unwrap_err();
        let user = registry.clone();
        at(Moment::Drop, move || drop(user.metrics::<Scripted>()));
        (0..1030).for_each(|key| drop(fail(key)));
        clock.advance(Duration::from_secs(10));
        (1031..1033).for_each(|key| drop(fail(key)));
        registry.clear();
        (0..3).for_each(|key| drop(fail(key)));
        registry.device_lost(Some(script.clone()));
        (0..3).for_each(|key| drop(fail(key)));
        panic_at(Moment::Drop);
        catch_unwind(AssertUnwindSafe(|| registry.clear())).unwrap_err();
        never();
        (0..3).for_each(|key| drop(fail(key)));
        clock.advance(Duration::from_secs(10));
        panic_at(Moment::Drop);
        catch_unwind(AssertUnwindSafe(|| registry.get_or_create::<Scripted>(&2001, None).map(drop)))
            .unwrap_err();
        never();
        assert!(registry.get_or_create::<Scripted>(&2001, None).is_ok());
    });
}

#[test]
fn keys_may_use_their_cache_and_panic_when_they_are_cloned_for_a_label() {
    ends(|| {
        let (registry, ..) = registry();
        let things = things(&registry);
        make(&things, 1).unwrap();
        // After the first thing, so that its label is not known yet.
        let events = Arc::new(Recorder::default());
        registry.set_sink(Some(events));
        let user = things.clone();
        at(Moment::Clone, move || _ = user.counters());
        assert!(things.metrics().last_event.is_some());
        assert!(things.get(&Key(1)).is_some());
        panic_at(Moment::Clone);
        assert!(things.metrics().last_event.is_some());
        assert!(things.get(&Key(1)).is_some());
        assert_eq!(things.counters().hits, 2);
    });
}

#[test]
fn a_clock_may_use_the_registry() {
    ends(|| {
        let (registry, clock, script) = registry();
        let things = things(&registry);
        let pool: Pool<u32, Thing> = registry.pool("pool").unwrap();
        let policy = EvictionPolicy::idle_timeout(Duration::from_secs(1)).with_max_idle_generations(1);
        things.set_eviction_policy(policy);
        pool.set_eviction_policy(policy);
        let (all, one, lent) = (registry.clone(), things.clone(), pool.clone());
        at(Moment::Now, move || {
            drop((all.device(), all.metrics::<Scripted>(), one.counters(), lent.counters()));
        });
        for _ in 0..2 {
            let mut local = registry.local();
            for key in 1..4 {
                make(&things, key).unwrap();
                assert!(things.get(&Key(key)).is_some());
                registry.get_or_create::<Scripted>(&key, None).unwrap();
                local.get_or_create::<Scripted>(&key, None).unwrap();
                assert!(registry.peek::<Scripted>(&key).is_some());
                drop(pool.checkout(&key, || Thing(key)));
                assert!(pool.try_checkout(&key).is_some());
            }
            drop((things.metrics(), pool.metrics(), registry.metrics_by_name().count()));
            registry.prefetch::<Scripted>(&1).wait().unwrap();
            registry.rebuild::<Scripted>(&1).wait().unwrap();
            drop(things.insert_made(Key(1), Arc::new(Thing(1))));
            drop((things.remove(&Key(1)), registry.remove::<Scripted>(&1)));
            assert_eq!(things.retain(|key, _| key.0 != 2), 1);
            drop(metallic::caching::Lent::detach(pool.checkout(&1, || Thing(1))));
            clock.advance(Duration::from_secs(2));
            registry.expire_idle();
            registry.next_generation();
            registry.device_lost(Some(script.clone()));
            registry.clear();
        }
    });
}

#[test]
fn a_clock_that_panics_when_a_device_is_lost_leaves_nothing_half_done() {
    ends(|| {
        let (registry, _, script) = registry();
        let things = things(&registry);
        let pool: Pool<u32, Thing> = registry.pool("pool").unwrap();
        make(&things, 1).unwrap();
        registry.get_or_create::<Scripted>(&1, None).unwrap();
        let held = Held::on(&script, 2);
        thread::scope(|scope| {
            let creation = scope.spawn(|| registry.get_or_create::<Scripted>(&2, None).map(drop));
            held.begun();
            panic_at(Moment::Now);
            let lost = || registry.device_lost(Some(Script::default()));
            catch_unwind(AssertUnwindSafe(lost)).unwrap_err();
            never();
            held.end();
            creation.join().unwrap().expect("nothing was lost");
        });
        assert!(registry.peek::<Scripted>(&2).is_some());
        drop(pool.checkout(&1, || Thing(1)));
        registry.device_lost(Some(Script::default()));
        assert_eq!((registry.metrics::<Scripted>().unwrap().size, pool.counters().size), (0, 0));
        assert_eq!(things.counters().size, 0);
    });
}

#[test]
fn a_local_lets_go_of_all_though_several_of_them_panic() {
    for way in 0..3 {
        let (registry, ..) = registry();
        let things = things(&registry);
        let mut local = things.local();
        (0..4).for_each(|key| drop(local.get_or_make(&Key(key), || Arc::new(Thing(key))).unwrap().clone()));
        things.clear();
        panic_at(Moment::Drop);
        let gone = catch_unwind(AssertUnwindSafe(|| match way {
            0 => drop(local.get(&Key(5)).cloned()),
            1 => local.park(),
            _ => drop(local),
        }));
        never();
        gone.unwrap_err();
        assert!(make(&things, 1).is_ok());
    }
}

#[test]
fn what_a_thread_has_is_let_go_of_cache_by_cache_though_several_panic() {
    let (registry, ..) = registry();
    let mut local = registry.local();
    let views: Vec<_> = ["one", "other"].map(|name| registry.cache::<Key, Arc<Thing>>(name).unwrap()).into();
    let mut locals: Vec<_> = views.iter().map(SharedCache::local).collect();
    locals
        .iter_mut()
        .for_each(|local| drop(local.get_or_make(&Key(1), || Arc::new(Thing(1))).unwrap().clone()));
    local.get_or_create::<Scripted>(&1, None).unwrap();
    registry.clear();
    panic_at(Moment::Drop);
    let gone = catch_unwind(AssertUnwindSafe(|| drop(locals)));
    never();
    gone.unwrap_err();
}

#[test]
fn all_caches_are_emptied_though_what_one_has_panics_when_it_is_dropped() {
    type Empty = fn(&SharedRegistry<Script>);
    let ways: [Empty; 4] = [
        |registry| registry.clear(),
        |registry| registry.expire_idle(),
        |registry| registry.device_lost(None),
        |registry| registry.next_generation(),
    ];
    for empty in ways {
        let (registry, clock, _) = registry();
        let caches: Vec<SharedCache<Key, Arc<Thing>>> =
            ["a", "b", "c", "d"].map(|name| registry.cache(name).unwrap()).into();
        let policy = EvictionPolicy::idle_timeout(Duration::from_secs(1)).with_max_idle_generations(0);
        for cache in &caches {
            cache.set_eviction_policy(policy);
            (0..3).for_each(|key| drop(make(cache, key).unwrap()));
        }
        clock.advance(Duration::from_secs(2));
        panic_at(Moment::Drop);
        let emptied = catch_unwind(AssertUnwindSafe(|| empty(&registry)));
        never();
        emptied.unwrap_err();
        let left: Vec<_> = caches.iter().map(|cache| cache.counters().size).collect();
        assert_eq!(left, [0; 4]);
    }
}

#[test]
fn keys_of_a_pool_may_panic_when_they_are_dropped() {
    let (registry, ..) = registry();
    let pool: Pool<Key, Thing> = registry.pool("pool").unwrap();
    let lent: Vec<_> = (0..4).map(|key| pool.checkout(&Key(key), || Thing(key))).collect();
    drop(lent);
    panic_at(Moment::DropKey);
    let cleared = catch_unwind(AssertUnwindSafe(|| pool.clear()));
    never();
    cleared.unwrap_err();
    let lent = pool.checkout(&Key(1), || Thing(1));
    registry.device_lost(None);
    panic_at(Moment::DropKey);
    let returned = catch_unwind(AssertUnwindSafe(|| drop(lent)));
    never();
    returned.unwrap_err();
    assert_eq!((pool.lent(), pool.counters().size), (0, 0));
}
