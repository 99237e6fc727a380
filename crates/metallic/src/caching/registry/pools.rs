//! Pools of a registry.

use std::any::type_name;
use std::fmt;
use std::hash::Hash;

use metallic_instrumentation::CacheName;

use super::{CacheRegistry, LocalRegistry, SharedRegistry};
use crate::caching::pool::Pool;
use crate::error::Error;

impl<D: 'static> SharedRegistry<D> {
    /// The pool of this name, made at the first call. The handle is to be kept; finding it takes a lock.
    ///
    /// # Errors
    /// [`Error::DuplicateCacheName`] if a pool of other types, or a cache, has the name.
    pub fn pool<Key, R>(&self, name: impl Into<CacheName>) -> Result<Pool<Key, R>, Error>
    where
        Key: Clone + Eq + Hash + fmt::Debug + Send + 'static,
        R: Send + 'static,
    {
        let format = <Key as fmt::Debug>::fmt;
        let second = type_name::<Pool<Key, R>>();
        self.get_or_place(name.into(), second, |name, policy, time| Pool::new(name, format, policy, time))
    }
}

impl<D: 'static> LocalRegistry<D> {
    /// [`SharedRegistry::pool`]: items are lent to all threads.
    ///
    /// # Errors
    /// As [`SharedRegistry::pool`].
    pub fn pool<Key, R>(&self, name: impl Into<CacheName>) -> Result<Pool<Key, R>, Error>
    where
        Key: Clone + Eq + Hash + fmt::Debug + Send + 'static,
        R: Send + 'static,
    {
        self.shared().pool(name)
    }
}

impl<D: 'static> CacheRegistry<D> {
    /// The pool of this name, made at the first call. The handle borrows nothing of the registry, and its items need not be
    /// [`Send`].
    ///
    /// # Errors
    /// [`Error::DuplicateCacheName`] if a pool of other types, a cache or a slot has the name.
    pub fn pool<Key, R>(&mut self, name: impl Into<CacheName>) -> Result<Pool<Key, R>, Error>
    where
        Key: Clone + Eq + Hash + fmt::Debug + 'static,
        R: 'static,
    {
        let format = <Key as fmt::Debug>::fmt;
        self.get_or_place(name.into(), |name, policy, time| Pool::new(name, format, policy, time)).cloned()
    }
}
