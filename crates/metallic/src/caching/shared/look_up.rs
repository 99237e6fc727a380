//! Looking up, and creating what is not there: once, whoever asks.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use equivalent::Equivalent;
use metallic_instrumentation::RemovalCause;

use super::arrival::SharedArrival;
use super::deadline::Deadline;
use super::failures::Forgotten;
use super::flight::{Flight, Landing, Outcome, Unwaited};
use super::node::Node;
use super::{Counted, OnFailure, SharedCore, State, UNKNOWN, uses};
use crate::caching::cache::{Course, Departures};
use crate::caching::clock::{TimeSource, saturating_ns};
use crate::caching::entries::hash_of;
use crate::caching::gate::Caller;
use crate::caching::order::EntryId;
use crate::caching::query::Query;
use crate::caching::reporting::{CacheCounters, Reporter};
use crate::caching::sync::atomic::Ordering;
use crate::error::Error;

/// How a look-up is to be made, and when it began: see [`SharedCore::request`].
#[derive(Clone, Copy)]
pub(crate) struct Request {
    /// The longest wait for a creation by another thread.
    pub(in crate::caching) timeout: Option<Duration>,
    /// The identity of the device to create on, if it is known.
    pub(in crate::caching) device: Option<u64>,
    /// Devices that were lost before.
    pub(in crate::caching) epoch: u64,
    /// `true` if the key is built in any case: then one look under the lock finds the entry or reserves its place.
    pub(in crate::caching) has_key: bool,
    pub(in crate::caching) purpose: Purpose,
    pub(in crate::caching) caller: Option<Caller>,
}

impl Request {
    /// On behalf of this place in a program.
    pub(crate) fn by(self, caller: Caller) -> Self {
        Self { caller: Some(caller), ..self }
    }

    /// The same, on the device of this identity.
    pub(crate) fn on(self, device: Option<u64>) -> Self {
        Self { device, ..self }
    }
}

/// The purpose of a look-up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::caching) enum Purpose {
    /// To be used.
    Use,
    /// To be there when it is used. Finding it is no hit.
    Prefetch,
    /// To replace the one that is there, if there is one.
    Rebuild,
}

/// A creation's result: a resource with the bytes that it holds, or an error.
pub(in crate::caching) struct Made<R, E> {
    pub(in crate::caching) result: Result<(R, u64), E>,
    pub(in crate::caching) course: Course,
}

impl<R, E> Made<R, E> {
    /// The result of a creation that tells nothing else.
    pub(in crate::caching) fn of(result: Result<(R, u64), E>) -> Self {
        Self { result, course: Course::default() }
    }
}

