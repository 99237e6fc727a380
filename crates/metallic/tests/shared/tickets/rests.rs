//! Waits with a timeout for what no thread would take before the time is over: all that should take it wait as well.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use metallic::caching::{SharedCache, SharedRegistry};
use metallic::error::Error;

/// Longer than a test takes that finds out before.
const TIMEOUT: Duration = Duration::from_secs(20);

/// More often than the waits could always come in the order in which nothing is wrong.
const ROUNDS: usize = if cfg!(miri) { 2 } else { 50 };

type Numbers = SharedCache<u32, u32>;

fn numbers(threads: usize) -> (SharedRegistry, Numbers) {
    let registry: SharedRegistry = SharedRegistry::new();
    registry.set_creator_threads(threads);
    let numbers = registry.cache("numbers").unwrap();
    (registry, numbers)
}

/// A creation of `key` in the background that begins, waits to be told, and then does `work` a moment later.
fn held(
    numbers: &Numbers,
    key: u32,
    work: impl FnOnce() -> Result<u32, Error> + Send + 'static,
) -> (metallic::caching::Ticket<u32>, Sender<()>) {
    let ((begin, begun), (tell, told)) = (channel(), channel());
    let ticket = numbers.prefetch_with(key, move || {
        begin.send(()).unwrap();
        told.recv().unwrap();
        (0..20).for_each(|_| thread::yield_now());
        work()
    });
    begun.recv().unwrap();
    (ticket, tell)
}

/// Asks for key 2 in the background, says so, and waits for it.
fn wait_for_queued(numbers: &Numbers, say: &Sender<()>) -> Result<u32, Error> {
    let ticket = numbers.prefetch_with(2, || Ok(2));
    say.send(()).unwrap();
    ticket.wait_timeout(TIMEOUT)
}

/// Has a creation of key 1 in the background wait for what is queued.
fn waits_in_background(numbers: &Numbers, say: Sender<()>) -> (metallic::caching::Ticket<u32>, Receiver<()>) {
    let (begin, begun) = channel();
    let (inner, say) = (numbers.clone(), Mutex::new(say));
    let ticket = numbers.prefetch_with(1, move || {
        begin.send(()).unwrap();
        wait_for_queued(&inner, &say.lock().unwrap())
    });
    (ticket, begun)
}

#[track_caller]
fn soon(rounds: impl Fn()) {
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        rounds();
        assert!(
            begun.elapsed() < TIMEOUT,
            "a wait that could not end by itself lasted until its time was over"
        );
    }
}

#[test]
fn a_creator_that_waits_for_the_queue_takes_from_it_when_the_last_other_begins_to_wait() {
    soon(|| {
        let (_registry, numbers) = numbers(2);
        let inner = numbers.clone();
        let (other, tell) = held(&numbers, 9, move || inner.get_or_make(&1, || 0));
        let (one, begun) = waits_in_background(&numbers, tell);
        begun.recv().unwrap();
        assert_eq!((one.wait().unwrap(), other.wait().unwrap()), (2, 2));
    });
}

#[test]
fn a_creator_that_waits_for_the_queue_takes_from_it_when_the_last_other_ends() {
    soon(|| {
        let (registry, numbers) = numbers(2);
        let inner = registry.clone();
        let (other, tell) = held(&numbers, 9, move || {
            inner.set_creator_threads(1);
            Ok(9)
        });
        let (one, begun) = waits_in_background(&numbers, tell);
        begun.recv().unwrap();
        assert_eq!((one.wait().unwrap(), other.wait().unwrap()), (2, 9));
    });
}

#[test]
fn a_creation_takes_what_it_waits_for_from_the_queue_of_creators_that_all_wait_for_it() {
    soon(|| {
        let (_registry, numbers) = numbers(1);
        let inner = numbers.clone();
        let (other, tell) = held(&numbers, 9, move || inner.get_or_make(&1, || 0));
        let one = numbers.get_or_create_with(&1, || wait_for_queued(&numbers, &tell));
        assert_eq!((one.unwrap(), other.wait().unwrap()), (2, 2));
    });
}

#[test]
fn a_circle_through_a_creation_that_a_ticket_is_attached_to_is_an_error() {
    soon(|| {
        let (_registry, numbers) = numbers(1);
        let (say, said) = channel();
        let inner = numbers.clone();
        let (one, tell) = held(&numbers, 1, move || wait_for_queued(&inner, &say));
        // Whichever of the two waits last is told.
        let two = numbers.get_or_create_with(&2, || {
            tell.send(()).unwrap();
            said.recv().unwrap();
            (0..20).for_each(|_| thread::yield_now());
            numbers.get_or_make(&1, || 0)
        });
        let outcomes = [two.map(drop), one.wait().map(drop)];
        let is_circle = |outcome: &Result<(), Error>| {
            outcome.as_ref().is_err_and(|error| matches!(error.root(), Error::RecursiveCreation { .. }))
        };
        assert!(outcomes.iter().any(is_circle), "{outcomes:?}");
    });
}

#[test]
fn a_creator_takes_what_it_waits_for_when_the_creation_fails_that_it_was_attached_to() {
    soon(|| {
        let (_registry, numbers) = numbers(1);
        let (say, said) = channel();
        let inner = numbers.clone();
        let (one, tell) = held(&numbers, 1, move || wait_for_queued(&inner, &say));
        let two = numbers.get_or_create_with(&2, || {
            tell.send(()).unwrap();
            said.recv().unwrap();
            (0..20).for_each(|_| thread::yield_now());
            Err::<u32, _>(Error::ShutDown)
        });
        two.unwrap_err();
        assert_eq!(one.wait().unwrap(), 2);
    });
}
