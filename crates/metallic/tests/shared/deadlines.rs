//! Waits that end in time, however often what they wait for begins anew.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use metallic::caching::{CacheableKernel, Clock, OnFailure, SharedRegistry};
use metallic::error::Error;

/// A creation that one thread is always at, and that fails when the thread that waits has found it under way.
#[derive(Clone)]
struct Relay(Arc<Course>);

struct Course {
    waiter: ThreadId,
    /// A creation is under way.
    runs: AtomicBool,
    /// The waiter has found it.
    found: AtomicBool,
    is_over: AtomicBool,
    begun: Instant,
}

impl Course {
    fn is_here(&self) -> bool {
        thread::current().id() == self.waiter
    }
}

/// Of a wait.
const TIMEOUT: Duration = Duration::from_millis(100);

/// Long after the wait has to have ended.
const GIVEN_UP: Duration = Duration::from_secs(3);

struct Key(Relay);

impl Clone for Key {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl PartialEq for Key {
    fn eq(&self, _: &Self) -> bool {
        // Under the lock: the creation that is found ends after the waiter has a place to wait for its end.
        if self.0.0.is_here() {
            self.0.0.found.store(true, Ordering::SeqCst);
        }
        true
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("key")
    }
}

struct Failing;

impl CacheableKernel<()> for Failing {
    type Key = Key;
    type CachedResource = ();
    type Params = Relay;

    const CACHE_NAME: &'static str = "failing";

    fn create_cache_key(relay: &Relay) -> Key {
        Key(relay.clone())
    }

    fn create_cached_resource(Key(Relay(course)): &Key, _: Option<&()>) -> Result<(), Error> {
        course.runs.store(true, Ordering::SeqCst);
        while !course.found.swap(false, Ordering::SeqCst) && !course.is_over.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        course.runs.store(false, Ordering::SeqCst);
        if course.begun.elapsed() > GIVEN_UP {
            course.is_over.store(true, Ordering::SeqCst);
        }
        Err(Error::invalid_params("any"))
    }
}

/// Has the waiter look again only when the next creation is under way.
struct Patient(Relay);

impl Clock for Patient {
    fn now(&self) -> Duration {
        let course = &*self.0.0;
        while course.is_here()
            && !course.runs.load(Ordering::SeqCst)
            && !course.is_over.load(Ordering::SeqCst)
        {
            thread::yield_now();
        }
        Duration::ZERO
    }
}

/// The result of `wait` while another thread creates and fails, over and over.
fn relayed(wait: impl FnOnce(&SharedRegistry<()>, &Relay) -> Result<(), Error>) -> Result<(), Error> {
    let relay = Relay(Arc::new(Course {
        waiter: thread::current().id(),
        runs: AtomicBool::new(false),
        found: AtomicBool::new(false),
        is_over: AtomicBool::new(false),
        begun: Instant::now(),
    }));
    let registry = SharedRegistry::with_clock(Some(()), Patient(relay.clone()));
    registry.set_creator_threads(0);
    registry.set_failure_policy::<Failing>(OnFailure::Retry);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !relay.0.is_over.load(Ordering::SeqCst) {
                registry.get_or_create::<Failing>(&relay, None).unwrap_err();
            }
        });
        let waited = wait(&registry, &relay);
        relay.0.is_over.store(true, Ordering::SeqCst);
        waited
    })
}

#[test]
fn a_look_up_has_one_deadline_however_often_it_waits() {
    let waited = relayed(|registry, relay| registry.get_or_create_within::<Failing>(relay, None, TIMEOUT));
    assert!(matches!(waited, Err(Error::TimedOut { .. })), "{waited:?}");
}

#[test]
fn a_wait_for_a_ticket_has_one_deadline_however_often_it_is_woken() {
    let waited = relayed(|registry, relay| registry.prefetch::<Failing>(relay).wait_timeout(TIMEOUT));
    assert!(matches!(waited, Err(Error::TimedOut { .. })), "{waited:?}");
}

#[test]
fn what_is_detached_without_creator_threads_is_created_though_the_thread_that_was_at_it_fails() {
    let registry: SharedRegistry = SharedRegistry::new();
    registry.set_creator_threads(0);
    let numbers = registry.cache::<u32, u32>("numbers").unwrap();
    let ((begin, begun), (end, ended)) = (channel(), channel::<()>());
    thread::scope(|scope| {
        let numbers = &numbers;
        let other = scope.spawn(move || {
            numbers.get_or_create_with(&1, || {
                begin.send(()).unwrap();
                let _ = ended.recv();
                Err(Error::invalid_params("any"))
            })
        });
        begun.recv().unwrap();
        let ticket = numbers.prefetch_with(1, || Ok(7));
        let late = ticket.wait_timeout(Duration::ZERO);
        assert!(matches!(late, Err(Error::TimedOut { .. })), "{late:?}");
        let detached = scope.spawn(|| ticket.detach());
        drop(end);
        other.join().unwrap().unwrap_err();
        detached.join().unwrap();
        assert_eq!(numbers.get(&1), Some(7));
    });
}
