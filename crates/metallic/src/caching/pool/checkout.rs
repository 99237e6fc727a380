//! Lending an item, which is made if there is none.

use std::convert::Infallible;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use equivalent::Equivalent;
use metallic_instrumentation::CreationOutcome;

use super::shelves::ShelfId;
use super::{Item, Lent, Pool, PoolCore, Shelved};
use crate::caching::cache::{Course, Departures, Elapsed, Reservation};
use crate::caching::clock::TimeSource;
use crate::caching::drops::{Foreign, drop_first};
use crate::caching::entries::hash_of;
use crate::caching::gate::Passage;
use crate::caching::keyed_cache::nothing_newer;
use crate::caching::query::Query;
use crate::caching::reporting::Ended;

impl<Key: Clone + Eq + Hash, R> Pool<Key, R> {
    /// Lends an item of this key: the one that was returned last, or else one made by `make`. The key is built from the query only
    /// then. `make` may use this pool, for the same key too.
    ///
    /// # Panics
    /// If `make` does: the miss is counted as one that failed. If the `Drop` of an item does that is evicted: it has left. The
    /// pool can be used as before.
    #[track_caller]
    pub fn checkout<Q: Query<Key> + ?Sized>(&self, query: &Q, make: impl FnOnce() -> R) -> Lent<Key, R> {
        let made: Result<_, Infallible> = self.checkout_with(query, || Ok(make()));
        match made {
            Ok(lent) => lent,
            Err(never) => match never {},
        }
    }

    /// [`checkout`](Self::checkout) with a `make` that can fail.
    ///
    /// # Errors
    /// The error of `make`: the miss is counted, and what made room stays evicted.
    ///
    /// # Panics
    /// As [`checkout`](Self::checkout).
    #[track_caller]
    pub fn checkout_with<Q, E>(
        &self,
        query: &Q,
        make: impl FnOnce() -> Result<R, E>,
    ) -> Result<Lent<Key, R>, E>
    where
        Q: Query<Key> + ?Sized,
        E: fmt::Display,
    {
        let make = Foreign::new(make);
        let hash = hash_of(query);
        if let Some(lent) = self.take(hash, query) {
            return Ok(drop_first(make, lent));
        }
        let key = Foreign::new(query.to_key());
        let passage = self.core().ask(&key);
        let mut arrival = self.reserve(hash, key);
        arrival.passage = passage;
        match (make.into_inner())() {
            Ok(resource) => Ok(arrival.commit(resource)),
            Err(error) => {
                let error = Foreign::new(error);
                arrival.fail(&error.to_string());
                Err(error.into_inner())
            }
        }
    }

    /// Lends an item of this key, if there is one: a hit, or nothing.
    pub fn try_checkout<Q: Hash + Equivalent<Key> + ?Sized>(&self, query: &Q) -> Option<Lent<Key, R>> {
        self.take(hash_of(query), query)
    }

    fn take<Q: Equivalent<Key> + ?Sized>(&self, hash: u64, query: &Q) -> Option<Lent<Key, R>> {
        let core = self.core();
        // What is dropped by a panic is dropped in the reverse order: the lock is released first.
        let expired;
        let (mut state, now) = core.lock_at();
        expired = core.expire(&mut state, now);
        let Some((_, id)) = state.shelves.take(hash, query) else {
            drop(state);
            core.see_off(&expired);
            return None;
        };
        let (entry, history) = state.cache.lend(id);
        state.lent += 1;
        let item = Item { key: entry.key, shelved: entry.resource, history, epoch: state.epoch };
        let report = state.reporter.clone().map(|reporter| (reporter, state.totals()));
        drop(state);
        // A guard from here on: should a `Drop` panic, the item is returned.
        let mut lent = Lent::new(core.clone(), item);
        core.see_off(&expired);
        if let Some((reporter, totals)) = report {
            if reporter.wants_hits() {
                let Item { key, shelved, .. } = lent.item_mut();
                let label = shelved.label.get_or_insert_with(|| core.label(key)).clone();
                reporter.hit(|| label, 0, now);
                reporter.operation_complete(totals, now);
            }
        }
        drop(expired);
        Some(lent)
    }

