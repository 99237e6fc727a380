//! Look-ups whose caller knows whether what is there will still do.

use std::fmt::{self, Debug};
use std::hash::Hash;
use std::sync::{Arc, PoisonError};

use metallic_instrumentation::{CacheKind, CacheName, RemovalCause};

use super::node::Node;
use super::state::Counted;
use super::{LocalCache, Made, Request, SharedCore};
use crate::caching::clock::TimeSource;
use crate::caching::drops::{Foreign, drop_first};
use crate::caching::entries::hash_of;
use crate::caching::policy::EvictionPolicy;
use crate::caching::reporting::CacheMetrics;
use crate::caching::slot::SlotContext;
use crate::error::{Error, chain};

impl<Key: Eq + Hash + Clone, R> SharedCore<Key, R> {
    /// Returns the resource with this key, if it is there and `is_current` says that it will do: a hit. One that will not do is
    /// removed and dropped.
    ///
    /// # Errors
    /// The panic of `is_current`, which is called under the lock: the entry stays, and nothing is counted.
    fn find_current(
        &self,
        hash: u64,
        key: &Key,
        is_current: impl FnOnce(&R) -> Result<bool, Error>,
    ) -> Result<Option<Arc<Node<R>>>, Error> {
        let fast = TimeSource::hit_stamp_before(self.head.fast_path_until());
        // Before the lock: a clock is not ours, and may use the cache. With a stamp of the fast path it is the machine's.
        let now = fast.unwrap_or_else(|| self.time.stamp());
        // What is dropped by a panic is dropped in the reverse order: the lock is released first.
        let expired;
        let mut state = self.lock();
        expired = if fast.is_none() { self.expire(&mut state, now) } else { None };
        let Some(id) = state.find(hash, key) else {
            drop(state);
            self.see_off(&expired);
            return Ok(None);
        };
        match is_current(&state.cache.get(id).resource.resource) {
            Ok(true) => {
                // Others may remove it while what expired is dropped.
                let node = Foreign::new(state.hit(id, now));
                let listener = if fast.is_none() { state.listener() } else { None };
                drop(state);
                self.see_off(&expired);
                if let Some(listener) = listener {
                    listener.reporter.hit(|| node.label(|| self.label(key)), node.bytes, now);
                    listener.complete(now);
                }
                drop(expired);
                Ok(Some(node.into_inner()))
            }
            Ok(false) => {
                let at = fast.map_or(now, |_| self.time.stamp());
                let departures = state.cache.remove(hash, &Counted(key), RemovalCause::Stale, at);
                state.outdated += 1;
                let leaving = self.leave(&mut state, departures);
                drop(state);
                self.see_off(&expired);
                self.see_off(&leaving);
                Ok(None)
            }
            Err(error) => {
                drop(state);
                self.see_off(&expired);
                Err(error)
            }
        }
    }
}

impl<Key: Eq + Hash + Clone, R: Clone> SharedCore<Key, R> {
    /// [`find_current`](Self::find_current) of a look-up that has nothing to attend to but itself: a clone of the resource, whose
    /// cloning and `is_current` run under the lock; or nothing, and then nothing was counted or removed.
    #[inline]
    fn hit_current(
        &self,
        hash: u64,
        key: &Key,
        is_current: impl FnOnce(&R) -> Result<bool, Error>,
    ) -> Result<Option<R>, Error> {
        let Some(now) = TimeSource::hit_stamp_before(self.head.fast_path_until()) else { return Ok(None) };
        let mut state = self.lock();
        let Some(id) = state.find(hash, key) else { return Ok(None) };
        if !is_current(&state.cache.get(id).resource.resource)? {
            return Ok(None);
        }
        let node = state.cache.hit(id, now);
        node.count_hit(now);
        Ok(Some(node.resource.clone()))
    }
}

impl<Key, R> SharedCore<Key, R> {
    /// Takes the time of a cache that was never used from another source.
    fn set_time(&mut self, time: TimeSource) {
        self.time = time.clone();
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        state.cache.set_time(time);
        self.set_fast_path(&self.lock());
    }
}