/// A resource that was found or created, and the ticks that its creation took here.
pub(in crate::caching) struct Got<R> {
    pub(in crate::caching) node: Arc<Node<R>>,
    pub(in crate::caching) ticks: u64,
}

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
    /// A look-up that begins now. To be called before the device to create on is read: what is created on a device that is lost
    /// after this is not inserted.
    pub(in crate::caching) fn request(&self) -> Request {
        let (epoch, purpose) = (self.epoch.load(Ordering::Acquire), Purpose::Use);
        Request { timeout: None, device: None, epoch, has_key: false, purpose, caller: None }
    }

    /// Returns the resource with this key, if it is there: a hit, or nothing.
    pub(in crate::caching) fn get<Q: Hash + Equivalent<Key> + ?Sized>(
        &self,
        query: &Q,
    ) -> Option<Arc<Node<R>>> {
        self.get_hashed(hash_of(query), query)
    }

    /// [`get`](Self::get) by a query whose hash is known.
    pub(in crate::caching) fn get_hashed<Q: Equivalent<Key> + ?Sized>(
        &self,
        hash: u64,
        query: &Q,
    ) -> Option<Arc<Node<R>>> {
        self.find(hash, query, || Ok(())).ok().flatten()
    }

    /// [`get_hashed`](Self::get_hashed), unless `check` refuses what is there: then nothing is counted. It is
    /// called under the lock, so that what it sees is true of the entry.
    ///
    /// # Errors
    /// Those of `check`.
    #[inline]
    pub(in crate::caching) fn find<Q: Equivalent<Key> + ?Sized>(
        &self,
        hash: u64,
        query: &Q,
        check: impl FnOnce() -> Result<(), Error>,
    ) -> Result<Option<Arc<Node<R>>>, Error> {
        let Some(now) = TimeSource::hit_stamp_before(self.head.fast_path_until()) else {
            return self.find_slow(hash, query, check);
        };
        let mut state = self.lock();
        let Some(id) = state.find(hash, query) else { return Ok(None) };
        check()?;
        Ok(Some(state.hit(id, now)))
    }

    #[cold]
    fn find_slow<Q: Equivalent<Key> + ?Sized>(
        &self,
        hash: u64,
        query: &Q,
        check: impl FnOnce() -> Result<(), Error>,
    ) -> Result<Option<Arc<Node<R>>>, Error> {
        // What is dropped by a panic is dropped in the reverse order: the lock is released first.
        let leaving;
        let (mut state, now) = self.lock_at();
        leaving = self.expire(&mut state, now);
        let checked = match state.find(hash, query) {
            None => Ok(None),
            Some(id) => check().map(|()| {
                let node = state.hit(id, now);
                let listener = state.listener().map(|listener| (listener, state.cache.get(id).key.clone()));
                Some((node, listener))
            }),
        };
        drop(state);
        self.see_off(&leaving);
        if let Ok(Some((node, Some((listener, key))))) = &checked {
            listener.reporter.hit(|| node.label(|| self.label(key)), node.bytes, now);
            listener.complete(now);
        }
        drop(leaving);
        Ok(checked?.map(|(node, _)| node))
    }

    /// Returns the resource with this key, if it is there and not past its idle time. Counts nothing.
    pub(in crate::caching) fn peek<Q: Hash + Equivalent<Key> + ?Sized>(
        &self,
        query: &Q,
    ) -> Option<Arc<Node<R>>> {
        let now = self.time.stamp();
        self.lock().peek(hash_of(query), query, now)
    }

    /// Removes the resource with this key and returns it.
    pub(in crate::caching) fn remove<Q: Hash + Equivalent<Key> + ?Sized>(
        &self,
        query: &Q,
    ) -> Option<Arc<Node<R>>> {
        let hash = hash_of(query);
        // What is dropped by a panic is dropped in the reverse order: the lock is released first.
        let expired;
        let (mut state, now) = self.lock_at();
        expired = self.expire(&mut state, now);
        let departures = state.cache.remove(hash, &Counted(query), RemovalCause::Removed, now);
        let removed = departures.iter().next().map(|departed| departed.entry.resource.clone());
        let removed_leaves = self.leave(&mut state, departures);
        drop(state);
        self.see_off(&expired);
        self.see_off(&removed_leaves);
        drop((expired, removed_leaves));
        removed
    }

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
        if !request.has_key {
            if let Some(node) = self.find(hash, query, || self.check(request))? {
                return Ok(Got { node, ticks: 0 });
            }
        }
        let key = Arc::new(query.to_key());
        let mut deadline = Deadline::Within(request.timeout);
        // What the gate said, once it was asked.
        let mut admitted = None;
        loop {
            match self.step(hash, &key, request, admitted.is_some()) {
                Step::Hit(node) => return Ok(Got { node, ticks: 0 }),
                Step::Ask => {
                    let refused = |refused| Error::creation(self.label(&key), refused);
                    admitted = Some(self.ask(&key, request.caller).map_err(refused)?);
                }
                Step::Failed(error) => {
                    return Err(Error::creation(self.label(&key), Error::Shared(error)).into());
                }
                Step::Create(arrival) => {
                    return arrival.with_passage(admitted.take().flatten()).create(create, share);
                }
                Step::Refused(Error::DeviceLost) => {
                    return Err(Error::creation(self.label(&key), Error::DeviceLost).into());
                }
                Step::Refused(error) => return Err(error.into()),
                Step::Wait(landing) => self.wait(&key, &landing, deadline.remaining())?,
            }
        }
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
        let (hash, request) = (hash_of(&key), self.request());
        let replaced = self.remove(&key);
        let key = Arc::new(key);
        loop {
            match self.step(hash, &key, request, true) {
                Step::Create(arrival) => {
                    let create = |_: &Key| Made::of(Ok::<_, Error>((resource, bytes)));
                    // It fails only if the device was lost meanwhile: then the resource is of no use.
                    let _ = arrival.create(create, |error, _| (error, None, String::new()));
                    return replaced;
                }
                // Another thread is about to be faster, unless it fails.
                Step::Wait(landing) => match landing.wait(None) {
                    Ok(_) => {}
                    // This thread itself, further out.
                    Err(_) => return replaced,
                },
                // Another thread was faster, and what it has made is as good; or the device was lost.
                Step::Hit(_) | Step::Failed(_) | Step::Refused(_) | Step::Ask => return replaced,
            }
        }
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
        // What is dropped by a panic is dropped in the reverse order: the lock is released first.
        let (expired, forgotten);
        let (mut state, now) = self.lock_at();
        expired = self.expire(&mut state, now);
        if let Err(error) = self.check(request) {
            drop(state);
            self.see_off(&expired);
            return Step::Refused(error);
        }
        let found = state.find(hash, &**key);
        if let (Some(id), Purpose::Prefetch) = (found, request.purpose) {
            let node = state.cache.get(id).resource.clone();
            drop(state);
            self.see_off(&expired);
            return Step::Hit(node);
        }
        if let (Some(id), Purpose::Use) = (found, request.purpose) {
            let node = state.hit(id, now);
            let listener = state.listener();
            drop(state);
            self.see_off(&expired);
            if let Some(listener) = listener {
                listener.reporter.hit(|| node.label(|| self.label(key)), node.bytes, now);
                listener.complete(now);
            }
            drop(expired);
            return Step::Hit(node);
        }
        if self.epoch.load(Ordering::Relaxed) != request.epoch {
            drop(state);
            self.see_off(&expired);
            return Step::Refused(Error::DeviceLost);
        }
        forgotten = state.forget_failures(now, &self.time);
        if let Some(error) = state.failures.get(hash, key) {
            drop(state);
            self.see_off(&expired);
            drop((expired, forgotten));
            return Step::Failed(error);
        }
        if let Some(other) = state.flights.iter_mut().find(|other| other.hash == hash && other.key == *key) {
            let landing = other.landing();
            drop(state);
            self.see_off(&expired);
            drop((expired, forgotten));
            return Step::Wait(landing);
        }
        if state.gate.is_some() && !was_asked {
            drop(state);
            self.see_off(&expired);
            drop((expired, forgotten));
            return Step::Ask;
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
        Step::Create(arrival)
    }
}

