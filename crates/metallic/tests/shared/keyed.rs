//! Caches without a kernel.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use metallic::caching::{CacheRegistry, Equivalent, EvictionPolicy, Query, SharedRegistry};
use metallic::error::Error;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct PipelineKey {
    source: String,
    entry: String,
    constants: Vec<u32>,
}

#[derive(Hash)]
struct PipelineQuery<'a> {
    source: &'a str,
    entry: &'a str,
    constants: &'a [u32],
}

impl Equivalent<PipelineKey> for PipelineQuery<'_> {
    fn equivalent(&self, key: &PipelineKey) -> bool {
        self.source == key.source && self.entry == key.entry && self.constants == key.constants
    }
}

impl Query<PipelineKey> for PipelineQuery<'_> {
    fn to_key(&self) -> PipelineKey {
        PipelineKey { source: self.source.into(), entry: self.entry.into(), constants: self.constants.into() }
    }
}

#[derive(Debug)]
enum EngineError {
    Syntax(u32),
    Cache(Error),
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(line) => write!(f, "line {line} is wrong"),
            Self::Cache(error) => error.fmt(f),
        }
    }
}

impl From<Error> for EngineError {
    fn from(error: Error) -> Self {
        Self::Cache(error)
    }
}

#[test]
fn a_borrowed_query_finds_what_its_key_was_inserted_under() {
    let registry: SharedRegistry = SharedRegistry::new();
    let pipelines = registry.cache::<PipelineKey, usize>("pipeline").unwrap();
    let constants = vec![1, 2, 3];
    let mut local = pipelines.local();
    for _ in 0..3 {
        let query = PipelineQuery { source: "kernel", entry: "main", constants: &constants };
        let compiled = pipelines.get_or_create_with(&query, || Ok::<_, EngineError>(query.source.len()));
        assert_eq!(compiled.unwrap(), 6);
        assert_eq!(*local.get_or_create_with(&query, || Err(EngineError::Syntax(1))).unwrap(), 6);
    }
    assert_eq!((pipelines.counters().hits, pipelines.counters().misses), (5, 1));
}

#[test]
fn the_callers_own_error_comes_back_and_nothing_is_kept() {
    let registry: SharedRegistry = SharedRegistry::new();
    let shaders = registry.cache::<String, ()>("shader").unwrap();
    let error = shaders.get_or_create_with("bad", || Err(EngineError::Syntax(7))).unwrap_err();
    assert!(matches!(error, EngineError::Syntax(7)));
    assert_eq!(shaders.counters().size, 0);
    assert!(shaders.get("bad").is_none());
}

#[test]
fn a_closure_may_use_other_caches_and_the_same_for_other_keys_but_not_for_its_own() {
    let registry: SharedRegistry = SharedRegistry::new();
    let layouts = registry.cache::<u32, u32>("layout").unwrap();
    let pipelines = registry.cache::<u32, u32>("pipelines").unwrap();
    let made = pipelines.get_or_create_with(&1, || {
        let layout = layouts.get_or_make(&10, || 100)?;
        Ok::<_, Error>(layout + pipelines.get_or_make(&2, || 1000)?)
    });
    assert_eq!(made.unwrap(), 1100);
    let error = pipelines
        .get_or_create_with(&3, || pipelines.get_or_create_with(&3, || Ok::<_, Error>(0)))
        .unwrap_err();
    assert!(matches!(error.root(), Error::RecursiveCreation { .. }), "{error:?}");
}

#[test]
fn a_name_has_one_cache_of_one_pair_of_types() {
    let registry: SharedRegistry = SharedRegistry::new();
    let one = registry.cache::<u32, u32>("numbers").unwrap();
    let same = registry.cache::<u32, u32>("numbers").unwrap();
    one.insert_made(1, 11);
    assert_eq!(same.get(&1), Some(11));
    let error = registry.cache::<u32, u64>("numbers").unwrap_err();
    assert!(matches!(error, Error::DuplicateCacheName { .. }));
    assert_eq!(registry.cache::<u32, u32>("others").unwrap().get(&1), None);
    let names: Vec<_> = registry.metrics_by_name().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["numbers", "others"]);
}

