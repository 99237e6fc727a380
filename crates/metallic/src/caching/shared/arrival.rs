//! A creation by this thread, which others wait for: from the reserved place to the inserted entry, or to nothing.

use std::hash::Hash;
use std::sync::Arc;

use metallic_instrumentation::{CreationOutcome, RemovalCause};

use super::failures::Failure;
use super::flight::Outcome;
use super::node::{Node, uses};
use super::request::{Got, Made, Request};
use super::state::Counted;
use super::{OnFailure, SharedCore};
use crate::caching::cache::{Course, Departures, Elapsed, Reservation};
use crate::caching::clock::TimeSource;
use crate::caching::drops::Foreign;
use crate::caching::entries::Entry;
use crate::caching::gate::Passage;
use crate::caching::reporting::Ended;
use crate::caching::sync::atomic::Ordering;
use crate::error::{Error, chain};

/// A place that is reserved while this thread creates its resource, and others wait. Dropped before it ended, as by a panic, it
/// gives the place up, and one of those who wait takes over.
pub(super) struct SharedArrival<'a, Key, R> {
    pub(super) core: &'a SharedCore<Key, R>,
    /// Also its flight's, by which that is found.
    pub(super) key: Arc<Key>,
    pub(super) hash: u64,
    /// `None` once it ended.
    pub(super) reservation: Option<Reservation>,
    pub(super) request: Request,
    pub(super) begun: u64,
    /// Is told how it ends.
    pub(super) passage: Option<Box<dyn Passage>>,
}

impl<Key: Eq + Hash + Clone, R> SharedArrival<'_, Key, R> {
    /// Tells `passage` how it ends.
    pub(super) fn with_passage(mut self, passage: Option<Box<dyn Passage>>) -> Self {
        self.passage = passage;
        self
    }

    pub(super) fn create<E: From<Error>>(
        mut self,
        create: impl FnOnce(&Key) -> Made<R, E>,
        share: impl FnOnce(E, Arc<str>) -> (E, Option<Arc<Error>>, String),
    ) -> Result<Got<R>, E> {
        let Made { result, course } = create(&self.key);
        match result {
            Ok((resource, bytes)) => Ok(self.commit(resource, bytes, course)?),
            Err(error) => {
                let label = self.core.label(&self.key);
                let (error, shared, text) = share(error, label);
                let error = Foreign::new(error);
                let elapsed = self.lasted(course, TimeSource::stamp);
                self.abandon(CreationOutcome::Failed, elapsed, shared, Some(&text));
                Err(error.into_inner())
            }
        }
    }

    fn commit(&mut self, resource: R, bytes: u64, course: Course) -> Result<Got<R>, Error> {
        let (core, hash) = (self.core, self.hash);
        // A clock, a key's `Eq` or the `Drop` of what is evicted may panic from here on.
        let resource = Foreign::new(resource);
        let elapsed = self.lasted(course, TimeSource::stamp);
        let key = self.key.clone();
        // Before the lock: it asks for memory.
        let resource = resource.into_inner();
        let node =
            Foreign::new(Arc::new(Node::new(resource, hash, bytes, elapsed.done, core.head.generation())));
        let mut state = core.lock();
        if let Err(error) = core.claim(self.request) {
            drop(state);
            self.abandon(CreationOutcome::Failed, elapsed, None, Some(&chain(&error)));
            return Err(match error {
                Error::DeviceLost => Error::creation(core.label(&key), error),
                error => error,
            });
        }
        // While the arrival is open: it compares keys, which is not ours and may panic, and then has changed nothing.
        let is_of_replacement = self.reservation.as_ref().is_some_and(Reservation::is_of_replacement);
        let replaced = is_of_replacement.then(|| {
            let departures = state.cache.remove(hash, &Counted(&*key), RemovalCause::Stale, elapsed.done);
            core.leave(&mut state, departures)
        });
        let reservation = self.reservation.take().expect("an arrival ends once");
        let began = reservation.began;
        node.set_generation(core.count_insertion());
        let entry = Entry { key, resource: Arc::clone(&node) };
        let mut departures = Departures::none(elapsed.done);
        if state.cache.has_lost(&reservation) {
            state.cache.make_room_again(&reservation, uses, &mut departures);
        }
        state.cache.commit(reservation, hash, || entry, bytes, elapsed);
        state.cache.watch();
        let flight = state.take_flight(&self.key);
        let leaving = core.leave(&mut state, departures);
        core.set_fast_path(&state);
        let listener = state.listener();
        drop(state);
        if let Some(flight) = flight {
            flight.end(Outcome::LookAgain);
        }
        replaced.iter().for_each(|replaced| core.see_off(replaced));
        core.see_off(&leaving);
        if let Some(listener) = &listener {
            let ended = ended(began, elapsed, CreationOutcome::Created, bytes);
            listener.reporter.miss(|| node.label(|| core.label(&self.key)), ended, None);
            listener.complete(began);
            core.ask_sink(&listener.reporter);
        }
        if let Some(passage) = self.passage.take() {
            let ended = ended(began, elapsed, CreationOutcome::Created, bytes);
            core.tell(passage, ended, listener.as_ref().map(|listener| &*listener.reporter));
        }
        drop((replaced, leaving, listener));
        Ok(Got { node: node.into_inner(), ticks: elapsed.ticks })
    }
}

