//! Creations in the background of a cache without a kernel.

use std::hash::Hash;
use std::panic::Location;
use std::sync::{Arc, PoisonError};

use super::SharedCache;
use crate::caching::drops::{Foreign, drop_first};
use crate::caching::entries::hash_of;
use crate::caching::gate::Caller;
use crate::caching::query::Query;
use crate::caching::registry::answer::Answer;
use crate::caching::shared::{Made, Node, Progress, Purpose, Request, Ticket};
use crate::caching::sync::Mutex;
use crate::error::{Error, chain};

impl<Key, R> SharedCache<Key, R>
where
    Key: Clone + Eq + Hash + Send + Sync + 'static,
    R: Send + Sync + 'static,
{
    /// Asks for the resource with this key: made by `make` on a thread of the registry, unless it is there or another thread makes
    /// it. Is counted as [`SharedRegistry::prefetch`](crate::caching::SharedRegistry::prefetch) is.
    ///
    /// # Errors
    /// In the ticket. An engine's own error goes in by [`Error::kernel`].
    #[track_caller]
    pub fn prefetch_with(
        &self,
        key: Key,
        make: impl FnOnce() -> Result<R, Error> + Send + 'static,
    ) -> Ticket<R> {
        let key = Foreign::new(key);
        let maker = self.maker(&key, Purpose::Prefetch, Location::caller(), make);
        self.core.prefetch(&self.home.creators, key.into_inner(), maker)
    }

    /// Asks for a new resource with this key, made by `make` on a thread of the registry, in place of the one that is there, which
    /// is handed out until then, and stays if `make` fails.
    ///
    /// # Errors
    /// In the ticket.
    #[track_caller]
    pub fn rebuild_with(
        &self,
        key: Key,
        make: impl FnOnce() -> Result<R, Error> + Send + 'static,
    ) -> Ticket<R> {
        let key = Foreign::new(key);
        let maker = self.maker(&key, Purpose::Rebuild, Location::caller(), make);
        self.core.rebuild(&self.home.creators, key.into_inner(), maker)
    }

    /// Returns the resource with this key if it is there: a hit. Otherwise returns what `fallback` gives, and has `make` make the
    /// resource on a thread of the registry, unless one is at it already, so that a later call returns it. After a `make` that
    /// fails, the next call's is tried.
    #[track_caller]
    pub fn get_or_fallback_with<Q>(
        &self,
        query: &Q,
        fallback: impl FnOnce() -> R,
        make: impl FnOnce() -> Result<R, Error> + Send + 'static,
    ) -> Answer<R>
    where
        Q: Query<Key> + ?Sized,
        R: Clone,
    {
        let (fallback, make) = (Foreign::new(fallback), Foreign::new(make));
        let (hash, caller) = (hash_of(query), Location::caller());
        let found = match self.core.get_hashed(hash, query) {
            Some(node) => Some(drop_first(make, node)),
            None => self.bridge(hash, query, make.into_inner(), caller),
        };
        match found {
            Some(node) => Answer::of(drop_first(fallback, node)),
            None => Answer::Fallback((fallback.into_inner())()),
        }
    }

    /// Has the resource made in the background. Returns it if it is there by now.
    pub(super) fn bridge<Q>(
        &self,
        hash: u64,
        query: &Q,
        make: impl FnOnce() -> Result<R, Error> + Send + 'static,
        caller: Caller,
    ) -> Option<Arc<Node<R>>>
    where
        Q: Query<Key> + ?Sized,
    {
        let make = Foreign::new(make);
        let key = Foreign::new(query.to_key());
        let maker = self.maker(&key, Purpose::Prefetch, caller, make.into_inner());
        self.core.bridge(&self.home.creators, hash, key.into_inner(), maker)
    }

    fn maker<F>(
        &self,
        key: &Key,
        purpose: Purpose,
        caller: Caller,
        make: F,
    ) -> impl Fn(&Key, bool) -> Progress<R> + Send + Sync + use<Key, R, F>
    where
        F: FnOnce() -> Result<R, Error> + Send + 'static,
    {
        let make = Foreign::new(make);
        let (core, hash) = (self.core.clone(), hash_of(key));
        let make = Mutex::new(Some(make.into_inner()));
        // Of now: what `make` has been given to make it of is lost with the device.
        let request = Request { purpose, ..core.request().by(caller) };
        move |key, may_wait| {
            let create = |_: &Key| {
                let make = make.lock().unwrap_or_else(PoisonError::into_inner).take();
                let made = make.map_or(Err(Error::ShutDown), |make| make());
                Made::of(made.map(|resource| (resource, 0)))
            };
            let share = |error: Error, cache_key| {
                let text = chain(&error);
                (Error::creation(cache_key, error), None, text)
            };
            core.create_for_later(hash, key, request, may_wait, create, share)
        }
    }
}
