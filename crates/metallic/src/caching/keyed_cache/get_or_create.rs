//! Look-ups by a query, which find a resource or have it made.

use std::fmt;
use std::hash::Hash;
use std::panic::Location;

use equivalent::Equivalent;
use metallic_instrumentation::RemovalCause;

use super::{Arrival, KeyedCache};
use crate::caching::drops::Foreign;
use crate::caching::entries::hash_of;
use crate::caching::gate::Caller;
use crate::caching::query::Query;

impl<Key: Eq + Hash, R> KeyedCache<Key, R> {
    /// The resource with this key: from the cache, or else made by `make` and inserted. The key is built from the query only
    /// then.
    ///
    /// # Errors
    /// The error of `make`: nothing was inserted then, the miss is counted, and entries that made room stay evicted.
    ///
    /// # Panics
    /// If `make` does: nothing was inserted then, and the miss is counted. The cache can be used as before.
    #[track_caller]
    pub fn get_or_create_with<Q: Query<Key> + ?Sized, E: fmt::Display>(
        &mut self,
        query: &Q,
        make: impl FnOnce() -> Result<R, E>,
    ) -> Result<&mut R, E> {
        let make = Foreign::new(make);
        let hash = hash_of(query);
        if let Some(now) = self.fast_stamp() {
            if let Some(id) = self.find(hash, query) {
                // No panic is under way: it is not to be asked for at its end.
                drop(make.into_inner());
                return Ok(self.hit(id, now));
            }
        }
        self.get_or_create_slow(hash, query, make.into_inner(), Some(Location::caller()))
    }

    /// The resource with this key: from the cache, or else made by `make` and inserted.
    ///
    /// # Panics
    /// As [`get_or_create_with`](Self::get_or_create_with).
    #[track_caller]
    pub fn get_or_make<Q: Query<Key> + ?Sized>(&mut self, query: &Q, make: impl FnOnce() -> R) -> &mut R {
        let made: Result<&mut R, std::convert::Infallible> = self.get_or_create_with(query, || Ok(make()));
        match made {
            Ok(resource) => resource,
            Err(never) => match never {},
        }
    }

    /// The resource with this key, if it is there: a hit, or nothing.
    pub fn get<Q: Hash + Equivalent<Key> + ?Sized>(&mut self, query: &Q) -> Option<&mut R> {
        let (now, found) = self.look_up(hash_of(query), query);
        let id = found?;
        self.hit_slow(id, now);
        Some(self.resource_mut(id))
    }

    /// Inserts a resource that was made elsewhere, and returns the one it replaces. Counts neither a hit nor a miss beyond the
    /// miss that every insertion is.
    pub fn insert_made(&mut self, key: Key, resource: R) -> Option<R> {
        let (key, resource) = (Foreign::new(key), Foreign::new(resource));
        let hash = hash_of(&*key);
        let (now, found) = self.look_up(hash, &*key);
        let replaced =
            Foreign::new(found.and_then(|_| self.remove_found(hash, &*key, RemovalCause::Removed, now)));
        let mut arrival = Arrival::new(self, |cache| cache, key.into_inner(), hash, now, None);
        arrival.begin();
        arrival.commit(resource.into_inner(), 0);
        replaced.into_inner()
    }

    /// The resource with this key, if a look-up would find it: an entry that was idle for too long is hidden. Does not count as
    /// a hit, does not affect recency, and evicts nothing.
    pub fn peek<Q: Hash + Equivalent<Key> + ?Sized>(&self, query: &Q) -> Option<&R> {
        let id = self.find(hash_of(query), query)?;
        let expires = self.cache.would_expire(id, self.cache.time().stamp());
        (!expires).then(|| self.resource(id))
    }

    #[cold]
    #[inline(never)]
    fn get_or_create_slow<Q: Query<Key> + ?Sized, E: fmt::Display>(
        &mut self,
        hash: u64,
        query: &Q,
        make: impl FnOnce() -> Result<R, E>,
        caller: Option<Caller>,
    ) -> Result<&mut R, E> {
        let make = Foreign::new(make);
        let (now, found) = self.look_up(hash, query);
        let id = match found {
            Some(id) => {
                self.hit_slow(id, now);
                id
            }
            None => {
                let key = Foreign::new(query.to_key());
                // The caller's errors have no place for a refusal: the contract hears of the creation, and that is all.
                let passage = self.admit(&key, caller, false).ok().flatten();
                let mut arrival = Arrival::new(self, |cache| cache, key.into_inner(), hash, now, passage);
                arrival.begin();
                match (make.into_inner())() {
                    Ok(resource) => {
                        let (id, _) = arrival.commit(resource, 0);
                        arrival.close();
                        id
                    }
                    Err(error) => {
                        let error = Foreign::new(error);
                        arrival.fail(&error.to_string());
                        return Err(error.into_inner());
                    }
                }
            }
        };
        Ok(self.resource_mut(id))
    }

    /// Panics if the structures of this cache disagree with each other. O(n), for tests.
    #[doc(hidden)]
    pub fn validate(&self) {
        self.cache.validate();
    }
}