impl<Key, R> SharedCore<Key, R> {
    /// # Errors
    /// [`Error::AnotherDevice`] if what is here was made on another device, as far as its maker tells devices apart.
    #[inline]
    pub(in crate::caching) fn check_device(&self, device: Option<u64>) -> Result<(), Error> {
        let Some(asked_for) = device else { return Ok(()) };
        match self.made_on.load(Ordering::Acquire) {
            UNKNOWN => Ok(()),
            made_on if made_on == asked_for => Ok(()),
            made_on => Err(Error::AnotherDevice { cache: self.name.clone(), made_on, asked_for }),
        }
    }

    /// # Errors
    /// As [`check_device`](Self::check_device); [`Error::DeviceLost`] if that is because its device was lost since.
    pub(in crate::caching) fn check(&self, request: Request) -> Result<(), Error> {
        let other = self.check_device(request.device);
        let is_lost = || self.epoch.load(Ordering::Acquire) != request.epoch;
        other.map_err(|other| if is_lost() { Error::DeviceLost } else { other })
    }

    /// Returns `true` if the resource for `request` may be inserted: then all that is here is of its device. To be called under the
    /// lock.
    pub(super) fn claim(&self, request: Request) -> Result<(), Error> {
        if self.epoch.load(Ordering::Relaxed) != request.epoch {
            return Err(Error::DeviceLost);
        }
        self.check(request)?;
        if let Some(device) = request.device {
            self.made_on.store(device, Ordering::Release);
        }
        Ok(())
    }
}

impl<Key, R> State<Key, R> {
    #[inline(always)]
    pub(super) fn hit(&mut self, id: EntryId, now: u64) -> Arc<Node<R>> {
        let node = self.cache.hit(id, now).clone();
        node.count_hit(now);
        node
    }

    /// The entry with this key, whether or not it was idle for too long.
    #[inline(always)]
    pub(super) fn find<Q: Equivalent<Key> + ?Sized>(&self, hash: u64, query: &Q) -> Option<EntryId> {
        self.cache.find(hash, &Counted(query))
    }

    /// The resource with this key, if a look-up at `now` would find it. O(n) for an entry that may be past its idle time.
    pub(super) fn peek<Q: Equivalent<Key> + ?Sized>(
        &mut self,
        hash: u64,
        query: &Q,
        now: u64,
    ) -> Option<Arc<Node<R>>> {
        let id = self.find(hash, query)?;
        if self.cache.would_expire(id, now) {
            // Unless it was used, or those before it were, by locals.
            self.cache.learn(uses);
            if self.cache.would_expire(id, now) {
                return None;
            }
        }
        Some(self.cache.get(id).resource.clone())
    }

    /// Whom to tell of an operation that was just counted; `None` without a sink.
    pub(super) fn listener(&mut self) -> Option<Listener> {
        let reporter = self.reporter.clone()?;
        let totals = self.totals();
        // Counted here, since operations that are counted at once may pass a hundred together.
        let is_due = totals.summaries() > self.summaries;
        self.summaries = self.summaries.max(totals.summaries());
        Some(Listener { reporter, summary: is_due.then_some(totals) })
    }

    /// Takes the flight of a key out.
    pub(super) fn take_flight(&mut self, key: &Arc<Key>) -> Option<Flight<Key>> {
        let place = self.flights.iter().position(|flight| Arc::ptr_eq(&flight.key, key))?;
        Some(self.flights.swap_remove(place))
    }

    /// Forgets the failures that need not be remembered any more. What is returned is to be dropped where no lock is held.
    pub(super) fn forget_failures(&mut self, now: u64, time: &TimeSource) -> Forgotten<Key> {
        match self.on_failure {
            OnFailure::Remember { backoff } => {
                let backoff = saturating_ns(backoff);
                self.failures.expire(|since| time.ns_between(since, now) < backoff)
            }
            _ => self.failures.expire(|_| false),
        }
    }

    pub(super) fn totals(&self) -> CacheCounters {
        let mut totals = self.cache.counters().totals(self.cache.len());
        totals.hits = totals.hits.saturating_add(self.hits_of_locals());
        totals
    }
}

/// Whom an operation is reported to, and the totals if it completes a summary.
pub(super) struct Listener {
    pub(super) reporter: Arc<Reporter>,
    summary: Option<CacheCounters>,
}

impl Listener {
    /// Reports what the operation completes.
    pub(super) fn complete(&self, now: u64) {
        if let Some(totals) = self.summary {
            self.reporter.summary(totals, now);
        }
    }
}
