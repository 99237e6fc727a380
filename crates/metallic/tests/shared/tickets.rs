//! Resources that are created in the background, and waited for by threads.

mod closures;
mod creators;
mod rests;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use metallic::caching::{OnFailure, SharedRegistry};
use metallic::error::Error;

use crate::kernels::{Chained, Script, Scripted, meeting};

/// A registry with this many creator threads.
pub(crate) fn registry(threads: usize) -> (SharedRegistry<Script>, Script) {
    let script = Script::default();
    let registry = SharedRegistry::with_device(script.clone());
    registry.set_creator_threads(threads);
    (registry, script)
}

/// A creation that has begun and does not end before it is told to.
pub(crate) struct Held {
    begun: Receiver<ThreadId>,
    end: Sender<()>,
}

impl Held {
    /// Holds the next creation of `key`.
    pub(crate) fn on(script: &Script, key: u32) -> Self {
        let ((say, begun), (end, ended)) = (channel(), channel());
        let ended = Mutex::new(ended);
        script.on(key, move || {
            // Without a receiver the test is over, and so is the wait.
            let _ = say.send(thread::current().id());
            let _ = ended.lock().unwrap().recv();
            Ok(())
        });
        Self { begun, end }
    }

    /// Returns the thread on which it has begun, when it has.
    pub(crate) fn begun(&self) -> ThreadId {
        self.begun.recv().unwrap()
    }

    pub(crate) fn end(self) {
        self.end.send(()).unwrap();
    }
}

/// Has creations of these keys note, in their order, on which threads they are.
pub(crate) fn note(script: &Script, keys: impl IntoIterator<Item = u32>) -> Arc<Mutex<Vec<(u32, ThreadId)>>> {
    let notes = Arc::<Mutex<Vec<_>>>::default();
    for key in keys {
        let notes = notes.clone();
        script.on(key, move || {
            notes.lock().unwrap().push((key, thread::current().id()));
            Ok(())
        });
    }
    notes
}

fn counts(registry: &SharedRegistry<Script>) -> (u64, u64, u64) {
    let metrics = registry.metrics::<Scripted>().unwrap();
    (metrics.hits, metrics.misses, metrics.failed_creations)
}

#[test]
fn what_is_prefetched_is_a_miss_once_and_its_use_a_hit() {
    let (registry, script) = registry(2);
    let notes = note(&script, [1]);
    let ticket = registry.prefetch::<Scripted>(&1);
    while !ticket.is_ready() {
        thread::yield_now();
    }
    assert_eq!(*ticket.wait().unwrap(), 1);
    assert_ne!(notes.lock().unwrap()[0].1, thread::current().id());
    assert!(registry.prefetch::<Scripted>(&1).is_ready());
    assert_eq!(counts(&registry), (0, 1, 0));
    assert!(Arc::ptr_eq(&registry.get_or_create::<Scripted>(&1, None).unwrap(), &ticket.wait().unwrap()));
    assert_eq!(counts(&registry), (1, 1, 0));
}

#[test]
fn what_is_waited_for_goes_first_and_the_others_in_the_order_they_were_asked_for() {
    let (registry, script) = registry(1);
    let held = Held::on(&script, 1);
    let first = registry.prefetch::<Scripted>(&1);
    held.begun();
    let notes = note(&script, 2..6);
    let tickets: Vec<_> = (2..6).map(|key| registry.prefetch::<Scripted>(&key)).collect();
    let late = tickets[2].wait_timeout(Duration::ZERO);
    assert!(matches!(late, Err(Error::TimedOut { .. })), "{late:?}");
    held.end();
    // By the creator alone: a wait would create what is queued.
    while !tickets.iter().all(metallic::caching::Ticket::is_ready) {
        thread::yield_now();
    }
    first.wait().unwrap();
    let order: Vec<_> = notes.lock().unwrap().iter().map(|(key, _)| *key).collect();
    assert_eq!(order, [4, 2, 3, 5]);
}

