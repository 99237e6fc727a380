//! Creations that their askers do not wait for: prefetched, rebuilt while the last one is in use, or bridged by a fallback.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError};

use rustc_hash::FxBuildHasher;

use super::SharedCore;
use super::creators::Creators;
use super::get_or_create::Step;
use super::node::Node;
use super::request::{Made, Request};
use super::task::{Maker, Progress, Settled, Task};
use super::ticket::Ticket;
use crate::caching::drops::{Foreign, drop_first};
use crate::caching::entries::hash_of;
use crate::caching::sync::atomic::Ordering;
use crate::caching::sync::{Mutex, MutexGuard};
use crate::error::Error;

/// The maker of a resource in the background: see [`Maker::make`].
struct MakerOf<Key, R, F> {
    core: Arc<SharedCore<Key, R>>,
    key: Foreign<Key>,
    make: Foreign<F>,
}

impl<Key, R, F> Maker<R> for MakerOf<Key, R, F>
where
    Key: Send + Sync,
    R: Send + Sync,
    F: Fn(&Key, bool) -> Progress<R> + Send + Sync,
{
    fn make(&self, may_wait: bool) -> Progress<R> {
        (self.make)(&self.key, may_wait)
    }

    fn is_lost(&self, node: &Node<R>) -> bool {
        node.generation() <= self.core.lost.load(Ordering::Acquire)
    }

    fn label(&self) -> Arc<str> {
        self.core.label(&self.key)
    }
}

impl<Key, R> SharedCore<Key, R>
where
    Key: Clone + Eq + Hash + Send + Sync + 'static,
    R: Send + Sync + 'static,
{
    /// A ticket for the resource with this key, which `make` creates in the background unless it is there.
    pub(in crate::caching) fn prefetch(
        self: &Arc<Self>,
        creators: &Arc<Creators>,
        key: Key,
        make: impl Fn(&Key, bool) -> Progress<R> + Send + Sync + 'static,
    ) -> Ticket<R> {
        let (key, make) = (Foreign::new(key), Foreign::new(make));
        let known = self.known(hash_of(&*key), &key);
        let maker = Box::new(MakerOf { core: self.clone(), key, make });
        Ticket::new(match known {
            Some(settled) => Task::over(maker, creators.clone(), settled),
            None => Task::begin(maker, creators.clone()),
        })
    }

    /// A ticket for a new resource with this key, which `make` creates in the background in place of the one that is there.
    pub(in crate::caching) fn rebuild(
        self: &Arc<Self>,
        creators: &Arc<Creators>,
        key: Key,
        make: impl Fn(&Key, bool) -> Progress<R> + Send + Sync + 'static,
    ) -> Ticket<R> {
        let (key, make) = (Foreign::new(key), Foreign::new(make));
        let maker = Box::new(MakerOf { core: self.clone(), key, make });
        Ticket::new(Task::begin(maker, creators.clone()))
    }

    /// Has `make` create the resource with this key in the background, unless that is under way or failed a moment ago. Returns it
    /// if it is there by now, as where there is no thread but this one.
    pub(in crate::caching) fn bridge(
        self: &Arc<Self>,
        creators: &Arc<Creators>,
        hash: u64,
        key: Key,
        make: impl Fn(&Key, bool) -> Progress<R> + Send + Sync + 'static,
    ) -> Option<Arc<Node<R>>> {
        let (key, make) = (Foreign::new(key), Foreign::new(make));
        if let Some(known) = self.known(hash, &key) {
            let is_there = known.is_ok();
            drop(known);
            // Since it was looked for: this is the hit.
            let found = if is_there { self.get_hashed(hash, &*key) } else { None };
            return drop_first((make, key), found);
        }
        let awaited = Await::begin(self, hash, &key)?;
        let make = Foreign::new(move |key: &Key, may_wait| {
            // For as long as the task is there, and so is `make`.
            let _ = &awaited;
            make(key, may_wait)
        });
        let maker = Box::new(MakerOf { core: self.clone(), key, make });
        let ticket = Ticket::new(Task::begin_for_fallback(maker, creators.clone()));
        let made = Foreign::new(ticket.created_here());
        ticket.keep_wanted();
        made.into_inner()
    }

    /// Finds what a look-up would find without creating. Counts nothing.
    fn known(&self, hash: u64, key: &Key) -> Option<Settled<R>> {
        // What is dropped by a panic is dropped in the reverse order: the lock is released first.
        let forgotten;
        let (mut state, now) = self.lock_at();
        if let Some(node) = state.peek(hash, key, now) {
            return Some(Ok(node));
        }
        forgotten = state.forget_failures(now, &self.time);
        let failed = Foreign::new(state.failures.get(hash, key));
        drop(state);
        drop(forgotten);
        let error = failed.into_inner()?;
        Some(Err(Arc::new(Error::creation(self.label(key), Error::Shared(error)))))
    }

    /// Finds or creates a resource for later: finding it is no hit. It may wait for another thread's creation, or must not.
    pub(in crate::caching) fn create_for_later(
        &self,
        hash: u64,
        key: &Key,
        request: Request,
        may_wait: bool,
        create: impl FnOnce(&Key) -> Made<R, Error>,
        share: impl FnOnce(Error, Arc<str>) -> (Error, Option<Arc<Error>>, String),
    ) -> Progress<R> {
        // Should the creation panic, its `Drop` may as well.
        let key = Foreign::new(Arc::new(key.clone()));
        // What the gate said, once it was asked.
        let mut admitted = None;
        let ended = loop {
            match self.step(hash, &key, request, admitted.is_some()) {
                Step::Hit(node) => break Ok(node),
                Step::Ask => match self.ask(&key, request.caller) {
                    Ok(passage) => admitted = Some(passage),
                    Err(refused) => break Err(Error::creation(self.label(&key), refused)),
                },
                Step::Create(arrival) => {
                    let arrival = arrival.with_passage(admitted.take().flatten());
                    break arrival.create(create, share).map(|got| got.node);
                }
                Step::Wait(landing) if !may_wait => return drop_first(key, Progress::Blocked(landing)),
                Step::Wait(landing) => match self.wait(&key, &landing, None) {
                    Ok(()) => {}
                    Err(error) => break Err(error),
                },
                Step::Failed(error) => break Err(Error::creation(self.label(&key), Error::Shared(error))),
                Step::Refused(Error::DeviceLost) => {
                    break Err(Error::creation(self.label(&key), Error::DeviceLost));
                }
                Step::Refused(error) => break Err(error),
            }
        };
        drop_first(key, Progress::Ended(ended))
    }
}

