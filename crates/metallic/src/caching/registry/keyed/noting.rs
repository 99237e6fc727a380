//! Creations by closures that are given more than nothing, for what is built on creations.

use std::cell::Cell;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use metallic_instrumentation::CacheName;

use super::{LocalSharedCache, SharedCache};
use crate::caching::cache::Course;
use crate::caching::drops::drop_first;
use crate::caching::entries::hash_of;
use crate::caching::gate::Caller;
use crate::caching::kernel::{Attachment, CurrentAttachment};
use crate::caching::query::Query;
use crate::caching::shared::{Made, SharedCore};
use crate::caching::slot::SlotContext;
use crate::error::Error;

/// A creation by a closure, as what is built on creations sees it.
pub(crate) struct KeyedCreation<'a> {
    core: &'a dyn Site,
    attachment: Option<Attachment>,
    loaded: Cell<bool>,
}

impl KeyedCreation<'_> {
    /// The attachment of the registry that the cache is of, if it has one.
    pub(crate) fn attachment(&self) -> Option<Attachment> {
        self.attachment.clone()
    }

    /// The cache's sink and clock.
    pub(crate) fn context(&self) -> SlotContext {
        self.core.context()
    }

    /// The name of the cache, and the key as events have it.
    pub(crate) fn label(&self) -> (CacheName, Arc<str>) {
        self.core.label()
    }

    /// Says whether the resource is made of what was loaded, and not of what was compiled.
    pub(crate) fn set_loaded(&self, loaded: bool) {
        self.loaded.set(loaded);
    }
}

/// A cache and a key, of forgotten types.
trait Site {
    fn context(&self) -> SlotContext;
    fn label(&self) -> (CacheName, Arc<str>);
}

impl<Key, R> Site for (&SharedCore<Key, R>, &Key) {
    fn context(&self) -> SlotContext {
        SlotContext::new(self.0.sink(), self.0.time().clone(), None)
    }

    fn label(&self) -> (CacheName, Arc<str>) {
        (self.0.name().clone(), self.0.label(self.1))
    }
}

fn create<Key, R, E>(
    core: &SharedCore<Key, R>,
    key: &Key,
    attachment: &CurrentAttachment,
    make: impl FnOnce(&KeyedCreation<'_>) -> Result<R, E>,
) -> Made<R, E> {
    let site = (core, key);
    let creation = KeyedCreation { core: &site, attachment: attachment.get(), loaded: Cell::new(false) };
    let made = make(&creation);
    let course = Course { loaded: creation.loaded.get(), ..Course::default() };
    let made = drop_first(creation, made);
    Made { result: made.map(|resource| (resource, 0)), course }
}

impl<Key: Clone + Eq + Hash, R> SharedCache<Key, R> {
    /// [`get_or_create_with`](Self::get_or_create_with) by a closure that is told of its creation.
    pub(crate) fn get_or_create_noting<Q, E>(
        &self,
        query: &Q,
        caller: Caller,
        make: impl FnOnce(&KeyedCreation<'_>) -> Result<R, E>,
    ) -> Result<R, E>
    where
        Q: Query<Key> + ?Sized,
        E: From<Error> + fmt::Display,
        R: Clone,
    {
        let create = |key: &Key| create(&self.core, key, &self.home.attachment, make);
        self.get_or_create_by(query, create, caller)
    }
}

impl<Key: Clone + Eq + Hash, R> LocalSharedCache<Key, R> {
    /// As [`SharedCache::get_or_create_noting`].
    #[inline]
    pub(crate) fn get_or_create_noting<Q, E>(
        &mut self,
        query: &Q,
        caller: Caller,
        make: impl FnOnce(&KeyedCreation<'_>) -> Result<R, E>,
    ) -> Result<&R, E>
    where
        Q: Query<Key> + ?Sized,
        E: From<Error> + fmt::Display,
    {
        let hash = hash_of(query);
        if let Some((id, now)) = self.local.find(hash, query) {
            return Ok(self.local.hit(id, now));
        }
        let attachment = self.home.attachment.clone();
        let create = |core: &_, key: &Key| create(core, key, &attachment, make);
        self.get_or_create_slow(hash, query, create, caller)
    }
}
