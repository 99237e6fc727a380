//! Looking up, and creating what is not there: once, whichever thread asks.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use super::SharedCore;
use super::arrival::SharedArrival;
use super::deadline::Deadline;
use super::flight::{Flight, Landing, Outcome, Unwaited};
use super::node::{Node, uses};
use super::request::{Got, Made, Purpose, Request};
use crate::caching::cache::Departures;
use crate::caching::drops::{Foreign, drop_first};
use crate::caching::entries::hash_of;
use crate::caching::query::Query;
use crate::caching::sync::atomic::Ordering;
use crate::error::Error;

/// The outcome of a look-up under the lock.
pub(super) enum Step<'a, Key, R> {
    Hit(Arc<Node<R>>),
    Create(SharedArrival<'a, Key, R>),
    /// The key failed a moment ago.
    Failed(Arc<Error>),
    /// Another thread creates it, or this one further out.
    Wait(Arc<Landing>),
    /// The gate is to be asked first.
    Ask,
    /// The entries here are another device's, or the device was lost since the look-up began.
    Refused(Error),
}

impl<Key: Eq + Hash + Clone, R> SharedCore<Key, R> {
    /// Returns the resource with this key: found, or created by `create` while others that ask for it wait. `share` makes of an
    /// error what its creator gets and what others may get.
    pub(in crate::caching) fn get_or_create<Q: Query<Key> + ?Sized, E: From<Error>>(
        &self,
        hash: u64,
        query: &Q,
        request: Request,
        create: impl FnOnce(&Key) -> Made<R, E>,
        share: impl FnOnce(E, Arc<str>) -> (E, Option<Arc<Error>>, String),
    ) -> Result<Got<R>, E> {
        let mut create = Foreign::new(create);
        if !request.has_key {
            if let Some(node) = self.find(hash, query, request.device, || self.check(request))? {
                return Ok(Got { node: drop_first(create, node), ticks: 0 });
            }
        }
        // Held here longest: should the creation panic, its `Drop` may as well.
        let key = Foreign::new(Arc::new(query.to_key()));
        let mut deadline = Deadline::Within(request.timeout);
        // What the gate said, once it was asked.
        let mut admitted = None;
        let result = loop {
            match self.step(hash, &key, request, admitted.is_some()) {
                Step::Hit(node) => break Ok(Got { node, ticks: 0 }),
                Step::Ask => match self.ask(&key, request.caller) {
                    Ok(passage) => admitted = Some(passage),
                    Err(refused) => break Err(Error::creation(self.label(&key), refused).into()),
                },
                Step::Failed(error) => {
                    break Err(Error::creation(self.label(&key), Error::Shared(error)).into());
                }
                Step::Create(arrival) => {
                    let create = create.take().expect("a place is reserved once");
                    break arrival.with_passage(admitted.take().flatten()).create(create, share);
                }
                Step::Refused(Error::DeviceLost) => {
                    break Err(Error::creation(self.label(&key), Error::DeviceLost).into());
                }
                Step::Refused(error) => break Err(error.into()),
                Step::Wait(landing) => {
                    if let Err(error) = self.wait(&key, &landing, deadline.remaining()) {
                        break Err(error.into());
                    }
                }
            }
        };
        drop_first((create, key), result)
    }

    /// Waits for the end of a creation by another thread.
    pub(super) fn wait(
        &self,
        key: &Key,
        landing: &Arc<Landing>,
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        match landing.wait(timeout) {
            Ok(Outcome::LookAgain) => Ok(()),
            Ok(Outcome::Failed(error)) => Err(Error::creation(self.label(key), Error::Shared(error))),
            Err(Unwaited::Circle) => Err(Error::RecursiveCreation { cache_key: self.label(key) }),
            Err(Unwaited::TimedOut) => Err(Error::TimedOut { cache_key: self.label(key) }),
        }
    }

