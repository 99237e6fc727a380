//! Shared caches whose keys and resources are known by their types alone.

mod background;
mod batch;
#[cfg(feature = "store")]
mod noting;

use std::fmt;
use std::hash::Hash;
use std::panic::Location;
use std::sync::Arc;

use equivalent::Equivalent;
use metallic_instrumentation::{CacheKind, CacheName};

#[cfg(feature = "store")]
pub(crate) use self::noting::KeyedCreation;
use crate::caching::clock::TimeSource;
use crate::caching::drops::{Foreign, drop_first};
use crate::caching::entries::hash_of;
use crate::caching::gate::Caller;
use crate::caching::kernel::CurrentAttachment;
use crate::caching::policy::EvictionPolicy;
use crate::caching::query::Query;
use crate::caching::reporting::{CacheCounters, CacheMetrics};
use crate::caching::shared::{Creators, Fast, LocalCache, Made, Node, Request, SharedCore};
use crate::error::Error;

pub use self::batch::CacheBatch;

/// A cache of a [`SharedRegistry`](super::SharedRegistry) without a kernel: what creates a resource is given with each look-up.
///
/// A clone is a handle to the same cache. Resources are handed out as clones; [`local`](Self::local) has borrows. A creation may
/// use other caches, and this one for other keys.
///
/// ```
/// use metallic::caching::SharedRegistry;
/// use metallic::error::Error;
///
/// let registry: SharedRegistry = SharedRegistry::new();
/// let pipelines = registry.cache::<String, usize>("pipeline")?;
/// let source = "fn main() {}";
/// for _ in 0..2 {
///     let compiled = pipelines.get_or_create_with(source, || Ok::<_, Error>(source.len()))?;
///     assert_eq!(compiled, 12);
/// }
/// assert_eq!(pipelines.counters().misses, 1);
/// # Ok::<(), Error>(())
/// ```
pub struct SharedCache<Key, R> {
    core: Arc<SharedCore<Key, R>>,
    home: Home,
}

/// The parts of its registry that a cache has.
#[derive(Clone)]
pub(super) struct Home {
    pub(super) creators: Arc<Creators>,
    #[cfg_attr(
        not(feature = "store"),
        expect(dead_code, reason = "artifacts alone are asked for through it")
    )]
    pub(super) attachment: CurrentAttachment,
}

impl<Key: fmt::Debug, R> SharedCache<Key, R> {
    pub(super) fn of_kind(
        kind: CacheKind,
        name: CacheName,
        policy: EvictionPolicy,
        time: TimeSource,
        home: Home,
    ) -> Self {
        let core = SharedCore::new(name, kind, <Key as fmt::Debug>::fmt, policy, time);
        Self { core: Arc::new(core), home }
    }
}

impl<Key: Clone + Eq + Hash, R> SharedCache<Key, R> {
    /// The name of the cache in events and metrics.
    pub fn name(&self) -> &CacheName {
        self.core.name()
    }

    /// Returns a clone of the resource with this key: from the cache, or else made by `make` and inserted, while other threads
    /// that ask for it wait. The key is built from the query only then.
    ///
    /// # Errors
    /// The error of `make`, to its caller alone: the next of those that waited calls its own. [`Error::RecursiveCreation`] if
    /// the creation is under way and waits for this thread, and [`Error::DeviceLost`], as the caller's type has them.
    ///
    /// # Panics
    /// If `make` does: nothing was inserted then, the miss is counted, and one of those that waited creates in its place.
    #[track_caller]
    pub fn get_or_create_with<Q, E>(&self, query: &Q, make: impl FnOnce() -> Result<R, E>) -> Result<R, E>
    where
        Q: Query<Key> + ?Sized,
        E: From<Error> + fmt::Display,
        R: Clone,
    {
        let create = |_: &Key| Made::of(make().map(|resource| (resource, 0)));
        self.get_or_create_by(query, create, Location::caller())
    }