/// A cache whose caller judges what is there: one thread's, or one thread's view of all threads'.
///
/// A clone is a view for another thread of the same entries.
pub(crate) struct JudgedCache<Key: Clone + Eq + Hash, R> {
    core: Arc<SharedCore<Key, R>>,
    /// The entries that this thread has used, in a view. Without it every hit takes the lock, and the order of use is exact.
    local: Option<LocalCache<Key, R>>,
    /// The type of the cache that had the name before.
    refused_for: Option<&'static str>,
}

impl<Key: Clone + Debug + Eq + Hash, R> JudgedCache<Key, R> {
    /// A cache of this name, for one thread until it is cloned.
    pub(crate) fn new(name: &'static str) -> Self {
        let (name, policy) = (CacheName::from_static(name), EvictionPolicy::none());
        let core = SharedCore::new(name, CacheKind::Slot, Debug::fmt, policy, TimeSource::default());
        Self { core: Arc::new(core), local: None, refused_for: None }
    }
}

impl<Key: Clone + Eq + Hash, R> JudgedCache<Key, R> {
    /// A view of this cache.
    pub(in crate::caching) fn view(core: Arc<SharedCore<Key, R>>) -> Self {
        Self { local: Some(LocalCache::new(core.clone())), core, refused_for: None }
    }

    /// A look-up that begins now. To be called before the device to make it on is read: what is made on a device that is lost
    /// after this is not inserted.
    pub(crate) fn request(&self) -> Request {
        self.core.request()
    }

    /// Returns the resource with this key: from the cache, or else made by `make`, with the bytes that it holds, while others that
    /// ask for the key wait. An entry that is there is judged by `is_current`: one that is not current is removed, whether or
    /// not `make` succeeds. `user` is the caller's type, for messages.
    ///
    /// # Errors
    /// [`Error::Creation`] of that of `make`, to its caller alone: the next of those that waited calls its own.
    /// [`Error::DuplicateCacheName`], [`Error::AnotherDevice`], [`Error::RecursiveCreation`]. That of `is_current`: the entry
    /// stays then.
    #[inline]
    pub(crate) fn get_or_create(
        &mut self,
        key: &Key,
        user: &'static str,
        request: Request,
        is_current: impl Fn(&R) -> Result<bool, Error>,
        make: impl FnOnce() -> Result<(R, u64), Error>,
    ) -> Result<R, Error>
    where
        R: Clone,
    {
        let hash = hash_of(key);
        let is_of_the_device = || self.core.check(request);
        if let Some(local) = &self.local {
            if let Some((id, now)) = local.find(hash, key).filter(|_| is_of_the_device().is_ok()) {
                if is_current(local.get(id))? {
                    drop(make);
                    return Ok(local.hit(id, now).clone());
                }
            }
        } else if let Some(found) =
            self.core.hit_current(hash, key, |found| is_of_the_device().and_then(|()| is_current(found)))?
        {
            return Ok(drop_first(make, found));
        }
        self.get_or_create_slow(hash, key, user, request, is_current, make)
    }

    #[inline(never)]
    fn get_or_create_slow(
        &mut self,
        hash: u64,
        key: &Key,
        user: &'static str,
        request: Request,
        is_current: impl Fn(&R) -> Result<bool, Error>,
        make: impl FnOnce() -> Result<(R, u64), Error>,
    ) -> Result<R, Error>
    where
        R: Clone,
    {
        let mut make = Foreign::new(make);
        loop {
            self.core.check(request)?;
            let is_of_the_device = |found: &R| self.core.check(request).and_then(|()| is_current(found));
            let mut found = self.core.find_current(hash, key, is_of_the_device)?;
            if found.is_none() {
                if let Some(first) = self.refused_for {
                    return Err(Error::DuplicateCacheName {
                        name: self.core.name.clone(),
                        first,
                        second: user,
                    });
                }
                // What was outdated is gone before its successor comes.
                self.local.as_mut().map(LocalCache::catch_up);
                let create = |_: &Key| match make.take() {
                    Some(make) => Made::of(make()),
                    None => unreachable!("what this thread has made is current"),
                };
                let own = |error: Error, cache_key| {
                    let text = chain(&error);
                    (Error::creation(cache_key, error), None, text)
                };
                let request = Request { has_key: true, ..request };
                let got = self.core.get_or_create(hash, key, request, create, own)?;
                // Another thread may have asked for another version at the same time.
                found = is_current(&got.node.resource)?.then_some(got.node);
            }
            if let Some(node) = found {
                let node = drop_first(make.take(), node);
                return Ok(match &mut self.local {
                    Some(local) => local.keep(hash, key, || key.clone(), node).clone(),
                    None => Node::cloned(node),
                });
            }
        }
    }