    /// Inserts a resource that was made elsewhere, and returns the one that it replaces.
    pub(in crate::caching) fn insert_made(&self, key: Key, resource: R, bytes: u64) -> Option<Arc<Node<R>>> {
        let (key, mut resource) = (Foreign::new(key), Foreign::new(resource));
        let (hash, request) = (hash_of(&*key), self.request());
        let replaced = Foreign::new(self.remove(&*key));
        let key = Foreign::new(Arc::new(key.into_inner()));
        loop {
            match self.step(hash, &key, request, true) {
                Step::Create(arrival) => {
                    let resource = resource.take().expect("a place is reserved once");
                    let create = |_: &Key| Made::of(Ok::<_, Error>((resource, bytes)));
                    // It fails only if the device was lost meanwhile: then the resource is of no use.
                    drop(arrival.create(create, |error, _| (error, None, String::new())));
                    break;
                }
                // Another thread is about to be faster, unless it fails.
                Step::Wait(landing) => match landing.wait(None) {
                    Ok(_) => {}
                    // This thread itself, further out.
                    Err(_) => break,
                },
                // Another thread was faster, and what it has made is as good; or the device was lost.
                Step::Hit(_) | Step::Failed(_) | Step::Refused(_) | Step::Ask => break,
            }
        }
        drop((key, resource));
        replaced.into_inner()
    }

    /// One look under the lock. Nothing is reserved, nor evicted, before the gate was asked, if there is one.
    pub(super) fn step(
        &self,
        hash: u64,
        key: &Arc<Key>,
        request: Request,
        was_asked: bool,
    ) -> Step<'_, Key, R> {
        let flight = Flight::here(key.clone(), hash);
        // These are dropped in the reverse order by a panic: the lock is released, and then what expired is reported and let go.
        let mut forgotten = Vec::new();
        let expired;
        let (mut state, now) = self.lock_at();
        expired = self.expire(&mut state, now);
        let step = 'look: {
            if let Err(error) = self.check(request) {
                break 'look Step::Refused(error);
            }
            let found = state.find(hash, &**key);
            if let (Some(id), Purpose::Prefetch) = (found, request.purpose) {
                break 'look Step::Hit(state.cache.get(id).resource.clone());
            }
            if let (Some(id), Purpose::Use) = (found, request.purpose) {
                let node = Foreign::new(state.hit(id, now));
                let listener = state.listener();
                drop(state);
                self.see_off(&expired);
                if let Some(listener) = listener {
                    listener.reporter.hit(|| node.label(|| self.label(key)), node.bytes, now);
                    listener.complete(now);
                }
                drop(expired);
                return Step::Hit(node.into_inner());
            }
            if self.epoch.load(Ordering::Relaxed) != request.epoch {
                break 'look Step::Refused(Error::DeviceLost);
            }
            forgotten = state.forget_failures(now, &self.time);
            if let Some(error) = state.failures.get(hash, key) {
                break 'look Step::Failed(error);
            }
            if let Some(other) =
                state.flights.iter_mut().find(|other| other.hash == hash && other.key == *key)
            {
                break 'look Step::Wait(other.landing());
            }
            if state.gate.is_some() && !was_asked {
                break 'look Step::Ask;
            }
            let mut departures = Departures::none(now);
            let reservation = match found {
                None => state.cache.reserve(now, uses, &mut departures),
                Some(_) => state.cache.reserve_in_place(now),
            };
            let evicted = self.leave(&mut state, departures);
            state.flights.push(flight);
            drop(state);
            // Inside of the arrival: should a `Drop` panic, the miss is one that failed.
            let (key, reservation) = (key.clone(), Some(reservation));
            let mut arrival =
                SharedArrival { core: self, key, hash, reservation, request, begun: now, passage: None };
            self.see_off(&expired);
            self.see_off(&evicted);
            drop((expired, evicted, forgotten));
            arrival.begun = self.time.stamp();
            return Step::Create(arrival);
        };
        // Not made by what returns it, but kept until all else is gone: see `drop_first`.
        let step = Foreign::new(step);
        drop(state);
        self.see_off(&expired);
        drop((expired, forgotten));
        step.into_inner()
    }
}