    #[inline(always)]
    fn get_or_create_by<Q, E>(
        &self,
        query: &Q,
        create: impl FnOnce(&Key) -> Made<R, E>,
        caller: Caller,
    ) -> Result<R, E>
    where
        Q: Query<Key> + ?Sized,
        E: From<Error> + fmt::Display,
        R: Clone,
    {
        let create = Foreign::new(create);
        let (hash, request) = (hash_of(query), self.core.request());
        let node = match self.core.find_fast(hash, query, None) {
            Fast::Hit(node) => drop_first(create.into_inner(), node),
            found => {
                let request = Request { has_key: matches!(found, Fast::Missing), ..request.by(caller) };
                self.get_or_create_slow(hash, query, request, create.into_inner())?
            }
        };
        Ok(Node::cloned(node))
    }

    #[inline(never)]
    fn get_or_create_slow<Q, E>(
        &self,
        hash: u64,
        query: &Q,
        request: Request,
        create: impl FnOnce(&Key) -> Made<R, E>,
    ) -> Result<Arc<Node<R>>, E>
    where
        Q: Query<Key> + ?Sized,
        E: From<Error> + fmt::Display,
    {
        self.core.get_or_create(hash, query, request, create, share).map(|got| got.node)
    }

    /// Returns a clone of the resource with this key: from the cache, or else made by `make` and inserted.
    ///
    /// # Errors
    /// [`Error::RecursiveCreation`] if the creation is under way and waits for this thread; [`Error::DeviceLost`].
    #[track_caller]
    pub fn get_or_make<Q>(&self, query: &Q, make: impl FnOnce() -> R) -> Result<R, Error>
    where
        Q: Query<Key> + ?Sized,
        R: Clone,
    {
        self.get_or_create_with(query, || Ok(make()))
    }

    /// Returns a clone of the resource with this key, if it is there: a hit, or nothing.
    pub fn get<Q>(&self, query: &Q) -> Option<R>
    where
        Q: Hash + Equivalent<Key> + ?Sized,
        R: Clone,
    {
        self.core.get(query).map(Node::cloned)
    }

    /// Inserts a resource that was made elsewhere, and returns a clone of the one it replaces. Counts as a miss. If another
    /// thread inserts the key at the same time, one of the two resources is kept; a creation of the key that is under way is
    /// waited for, and goes first unless it fails.
    pub fn insert_made(&self, key: Key, resource: R) -> Option<R>
    where
        R: Clone,
    {
        self.core.insert_made(key, resource, 0).map(Node::cloned)
    }

    /// Removes the resource with this key and returns a clone of it.
    pub fn remove<Q>(&self, query: &Q) -> Option<R>
    where
        Q: Hash + Equivalent<Key> + ?Sized,
        R: Clone,
    {
        self.core.remove(query).map(Node::cloned)
    }

    /// Keeps the entries that `keep` accepts, removes the others, and returns how many there were. O(n log n), under the lock of
    /// the cache, which `keep` must not use.
    pub fn retain(&self, mut keep: impl FnMut(&Key, &R) -> bool) -> usize {
        self.core.remove_where(|key, resource| !keep(key, resource))
    }

    /// Removes all entries. Counters and policy stay.
    pub fn clear(&self) {
        self.core.clear();
    }

    /// The policy in force.
    pub fn eviction_policy(&self) -> EvictionPolicy {
        self.core.policy()
    }

    /// Changes the policy from the next operation on.
    pub fn set_eviction_policy(&self, policy: EvictionPolicy) {
        self.core.set_policy(policy);
    }

    /// The counters, the hits of all locals included.
    pub fn counters(&self) -> CacheCounters {
        self.core.counters()
    }

    /// A snapshot of the counters and of the entries' ages. O(n).
    pub fn metrics(&self) -> CacheMetrics {
        self.core.metrics()
    }

    /// A view of this cache for one thread, whose hits return borrows and take no lock.
    pub fn local(&self) -> LocalSharedCache<Key, R> {
        LocalSharedCache { local: LocalCache::new(self.core.clone()), home: self.home.clone() }
    }
}

/// One thread's view of a [`SharedCache`].
pub struct LocalSharedCache<Key: Clone + Eq + Hash, R> {
    local: LocalCache<Key, R>,
    home: Home,
}

