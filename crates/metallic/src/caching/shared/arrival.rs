//! A creation by this thread, which others wait for: from the reserved place to the inserted entry, or to nothing.

use std::hash::Hash;
use std::sync::Arc;

use metallic_instrumentation::CreationOutcome;

use super::failures::Failure;
use super::flight::Outcome;
use super::look_up::{Got, Made, Request};
use super::node::Node;
use super::{OnFailure, SharedCore, uses};
use crate::caching::cache::{Departures, Elapsed, Reservation};
use crate::caching::entries::Entry;
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
}

impl<Key: Eq + Hash + Clone, R> SharedArrival<'_, Key, R> {
    pub(super) fn create<E: From<Error>>(
        mut self,
        create: impl FnOnce(&Key) -> Made<R, E>,
        share: impl FnOnce(E, Arc<str>) -> (E, Option<Arc<Error>>, String),
    ) -> Result<Got<R>, E> {
        let Made { result, nested } = create(&self.key);
        match result {
            Ok((resource, bytes)) => Ok(self.commit(resource, bytes, nested)?),
            Err(error) => {
                let label = self.core.label(&self.key);
                let (error, shared, text) = share(error, label);
                self.abandon(CreationOutcome::Failed, nested, shared, Some(&text));
                Err(error)
            }
        }
    }

    fn commit(&mut self, resource: R, bytes: u64, nested: u64) -> Result<Got<R>, Error> {
        let (core, hash) = (self.core, self.hash);
        let elapsed = self.lasted(nested);
        // Before the lock: cloning a key is not ours.
        let key = Key::clone(&self.key);
        let node = Arc::new(Node::new(resource, hash, bytes, elapsed.done, core.head.generation()));
        let mut state = core.lock();
        if let Err(error) = core.claim(self.request) {
            drop(state);
            self.abandon(CreationOutcome::Failed, nested, None, Some(&chain(&error)));
            return Err(match error {
                Error::DeviceLost => Error::creation(core.label(&key), error),
                error => error,
            });
        }
        let reservation = self.reservation.take().expect("an arrival ends once");
        let began = reservation.began;
        let entry = Entry { key, resource: node.clone() };
        let mut departures = Departures::none(elapsed.done);
        if state.cache.has_lost(&reservation) {
            state.cache.make_room_again(&reservation, uses, &mut departures);
        }
        state.cache.commit(reservation, hash, entry, bytes, elapsed);
        let flight = state.take_flight(&self.key);
        let leaving = core.leave(&mut state, departures);
        core.set_fast_path(&state);
        let listener = state.listener();
        drop(state);
        if let Some(flight) = flight {
            flight.end(Outcome::LookAgain);
        }
        core.see_off(&leaving);
        if let Some(listener) = &listener {
            let ended = ended(began, elapsed, CreationOutcome::Created, bytes);
            listener.reporter.miss(|| node.label(|| core.label(&self.key)), ended, None);
            listener.complete(began);
            core.ask(&listener.reporter);
        }
        drop(leaving);
        Ok(Got { node, ticks: elapsed.ticks })
    }
}

impl<Key, R> SharedArrival<'_, Key, R> {
    fn lasted(&self, nested: u64) -> Elapsed {
        let done = self.core.time.stamp();
        let ticks = done.saturating_sub(self.begun);
        Elapsed { done, ticks, own_ticks: ticks.saturating_sub(nested) }
    }
}

impl<Key, R> SharedArrival<'_, Key, R> {
    fn abandon(
        &mut self,
        outcome: CreationOutcome,
        nested: u64,
        shared: Option<Arc<Error>>,
        text: Option<&str>,
    ) {
        let Some(reservation) = self.reservation.take() else { return };
        let core = self.core;
        let elapsed = self.lasted(nested);
        let label = core.label(&self.key);
        let began = reservation.began;
        let mut state = core.lock();
        state.cache.abandon(reservation, elapsed);
        let flight = state.take_flight(&self.key);
        state.failed = Some(label.clone());
        let on_failure = state.on_failure;
        // A failure on a device that was lost says nothing of the next one.
        let shared = shared.filter(|_| core.epoch.load(Ordering::Relaxed) == self.request.epoch);
        let forgotten = match (on_failure, &shared) {
            (OnFailure::Remember { .. }, Some(error)) => {
                let (key, error) = (self.key.clone(), error.clone());
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
            core.ask(&listener.reporter);
        }
        drop(forgotten);
    }
}

impl<Key, R> Drop for SharedArrival<'_, Key, R> {
    fn drop(&mut self) {
        self.abandon(CreationOutcome::Panicked, 0, None, None);
    }
}

fn ended(began: u64, elapsed: Elapsed, outcome: CreationOutcome, bytes: u64) -> Ended {
    let Elapsed { done, ticks, own_ticks } = elapsed;
    Ended { began, done, ticks, own_ticks, outcome, bytes }
}
