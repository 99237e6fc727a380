//! The state behind the lock of a shared cache.

use std::sync::{Arc, Weak};

use equivalent::Equivalent;

use super::OnFailure;
use super::failures::{Failures, Forgotten};
use super::flight::Flight;
use super::local::Tally;
use super::node::{Node, uses};
use crate::caching::cache::Cache;
use crate::caching::clock::{TimeSource, saturating_ns};
use crate::caching::gate::CreationGate;
use crate::caching::order::EntryId;
use crate::caching::reporting::{CacheCounters, Reporter};

pub(super) struct State<Key, R> {
    /// Keys are counted: those that are formatted after the lock are taken along without a call of their `Clone`.
    pub(super) cache: Cache<Arc<Key>, Arc<Node<R>>>,
    /// Creations under way. Few at a time.
    pub(super) flights: Vec<Flight<Key>>,
    pub(super) on_failure: OnFailure,
    /// Errors that are remembered.
    pub(super) failures: Failures<Key>,
    /// Local copies, whose hits are counted by themselves.
    pub(super) locals: Vec<Weak<Tally>>,
    /// The label of the key whose creation failed last.
    pub(super) failed: Option<Arc<str>>,
    /// The number of entries that were removed because their caller judged them outdated.
    pub(super) outdated: u64,
    pub(super) reporter: Option<Arc<Reporter>>,
    pub(super) gate: Option<Arc<dyn CreationGate>>,
    /// `true` if the reporter's sink wants to hear of hits.
    pub(super) is_heard: bool,
    /// Hundreds of operations that were summed up.
    pub(super) summaries: u64,
}

/// A query for a key that is counted.
pub(super) struct Counted<'a, Q: ?Sized>(pub(super) &'a Q);

impl<Key, Q: Equivalent<Key> + ?Sized> Equivalent<Arc<Key>> for Counted<'_, Q> {
    #[inline(always)]
    fn equivalent(&self, key: &Arc<Key>) -> bool {
        self.0.equivalent(key)
    }
}

impl<Key, R> State<Key, R> {
    /// Hits that local copies have counted, and not handed in yet.
    pub(super) fn hits_of_locals(&self) -> u64 {
        self.locals.iter().filter_map(Weak::upgrade).map(|tally| tally.hits()).sum()
    }

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
