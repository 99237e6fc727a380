//! Looking up what is there.

use std::hash::Hash;
use std::sync::Arc;

use equivalent::Equivalent;
use metallic_instrumentation::RemovalCause;

use super::SharedCore;
use super::node::Node;
use super::state::Counted;
use crate::caching::clock::TimeSource;
use crate::caching::drops::{Foreign, drop_first};
use crate::caching::entries::hash_of;
use crate::error::Error;

/// The outcome of a look-up that does nothing but look.
pub(in crate::caching) enum Fast<R> {
    /// A hit, which was counted.
    Hit(Arc<Node<R>>),
    Missing,
    /// There is more to do, or what is there is another device's. Nothing was counted.
    Declined,
}

impl<Key: Eq + Hash + Clone, R> SharedCore<Key, R> {
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
        self.find(hash, query, None, || Ok(())).ok().flatten()
    }

    /// [`get_hashed`](Self::get_hashed), unless `check` refuses what is there, as it does if that is not of `device`: then nothing
    /// is counted. It is asked under the lock, so that what it sees is true of the entry.
    ///
    /// # Errors
    /// Those of `check`.
    #[inline]
    pub(in crate::caching) fn find<Q: Equivalent<Key> + ?Sized>(
        &self,
        hash: u64,
        query: &Q,
        device: Option<u64>,
        check: impl FnOnce() -> Result<(), Error>,
    ) -> Result<Option<Arc<Node<R>>>, Error> {
        match self.find_fast(hash, query, device) {
            Fast::Hit(node) => Ok(Some(node)),
            Fast::Missing => Ok(None),
            Fast::Declined => self.find_slow(hash, query, check),
        }
    }

    /// A look-up that has nothing to attend to but itself, of what was made on `device`, if that is known. It returns no error, so
    /// that the compiler keeps what it found in registers.
    #[inline(always)]
    pub(in crate::caching) fn find_fast<Q: Equivalent<Key> + ?Sized>(
        &self,
        hash: u64,
        query: &Q,
        device: Option<u64>,
    ) -> Fast<R> {
        let Some(now) = TimeSource::hit_stamp_before(self.head.fast_path_until()) else {
            return Fast::Declined;
        };
        let mut state = self.lock();
        let Some(id) = state.find(hash, query) else { return Fast::Missing };
        if !self.is_on(device) {
            return Fast::Declined;
        }
        Fast::Hit(state.hit(id, now))
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
                // Others may remove it while what expired is dropped.
                let node = Foreign::new(state.hit(id, now));
                let listener = state
                    .listener()
                    .map(|listener| (listener, Foreign::new(state.cache.get(id).key.clone())));
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
        Ok(checked?.map(|(node, heard)| drop_first(heard, node.into_inner())))
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
        let removed = departures.iter().next().map(|departed| Foreign::new(departed.entry.resource.clone()));
        let removed_leaves = self.leave(&mut state, departures);
        drop(state);
        self.see_off(&expired);
        self.see_off(&removed_leaves);
        drop((expired, removed_leaves));
        removed.map(Foreign::into_inner)
    }
}
