//! Removed entries, and their reports when the lock is released.

use std::cell::Cell;
use std::sync::Arc;

use super::SharedCore;
use super::node::{Node, uses};
use super::state::State;
use crate::caching::cache::Departures;
use crate::caching::drops::run_each;
use crate::caching::policy::EvictionPolicy;
use crate::caching::reporting::Reporter;

/// Work for after the lock: what was removed is reported, and then dropped. By a panic, too, which is why it is to be declared
/// before the lock is taken if there may be one.
pub(super) struct Leaving<'a, Key, R> {
    core: &'a SharedCore<Key, R>,
    is_reported: Cell<bool>,
    reporter: Option<Arc<Reporter>>,
    policy: EvictionPolicy,
    departures: Departures<Arc<Key>, Arc<Node<R>>>,
}

impl<Key, R> SharedCore<Key, R> {
    /// Evicts the entries that were idle for too long.
    pub(super) fn expire(&self, state: &mut State<Key, R>, now: u64) -> Option<Leaving<'_, Key, R>> {
        if !state.cache.may_expire(now) {
            return None;
        }
        let departures = state.cache.expire(now, uses);
        // Even if none was: then it is later that the next may be.
        self.set_fast_path(state);
        self.leave(state, departures)
    }

    /// Tells local copies what was removed, and prepares the rest of the farewell for when the lock is released.
    pub(super) fn leave(
        &self,
        state: &mut State<Key, R>,
        departures: Departures<Arc<Key>, Arc<Node<R>>>,
    ) -> Option<Leaving<'_, Key, R>> {
        if departures.is_empty() && departures.reason.is_none() {
            return None;
        }
        for departed in departures.iter() {
            departed.entry.resource.remove();
            self.head.depart(departed.entry.resource.hash);
        }
        if state.cache.is_vacant() {
            // As in a cache of one thread.
            self.made_on.forget();
        }
        state.cache.set_removals(self.head.generation());
        state.cache.compact();
        self.set_fast_path(state);
        let (reporter, policy) = (state.reporter.clone(), state.cache.policy());
        let is_reported = Cell::new(reporter.is_none());
        Some(Leaving { core: self, is_reported, reporter, policy, departures })
    }

    /// Reports what was removed. The caller drops it when all that it has to report is reported: a `Drop` may panic.
    pub(super) fn see_off(&self, leaving: &Option<Leaving<'_, Key, R>>) {
        if let Some(leaving) = leaving {
            self.report(leaving);
        }
    }

    fn report(&self, leaving: &Leaving<'_, Key, R>) {
        let Leaving { is_reported, reporter: Some(reporter), policy, departures, .. } = leaving else {
            return;
        };
        is_reported.set(true);
        let at = departures.at;
        for departed in departures.iter() {
            let entry = &departed.entry;
            let label = || entry.resource.label(|| self.label(&entry.key));
            let history = entry.resource.history(departed.history);
            reporter.removed(label, &history, departed.bytes, departed.cause, at);
        }
        departures.report_reason(reporter, policy);
        self.ask_sink(reporter);
    }

    /// Asks the sink whether it wants to hear of hits.
    pub(super) fn ask_sink(&self, reporter: &Arc<Reporter>) {
        let is_heard = reporter.wants_hits();
        let mut state = self.lock();
        // Unless another was set meanwhile, which is asked by whoever did.
        if state.reporter.as_ref().is_some_and(|current| Arc::ptr_eq(current, reporter)) {
            state.is_heard = is_heard;
            self.set_fast_path(&state);
        }
    }

    /// Sets how long a look-up in a local copy is nothing but a look-up. To be called, before the lock is released, after
    /// whatever may change that.
    pub(super) fn set_fast_path(&self, state: &State<Key, R>) {
        let limit = || self.time.hit_limit(state.cache.nothing_expires_before());
        self.head.set_fast_path(if state.is_heard { 0 } else { limit() });
    }
}

impl<Key, R> Drop for Leaving<'_, Key, R> {
    fn drop(&mut self) {
        if !self.is_reported.get() {
            run_each([&*self], |leaving| leaving.core.report(leaving));
        }
    }
}