impl<Key, R> SharedArrival<'_, Key, R> {
    /// The time until now. To be asked for before the arrival ends, since a clock may panic.
    fn lasted(&self, course: Course, stamp: impl Fn(&TimeSource) -> u64) -> Elapsed {
        course.lasted(self.begun, stamp(&self.core.time))
    }
}

impl<Key, R> SharedArrival<'_, Key, R> {
    fn abandon(
        &mut self,
        outcome: CreationOutcome,
        elapsed: Elapsed,
        shared: Option<Arc<Error>>,
        text: Option<&str>,
    ) {
        let Some(reservation) = self.reservation.take() else { return };
        let core = self.core;
        // Whatever was loaded, no resource was made of it.
        let elapsed = Elapsed { loaded: false, ..elapsed };
        let label = core.label(&self.key);
        let began = reservation.began;
        let mut state = core.lock();
        state.cache.abandon(reservation, elapsed);
        if state.cache.is_vacant() {
            // What was removed meanwhile left the place of this one behind.
            core.made_on.forget();
        }
        let flight = state.take_flight(&self.key);
        state.failed = Some(label.clone());
        let on_failure = state.on_failure;
        // A failure on a device that was lost says nothing of the next one.
        let shared = shared.filter(|_| core.epoch.load(Ordering::Relaxed) == self.request.epoch);
        let forgotten = match (on_failure, &shared) {
            (OnFailure::Remember { .. }, Some(error)) => {
                let (key, error) = (self.key.clone(), Foreign::new(error.clone()));
                state.failures.insert(Failure { key, hash: self.hash, error, since: elapsed.done })
            }
            _ => Vec::new(),
        };
        let listener = state.listener();
        drop(state);
        let outcome_for_waiters = match (on_failure, shared) {
            (OnFailure::Retry, _) | (_, None) => Outcome::LookAgain,
            (_, Some(error)) => Outcome::Failed(error),
        };
        if let Some(flight) = flight {
            flight.end(outcome_for_waiters);
        }
        if let Some(listener) = &listener {
            listener.reporter.miss(|| label.clone(), ended(began, elapsed, outcome, 0), text);
            listener.complete(began);
            core.ask_sink(&listener.reporter);
        }
        if let Some(passage) = self.passage.take() {
            let reporter = listener.as_ref().map(|listener| &*listener.reporter);
            core.tell(passage, ended(began, elapsed, outcome, 0), reporter);
        }
        drop(forgotten);
    }
}

impl<Key, R> Drop for SharedArrival<'_, Key, R> {
    fn drop(&mut self) {
        if self.reservation.is_some() {
            let elapsed = self.lasted(Course::default(), |time| time.stamp_or(self.begun));
            self.abandon(CreationOutcome::Panicked, elapsed, None, None);
        }
    }
}

fn ended(began: u64, elapsed: Elapsed, outcome: CreationOutcome, bytes: u64) -> Ended {
    let Elapsed { done, ticks, own_ticks, loaded } = elapsed;
    Ended { began, done, ticks, own_ticks, loaded, outcome, bytes }
}