#[test]
fn what_is_retained_stays_and_policies_hold() {
    let registry: SharedRegistry = SharedRegistry::new();
    let numbers = registry.cache::<u32, u32>("numbers").unwrap();
    for key in 0..10 {
        numbers.get_or_make(&key, || key).unwrap();
    }
    assert_eq!(numbers.retain(|key, _| key % 2 == 0), 5);
    numbers.set_eviction_policy(EvictionPolicy::size_limited_lru(3));
    numbers.get_or_make(&100, || 100).unwrap();
    assert_eq!(numbers.counters().size, 3);
    assert_eq!(numbers.insert_made(100, 1), Some(100));
    assert_eq!(numbers.remove(&100), Some(1));
    numbers.clear();
    assert_eq!(numbers.counters().size, 0);
}

#[test]
fn waiters_call_their_own_closure_when_anothers_fails() {
    let registry: SharedRegistry = SharedRegistry::new();
    let numbers = registry.cache::<u32, u32>("numbers").unwrap();
    let outcomes: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8_u32)
            .map(|worker| {
                let numbers = &numbers;
                scope.spawn(move || {
                    numbers.get_or_create_with(&1, || {
                        if worker == 5 { Ok(55) } else { Err(EngineError::Syntax(worker)) }
                    })
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(outcomes.iter().all(|outcome| match outcome {
        Ok(made) => *made == 55,
        Err(EngineError::Syntax(_)) => true,
        Err(EngineError::Cache(_)) => false,
    }));
    assert_eq!(numbers.get(&1), Some(55));
}

/// A key that says when it was hashed on a thread that inserts: right before the insertion looks for creations under way.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Watched(u32);

static INSERTING: AtomicBool = AtomicBool::new(false);

impl Hash for Watched {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if thread::current().name() == Some("inserting") {
            INSERTING.store(true, Ordering::SeqCst);
        }
        self.0.hash(state);
    }
}

#[test]
fn what_is_inserted_during_a_creation_that_fails_is_there() {
    let registry: SharedRegistry = SharedRegistry::new();
    let numbers = registry.cache::<Watched, u32>("numbers").unwrap();
    thread::scope(|scope| {
        let created = numbers.get_or_create_with(&Watched(1), || {
            let insert = || numbers.insert_made(Watched(1), 5);
            thread::Builder::new().name("inserting".into()).spawn_scoped(scope, insert).unwrap();
            while !INSERTING.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            // Time to find the creation under way, if threads are fair; a creation that is over is as well.
            (0..1000).for_each(|_| thread::yield_now());
            Err(EngineError::Syntax(1))
        });
        assert!(created.is_err());
    });
    assert_eq!(numbers.get(&Watched(1)), Some(5));
}

#[test]
fn a_view_of_a_thread_finds_keeps_and_lets_go() {
    let registry: SharedRegistry = SharedRegistry::new();
    let mut view = registry.local().cache::<String, u32>("numbers").unwrap();
    assert_eq!(view.get("one"), None);
    assert_eq!(view.get_or_make("one", || 1).ok(), Some(&1));
    view.shared().insert_made("two".into(), 2);
    assert_eq!((view.get("one").copied(), view.get("two").copied()), (Some(1), Some(2)));
    assert_eq!(view.shared().remove("one"), Some(1));
    assert_eq!(view.get("one"), None);
    assert_eq!(view.shared().retain(|_, _| false), 1);
    assert_eq!(view.get("two"), None);
    assert_eq!((view.shared().counters().hits, view.shared().counters().misses), (2, 2));
}

#[test]
fn a_registry_of_one_thread_has_handles_to_what_cannot_be_sent() {
    let mut registry: CacheRegistry = CacheRegistry::new();
    let layouts = registry.shared_cache::<u32, Rc<u32>>("layout").unwrap();
    let pipelines = registry.shared_cache::<u32, Rc<u32>>("pipeline").unwrap();
    let made = pipelines.get_or_create_with(&1, || {
        let layout = layouts.get_or_make(&10, || Rc::new(100))?;
        Ok::<_, Error>(Rc::new(*layout + *pipelines.get_or_make(&2, || Rc::new(1000))?))
    });
    assert_eq!(*made.unwrap(), 1100);
    let error = pipelines.get_or_create_with(&3, || pipelines.get_or_make(&3, || Rc::new(0))).unwrap_err();
    assert!(matches!(error.root(), Error::RecursiveCreation { .. }), "{error:?}");
    assert_eq!(registry.metrics_of("pipeline").map(|metrics| metrics.size), Some(2));
    assert!(registry.keyed_cache::<u32, Rc<u32>>("pipeline").is_err(), "the name is a handle's");
}