#[test]
fn a_look_up_or_a_wait_does_not_stand_in_the_queue() {
    let (registry, script) = registry(1);
    let held = Held::on(&script, 1);
    let first = registry.prefetch::<Scripted>(&1);
    let creator = held.begun();
    let notes = note(&script, 2..5);
    let tickets: Vec<_> = (2..5).map(|key| registry.prefetch::<Scripted>(&key)).collect();
    registry.get_or_create::<Scripted>(&2, None).unwrap();
    tickets[1].wait().unwrap();
    let here = thread::current().id();
    assert_eq!(*notes.lock().unwrap(), [(2, here), (3, here)]);
    held.end();
    while !(first.is_ready() && tickets[0].is_ready() && tickets[2].is_ready()) {
        thread::yield_now();
    }
    assert_eq!(*notes.lock().unwrap(), [(2, here), (3, here), (4, creator)]);
    assert_eq!(counts(&registry), (0, 4, 0), "the creator found what was looked up before");
}

#[test]
fn what_no_one_wants_any_more_is_not_created() {
    let (registry, script) = registry(1);
    let held = Held::on(&script, 1);
    let first = registry.prefetch::<Scripted>(&1);
    held.begun();
    let notes = note(&script, 2..7);
    let one = registry.prefetch::<Scripted>(&2);
    let other = one.clone();
    drop(registry.prefetch::<Scripted>(&3));
    drop(one);
    registry.prefetch::<Scripted>(&4).detach();
    let again = registry.prefetch::<Scripted>(&5);
    drop(registry.prefetch::<Scripted>(&5));
    drop((other.clone(), registry.prefetch::<Scripted>(&6)));
    let last = registry.prefetch::<Scripted>(&2);
    held.end();
    while !(first.is_ready() && other.is_ready() && again.is_ready() && last.is_ready()) {
        thread::yield_now();
    }
    let created: Vec<_> = notes.lock().unwrap().iter().map(|(key, _)| *key).collect();
    assert_eq!(created, [2, 4, 5]);
}

#[test]
fn a_ticket_dropped_while_its_creation_runs_does_not_stop_it() {
    let (registry, script) = registry(1);
    let held = Held::on(&script, 1);
    let ticket = registry.prefetch::<Scripted>(&1);
    held.begun();
    drop(ticket);
    held.end();
    assert_eq!(*registry.prefetch::<Scripted>(&1).wait().unwrap(), 1);
    assert_eq!(script.creations(), 1);
}

#[test]
fn the_panic_of_a_creation_is_an_error_for_every_ticket_and_its_thread_lives_on() {
    let (registry, script) = registry(1);
    let threads = Arc::<Mutex<Vec<_>>>::default();
    let seen = threads.clone();
    script.on(1, move || {
        seen.lock().unwrap().push(thread::current().id());
        panic!("number {}", 1)
    });
    let notes = note(&script, [2]);
    let ticket = registry.prefetch::<Scripted>(&1);
    while !ticket.is_ready() {
        thread::yield_now();
    }
    for ticket in [ticket.clone(), ticket] {
        let error = ticket.wait().unwrap_err();
        assert!(matches!(error.root(), Error::Panicked { message } if &**message == "number 1"), "{error:?}");
        assert_eq!(error.to_string(), "cannot create `scripted:1`");
        assert_eq!(format!("{error:#}"), "cannot create `scripted:1`: the creation panicked: number 1");
    }
    let next = registry.prefetch::<Scripted>(&2);
    while !next.is_ready() {
        thread::yield_now();
    }
    assert_eq!(notes.lock().unwrap()[0].1, threads.lock().unwrap()[0]);
    assert_eq!(counts(&registry), (0, 2, 1));
}