    /// The resource with this key, if a look-up would find it. Does not count as a hit, does not affect recency, and evicts
    /// nothing.
    pub(crate) fn peek(&self, key: &Key) -> Option<R>
    where
        R: Clone,
    {
        self.core.peek(key).map(Node::cloned)
    }

    /// Removes the entry with this key.
    pub(crate) fn remove(&mut self, key: &Key) -> Option<R>
    where
        R: Clone,
    {
        let removed = self.core.remove(key).map(|node| Foreign::new(Node::cloned(node)));
        self.catch_up();
        removed.map(Foreign::into_inner)
    }

    /// Removes the entries that `leaves` accepts, which is called under the lock, and returns how many there were. O(n).
    pub(crate) fn remove_where(&mut self, leaves: impl FnMut(&Key, &R) -> bool) -> usize {
        let count = self.core.remove_where(leaves);
        self.catch_up();
        count
    }

    /// Removes all entries. Counters and policy stay.
    pub(crate) fn clear(&mut self) {
        self.core.clear();
        self.catch_up();
    }

    /// Evicts the entries that were idle for longer than the policy allows.
    pub(crate) fn expire_idle(&mut self) {
        self.core.expire_idle();
        self.catch_up();
    }

    /// Begins the next generation. A view's is begun by the registry that it is of.
    pub(crate) fn next_generation(&mut self) {
        if self.local.is_none() {
            self.core.next_generation();
        }
    }

    /// Lets go of what this view has used, for a thread that idles.
    pub(crate) fn park(&mut self) {
        self.local.as_mut().map(LocalCache::park);
    }

    pub(crate) fn set_eviction_policy(&mut self, policy: EvictionPolicy) {
        self.core.set_policy(policy);
    }

    pub(crate) fn eviction_policy(&self) -> EvictionPolicy {
        self.core.policy()
    }

    /// A snapshot of the counters. O(n).
    pub(crate) fn metrics(&self) -> CacheMetrics {
        self.core.metrics()
    }

    /// The number of entries that were removed because they were not current.
    pub(crate) fn outdated(&self) -> u64 {
        self.core.lock().outdated
    }

    pub(crate) fn len(&self) -> usize {
        self.core.lock().cache.len()
    }

    /// The name of the cache, if no other has it.
    pub(crate) fn has_its_name(&self) -> bool {
        self.refused_for.is_none()
    }

    /// Connects the cache with a registry that it has come into as a slot. A view is connected already. The registry's time is
    /// taken unless the cache has been used: stamps of two clocks do not compare.
    pub(crate) fn connect(&mut self, context: &SlotContext) {
        self.refused_for = self.refused_for.or(context.name_taken_by());
        if self.local.is_some() {
            return;
        }
        if self.core.counters().misses == 0 {
            if let Some(core) = Arc::get_mut(&mut self.core) {
                core.set_time(context.time().clone());
            }
        }
        // A refused cache is silent: its events would pass for those of the cache that has the name.
        drop(self.core.connect(context.sink().filter(|_| self.refused_for.is_none()).cloned()));
        self.core.set_gate(context.gate().cloned());
        self.core.announce();
    }

    /// Panics if the structures of this cache disagree with each other. O(n), for tests.
    pub(crate) fn validate(&self) {
        self.core.lock().cache.validate();
    }

    fn catch_up(&mut self) {
        self.local.as_mut().map(LocalCache::catch_up);
    }
}

impl<Key: Clone + Eq + Hash, R> Clone for JudgedCache<Key, R> {
    fn clone(&self) -> Self {
        Self { refused_for: self.refused_for, ..Self::view(self.core.clone()) }
    }
}

impl<Key: Clone + Eq + Hash, R> Debug for JudgedCache<Key, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}