impl<Key: Clone + Eq + Hash, R> LocalSharedCache<Key, R> {
    /// Returns the resource with this key. A hit on what this view has used before takes no lock; otherwise as
    /// [`SharedCache::get_or_create_with`].
    ///
    /// # Errors
    /// As [`SharedCache::get_or_create_with`].
    #[inline]
    #[track_caller]
    pub fn get_or_create_with<Q, E>(
        &mut self,
        query: &Q,
        make: impl FnOnce() -> Result<R, E>,
    ) -> Result<&R, E>
    where
        Q: Query<Key> + ?Sized,
        E: From<Error> + fmt::Display,
    {
        let make = Foreign::new(make);
        let hash = hash_of(query);
        if let Some((id, now)) = self.local.find(hash, query) {
            // No panic is under way: it is not to be asked for at its end.
            drop(make.into_inner());
            return Ok(self.local.hit(id, now));
        }
        let make = make.into_inner();
        let create = |_: &_, _: &Key| Made::of(make().map(|resource| (resource, 0)));
        self.get_or_create_slow(hash, query, create, Location::caller())
    }

    /// Returns the resource with this key: from the cache, or else made by `make` and inserted.
    ///
    /// # Errors
    /// As [`SharedCache::get_or_make`].
    #[inline]
    pub fn get_or_make<Q>(&mut self, query: &Q, make: impl FnOnce() -> R) -> Result<&R, Error>
    where
        Q: Query<Key> + ?Sized,
    {
        self.get_or_create_with(query, || Ok(make()))
    }

    /// Returns the resource with this key, if it is there: a hit, or nothing.
    pub fn get<Q>(&mut self, query: &Q) -> Option<&R>
    where
        Q: Query<Key> + ?Sized,
    {
        let hash = hash_of(query);
        if let Some((id, now)) = self.local.find_again(hash, query) {
            return Some(self.local.hit(id, now));
        }
        let node = self.local.core().get(query)?;
        Some(self.local.keep(hash, query, || query.to_key(), node))
    }

    /// The cache that this is a view of, for removals, policies and metrics.
    pub fn shared(&self) -> SharedCache<Key, R> {
        SharedCache { core: self.local.core().clone(), home: self.home.clone() }
    }

    #[inline(never)]
    fn get_or_create_slow<Q, E>(
        &mut self,
        hash: u64,
        query: &Q,
        create: impl FnOnce(&SharedCore<Key, R>, &Key) -> Made<R, E>,
        caller: Caller,
    ) -> Result<&R, E>
    where
        Q: Query<Key> + ?Sized,
        E: From<Error> + fmt::Display,
    {
        let create = Foreign::new(create);
        if let Some((id, now)) = self.local.find_again(hash, query) {
            return Ok(self.local.hit(id, now));
        }
        let core = self.local.core();
        let request = Request { has_key: true, ..core.request().by(caller) };
        let got = core.get_or_create(hash, query, request, |key| (create.into_inner())(core, key), share)?;
        Ok(self.local.keep(hash, query, || query.to_key(), got.node))
    }

    /// Lets go of everything, for a thread that idles.
    pub fn park(&mut self) {
        self.local.park();
    }
}

impl<Key, R> SharedCache<Key, R> {
    pub(super) fn core(&self) -> &Arc<SharedCore<Key, R>> {
        &self.core
    }
}

impl<Key, R> Clone for SharedCache<Key, R> {
    fn clone(&self) -> Self {
        Self { core: self.core.clone(), home: self.home.clone() }
    }
}

/// Makes of a closure's error what its caller gets, what others may get, which is nothing, and what the log says.
fn share<E: fmt::Display>(error: E, _cache_key: Arc<str>) -> (E, Option<Arc<Error>>, String) {
    let text = error.to_string();
    (error, None, text)
}

impl<Key, R> fmt::Debug for SharedCache<Key, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}

impl<Key: Clone + Eq + Hash, R> fmt::Debug for LocalSharedCache<Key, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalSharedCache").field(self.local.core()).finish()
    }
}