/// Keys that are being created in the background for those who have a fallback, by their hashes.
pub(super) struct Awaited<Key>(Mutex<HashMap<u64, Vec<Arc<Key>>, FxBuildHasher>>);

impl<Key> Awaited<Key> {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Vec<Arc<Key>>, FxBuildHasher>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Key> Default for Awaited<Key> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// A key among the [`Awaited`], until this is dropped.
struct Await<Key, R> {
    core: Arc<SharedCore<Key, R>>,
    hash: u64,
    key: Foreign<Arc<Key>>,
}

impl<Key: Clone + Eq, R> Await<Key, R> {
    /// `None` if the key is among them already.
    fn begin(core: &Arc<SharedCore<Key, R>>, hash: u64, key: &Key) -> Option<Self> {
        // Before the lock, and dropped after it: it is not ours.
        let key = Foreign::new(Arc::new(key.clone()));
        let mut awaited = core.awaited.lock();
        if awaited.get(&hash).is_some_and(|keys| keys.contains(&key)) {
            return None;
        }
        awaited.entry(hash).or_default().push(Arc::clone(&key));
        drop(awaited);
        Some(Self { core: core.clone(), hash, key })
    }
}

impl<Key, R> Drop for Await<Key, R> {
    fn drop(&mut self) {
        let mut awaited = self.core.awaited.lock();
        if let Some(keys) = awaited.get_mut(&self.hash) {
            // `key` keeps it alive, so that nothing is dropped here.
            keys.retain(|other| !Arc::ptr_eq(other, &self.key));
            if keys.is_empty() {
                awaited.remove(&self.hash);
            }
        }
    }
}