    fn reserve(&self, hash: u64, key: Foreign<Key>) -> PoolArrival<'_, Key, R> {
        let core = self.core();
        // Before the lock: cloning a key is not ours, and nor is its `Drop`.
        let mut shelf_key = Foreign::new(Key::clone(&key));
        let (mut state, now) = core.lock_at();
        // First, since it compares keys, which is not ours and may panic: nothing was changed then.
        let shelf = state.shelves.open(hash, &mut shelf_key);
        let mut departures = Departures::none(now);
        let reservation = state.cache.reserve(now, nothing_newer, &mut departures);
        state.lent += 1;
        let evicted = core.leave(&mut state, departures);
        let open = Some(Open { reservation, shelf, key, epoch: state.epoch });
        drop(state);
        // Inside of the arrival: should a `Drop` panic, the miss is one that failed.
        let mut arrival = PoolArrival { core, open, begun: now, passage: None };
        core.see_off(&evicted);
        drop((shelf_key, evicted));
        arrival.begun = core.time.stamp();
        arrival
    }
}

/// A place that is kept while its item is made. Dropped before it ended, as by a panic, it gives the place up.
struct PoolArrival<'a, Key, R> {
    core: &'a Arc<PoolCore<Key, R>>,
    /// `None` once it ended.
    open: Option<Open<Key>>,
    begun: u64,
    /// Is told how it ends.
    passage: Option<Box<dyn Passage>>,
}

struct Open<Key> {
    reservation: Reservation,
    shelf: ShelfId,
    key: Foreign<Key>,
    epoch: u64,
}

impl<Key, R> PoolArrival<'_, Key, R> {
    fn commit(mut self, resource: R) -> Lent<Key, R> {
        let resource = Foreign::new(resource);
        let elapsed = self.lasted(TimeSource::stamp);
        let Open { reservation, shelf, key, epoch } = self.open.take().expect("an arrival ends once");
        let (core, began) = (self.core, reservation.began);
        let mut state = core.lock();
        let history = state.cache.lend_created(reservation, elapsed);
        state.made += 1;
        let (key, resource) = (key.into_inner(), resource.into_inner());
        let shelved = Shelved { resource, shelf, serial: state.made, label: None };
        let report = state.reporter.clone().map(|reporter| (reporter, state.totals()));
        drop(state);
        let mut lent = Lent::new(core.clone(), Item { key, shelved, history, epoch });
        let reporter = report.as_ref().map(|(reporter, _)| &**reporter);
        core.tell(self.passage.take(), ended(began, elapsed, CreationOutcome::Created), reporter);
        if let Some((reporter, totals)) = report {
            let Item { key, shelved, .. } = lent.item_mut();
            let label = || shelved.label.get_or_insert_with(|| core.label(key)).clone();
            reporter.miss(label, ended(began, elapsed, CreationOutcome::Created), None);
            reporter.operation_complete(totals, began);
        }
        lent
    }

    fn fail(mut self, error: &str) {
        let elapsed = self.lasted(TimeSource::stamp);
        self.abandon(elapsed, CreationOutcome::Failed, Some(error));
    }

    fn abandon(&mut self, elapsed: Elapsed, outcome: CreationOutcome, error: Option<&str>) {
        let Some(Open { reservation, shelf, key, .. }) = self.open.take() else { return };
        let (core, began) = (self.core, reservation.began);
        let label = core.label(&key);
        let mut state = core.lock();
        state.cache.abandon(reservation, elapsed);
        let last = state.shelves.give_up(shelf).map(Foreign::new);
        state.lent -= 1;
        state.failed = Some(label.clone());
        let report = state.reporter.clone().map(|reporter| (reporter, state.totals()));
        drop(state);
        drop(last);
        let reporter = report.as_ref().map(|(reporter, _)| &**reporter);
        core.tell(self.passage.take(), ended(began, elapsed, outcome), reporter);
        if let Some((reporter, totals)) = report {
            reporter.miss(|| label.clone(), ended(began, elapsed, outcome), error);
            reporter.operation_complete(totals, began);
        }
    }

    /// The time until now. To be asked for before the arrival ends, since a clock may panic.
    fn lasted(&self, stamp: impl Fn(&TimeSource) -> u64) -> Elapsed {
        Course::default().lasted(self.begun, stamp(&self.core.time))
    }
}

impl<Key, R> Drop for PoolArrival<'_, Key, R> {
    fn drop(&mut self) {
        if self.open.is_some() {
            let elapsed = self.lasted(|time| time.stamp_or(self.begun));
            self.abandon(elapsed, CreationOutcome::Panicked, None);
        }
    }
}

fn ended(began: u64, elapsed: Elapsed, outcome: CreationOutcome) -> Ended {
    let Elapsed { done, ticks, own_ticks, loaded } = elapsed;
    Ended { began, done, ticks, own_ticks, loaded, outcome, bytes: 0 }
}