#[test]
fn an_error_is_shared_by_all_tickets_and_the_next_tries_again() {
    let (registry, script) = registry(2);
    script.on(3, || Err(Error::invalid_params("three")));
    let ticket = registry.prefetch::<Scripted>(&3);
    for _ in 0..2 {
        let error = ticket.wait().unwrap_err();
        assert!(matches!(error.root(), Error::InvalidParams { .. }), "{error:?}");
        assert_eq!(error.to_string(), "cannot create `scripted:3`");
    }
    assert!(ticket.try_get().unwrap().is_err());
    assert_eq!(script.creations(), 1);
    registry.prefetch::<Scripted>(&3).wait().unwrap_err();
    assert_eq!(script.creations(), 2);
}

#[test]
fn a_failure_that_is_remembered_is_not_tried_again() {
    let (registry, script) = registry(2);
    registry.set_failure_policy::<Scripted>(OnFailure::Remember { backoff: Duration::MAX });
    script.on(3, || Err(Error::invalid_params("three")));
    registry.prefetch::<Scripted>(&3).wait().unwrap_err();
    let known = registry.prefetch::<Scripted>(&3);
    assert!(known.is_ready());
    assert!(matches!(known.wait().unwrap_err().root(), Error::InvalidParams { .. }));
    assert_eq!(script.creations(), 1);
    registry.device_lost(Some(script.clone()));
    registry.prefetch::<Scripted>(&3).wait().unwrap_err();
    assert_eq!(script.creations(), 2);
}

#[test]
fn a_creation_by_another_thread_serves_the_ticket_and_no_creator_waits_for_it() {
    let (registry, script) = registry(1);
    let held = Held::on(&script, 1);
    thread::scope(|scope| {
        scope.spawn(|| registry.get_or_create::<Scripted>(&1, None).unwrap());
        held.begun();
        let ticket = registry.prefetch::<Scripted>(&1);
        // By the only creator.
        let other = registry.prefetch::<Scripted>(&2);
        while !other.is_ready() {
            thread::yield_now();
        }
        assert!(!ticket.is_ready());
        held.end();
        assert_eq!(*ticket.wait().unwrap(), 1);
    });
    assert_eq!(script.creations(), 2);
    assert_eq!(counts(&registry), (0, 2, 0));
}

#[test]
fn a_failure_by_another_thread_is_shared_with_the_ticket() {
    let (registry, script) = registry(1);
    let (meeting, step) = meeting();
    script.on(1, move || {
        step()?;
        Err(Error::invalid_params("one"))
    });
    thread::scope(|scope| {
        scope.spawn(|| registry.get_or_create::<Scripted>(&1, None).unwrap_err());
        while script.creations() == 0 {
            thread::yield_now();
        }
        let ticket = registry.prefetch::<Scripted>(&1);
        // When the only creator has done this, it has seen the ticket.
        let other = registry.prefetch::<Scripted>(&2);
        while !other.is_ready() {
            thread::yield_now();
        }
        meeting.wait();
        while !ticket.is_ready() {
            thread::yield_now();
        }
        assert!(matches!(ticket.wait().unwrap_err().root(), Error::InvalidParams { .. }));
    });
    assert_eq!(script.creations(), 2);
}

#[test]
fn a_thousand_threads_that_wait_get_what_is_created_once() {
    let (registry, script) = registry(2);
    let ticket = registry.prefetch::<Scripted>(&1);
    let threads: Vec<_> = (0..if cfg!(miri) { 12 } else { 1000 })
        .map(|number| {
            let (registry, ticket) = (registry.clone(), ticket.clone());
            let ask = move || match number % 3 {
                0 => ticket.wait().unwrap(),
                1 => registry.get_or_create::<Scripted>(&1, None).unwrap(),
                _ => registry.prefetch::<Scripted>(&1).wait().unwrap(),
            };
            thread::Builder::new().stack_size(128 << 10).spawn(ask).unwrap()
        })
        .collect();
    let first = ticket.wait().unwrap();
    assert!(threads.into_iter().all(|thread| Arc::ptr_eq(&thread.join().unwrap(), &first)));
    assert_eq!(script.creations(), 1);
}

#[test]
fn a_wait_has_a_deadline_and_the_ticket_is_good_afterwards() {
    let (registry, script) = registry(1);
    let held = Held::on(&script, 1);
    let (running, queued) = (registry.prefetch::<Scripted>(&1), registry.prefetch::<Scripted>(&2));
    held.begun();
    for ticket in [&running, &queued] {
        let late = ticket.wait_timeout(Duration::from_millis(1));
        assert!(matches!(late, Err(Error::TimedOut { .. })), "{late:?}");
    }
    held.end();
    assert_eq!(*running.wait_timeout(Duration::MAX).unwrap(), 1);
    assert_eq!(*queued.wait_timeout(Duration::MAX).unwrap(), 2);
}

#[test]
fn a_creation_may_wait_for_tickets_of_others_but_not_for_its_own() {
    let (registry, script) = registry(1);
    let (one, two) = (registry.clone(), registry.clone());
    script.on(1, move || one.prefetch::<Scripted>(&2).wait().map(drop));
    script.on(3, move || two.prefetch::<Scripted>(&3).wait().map(drop));
    let (good, circle) = (registry.prefetch::<Scripted>(&1), registry.prefetch::<Scripted>(&3));
    while !(good.is_ready() && circle.is_ready()) {
        thread::yield_now();
    }
    good.wait().unwrap();
    let error = circle.wait().unwrap_err();
    assert!(matches!(error.root(), Error::RecursiveCreation { .. }), "{error:?}");
    assert_eq!(**registry.prefetch::<Chained>(&3).wait().as_ref().unwrap(), 3);
    let error = registry.prefetch::<Chained>(&100).wait().unwrap_err();
    assert!(matches!(error.root(), Error::RecursiveCreation { .. }), "{error:?}");
    // The script has the registry.
    registry.device_lost(None);
}

#[test]
fn a_circle_of_a_ticket_and_a_look_up_is_an_error_and_no_deadlock() {
    let (registry, script) = registry(1);
    let both = Arc::new(std::sync::Barrier::new(2));
    let (tickets, ticket) = channel();
    let (inside, of_ticket) = (registry.clone(), Mutex::new(ticket));
    let here = both.clone();
    // In a look-up: waits for the ticket for 2.
    script.on(1, move || {
        here.wait();
        let ticket: metallic::caching::Ticket<_> = of_ticket.lock().unwrap().recv().unwrap();
        ticket.wait().map(drop)
    });
    let here = both.clone();
    // In the background: waits for the look-up of 1.
    script.on(2, move || {
        here.wait();
        inside.get_or_create::<Scripted>(&1, None).map(drop)
    });
    let ticket = registry.prefetch::<Scripted>(&2);
    tickets.send(ticket.clone()).unwrap();
    let results = [registry.get_or_create::<Scripted>(&1, None).map(drop), ticket.wait().map(drop)];
    assert!(results.iter().any(Result::is_err));
    for error in results.into_iter().filter_map(Result::err) {
        assert!(matches!(error.root(), Error::RecursiveCreation { .. }), "{error:?}");
    }
    registry.device_lost(None);
}

#[test]
fn a_ticket_hands_out_nothing_of_a_lost_device() {
    let (registry, script) = registry(1);
    let done = registry.prefetch::<Scripted>(&2);
    done.wait().unwrap();
    let held = Held::on(&script, 1);
    let (running, queued) = (registry.prefetch::<Scripted>(&1), registry.prefetch::<Scripted>(&3));
    held.begun();
    let next = Script::default();
    registry.device_lost(Some(next.clone()));
    held.end();
    for ticket in [done, running] {
        let error = ticket.wait().unwrap_err();
        assert!(matches!(error.root(), Error::DeviceLost), "{error:?}");
    }
    assert_eq!(*queued.wait().unwrap(), 3, "on the new device");
    assert_eq!(next.creations(), 1);
}
