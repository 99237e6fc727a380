//! Creations in the background of a shared registry.

use std::panic::Location;
use std::sync::Arc;

use super::{Inner, SharedRegistry};
use crate::caching::drops::{Foreign, drop_first};
use crate::caching::entries::hash_of;
use crate::caching::gate::Caller;
use crate::caching::kernel::CacheableKernel;
use crate::caching::registry::answer::Answer;
use crate::caching::registry::shared_kernel::SharedKernel;
use crate::caching::shared::{Node, Progress, Purpose, Request, Ticket};
use crate::error::Error;

impl<D: Send + Sync + 'static> SharedRegistry<D> {
    /// Asks for the resource of kernel `K` for these parameters: created by a thread of the registry, on its device, unless it is
    /// there. Returns at once.
    ///
    /// Is not a look-up: what it finds is not counted and not touched, and the use that follows is the hit. What it creates is
    /// counted and reported as the miss that it is. A look-up that comes before a thread has begun creates by itself.
    ///
    /// `registry.prefetch::<K>(&params).await` is the look-up of a task that must not block.
    ///
    /// # Errors
    /// In the ticket.
    #[track_caller]
    pub fn prefetch<K>(&self, params: &K::Params) -> Ticket<K::CachedResource>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        let key = Foreign::new(K::create_cache_key(params));
        match self.kernel::<K>() {
            Ok(kernel) => {
                let make = self.maker(&kernel, &key, Purpose::Prefetch, Location::caller());
                kernel.core.prefetch(&self.0.creators, key.into_inner(), make)
            }
            Err(error) => Ticket::failed(error),
        }
    }

    /// Asks for a new resource of kernel `K` for these parameters, as when what it is compiled from has changed. The one that is
    /// there is handed out until the new one takes its place, and stays if the creation fails.
    ///
    /// Locals let go of the old one at their next operation on the cache; to [`get_or_fallback`](Self::get_or_fallback) the new
    /// one has another generation. If there is none yet, as [`prefetch`](Self::prefetch). The old one's removal is counted and
    /// reported, by the cause [`Stale`](metallic_instrumentation::RemovalCause::Stale).
    ///
    /// # Errors
    /// In the ticket.
    #[track_caller]
    pub fn rebuild<K>(&self, params: &K::Params) -> Ticket<K::CachedResource>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        let key = Foreign::new(K::create_cache_key(params));
        match self.kernel::<K>() {
            Ok(kernel) => {
                let make = self.maker(&kernel, &key, Purpose::Rebuild, Location::caller());
                kernel.core.rebuild(&self.0.creators, key.into_inner(), make)
            }
            Err(error) => Ticket::failed(error),
        }
    }

    /// Returns the resource of kernel `K` for these parameters if it is there: a hit. Otherwise returns what `fallback` gives, and
    /// has the resource created in the background, so that a later call returns it.
    ///
    /// To give one answer for as long as a batch of work is encoded, call it on a [`Batch`](super::super::Batch). A creation that
    /// fails leaves the fallback in use, and is tried again at the next call: give the kernel
    /// [`OnFailure::Remember`](crate::caching::OnFailure::Remember), so that it is not tried with every frame. Where there are no
    /// creator threads, the resource is created at once. Of what is queued for it no more than
    /// [`max_queued_fallbacks`](Self::max_queued_fallbacks) stays.
    ///
    /// # Errors
    /// [`Error::DuplicateCacheName`]; [`Error::AnotherDevice`], or [`Error::DeviceLost`] if the device is lost meanwhile. Errors
    /// of creations are in the events.
    #[track_caller]
    pub fn get_or_fallback<K>(
        &self,
        params: &K::Params,
        fallback: impl FnOnce() -> K::CachedResource,
    ) -> Result<Answer<K::CachedResource>, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        let (key, fallback) = (Foreign::new(K::create_cache_key(params)), Foreign::new(fallback));
        let hash = hash_of(&*key);
        let kernel = self.kernel::<K>()?;
        let node = match kernel.core.get_hashed(hash, &*key) {
            Some(node) => Some(node),
            None => self.bridge::<K>(&kernel, hash, &key, Location::caller())?,
        };
        match drop_first(key, node) {
            Some(node) => Ok(Answer::of(drop_first(fallback, node))),
            None => Ok(Answer::Fallback((fallback.into_inner())())),
        }
    }

    /// Has the resource created in the background. Returns it if it is there by now.
    pub(in crate::caching::registry) fn bridge<K>(
        &self,
        kernel: &Arc<SharedKernel<K, D>>,
        hash: u64,
        key: &K::Key,
        caller: Caller,
    ) -> Result<Option<Arc<Node<K::CachedResource>>>, Error>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        let request = kernel.core.request();
        let device = self.device().as_deref().and_then(K::device_identity);
        kernel.core.check(request.on(device))?;
        let make = self.maker(kernel, key, Purpose::Prefetch, caller);
        Ok(kernel.core.bridge(&self.0.creators, hash, key.clone(), make))
    }

    fn maker<K>(
        &self,
        kernel: &Arc<SharedKernel<K, D>>,
        key: &K::Key,
        purpose: Purpose,
        caller: Caller,
    ) -> impl Fn(&K::Key, bool) -> Progress<K::CachedResource> + Send + Sync + use<K, D>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        // What is queued keeps no registry alive.
        let (inner, kernel, hash) = (Arc::downgrade(&self.0), kernel.clone(), hash_of(key));
        move |key, may_wait| {
            let Some(inner) = inner.upgrade() else {
                return Progress::Ended(Err(Error::ShutDown));
            };
            let mut registry = Self(inner);
            let request = Request { purpose, ..kernel.core.request().by(caller) };
            let device = Foreign::new(registry.device());
            let progress =
                kernel.create_for_later(key, hash, device.as_deref(), request, may_wait, &mut registry);
            // Either may be the last of its kind by now.
            drop_first((device, registry), progress)
        }
    }
}

impl<D: 'static> SharedRegistry<D> {
    /// The most threads that create in the background. Half of the processors until it is set.
    pub fn creator_threads(&self) -> usize {
        self.0.creators.most_threads()
    }

    /// Sets how many threads create in the background at most. They are started when there is something to create, and end when
    /// there was nothing for some seconds. Threads beyond a lower limit end after what they are creating.
    ///
    /// With 0, as on wasm32 whatever is set, no thread creates but those that ask: whoever waits for a [`Ticket`] or polls it
    /// does, and [`get_or_fallback`](Self::get_or_fallback) does at once.
    pub fn set_creator_threads(&self, limit: usize) {
        self.0.creators.set_limit(limit);
    }

    /// The most creations for [`get_or_fallback`](Self::get_or_fallback) that are queued at a time. 1024 until it is set.
    pub fn max_queued_fallbacks(&self) -> usize {
        self.0.creators.most_fallbacks()
    }

    /// Sets how many creations for [`get_or_fallback`](Self::get_or_fallback), of all caches, are queued at most, and at least
    /// one. Of more, the one that was asked for first leaves the queue: it is not created, unless its key is asked for again. So
    /// an engine that goes on to ever new keys faster than they can be created does not leave a queue behind that grows without
    /// end. What has a [`Ticket`] always stays.
    pub fn set_max_queued_fallbacks(&self, limit: usize) {
        self.0.creators.set_most_fallbacks(limit);
    }

    /// Ends all creation in the background: waits for what is under way, and for the end of the threads. What is queued is not
    /// created, and neither is what is asked for later: tickets for it have [`Error::ShutDown`]. All else goes on as before.
    ///
    /// Dropping the last handle of the registry does the same without waiting: threads then end by themselves after what they are
    /// creating. From within a creation this waits for nothing, if it is one in the background; others must not call it.
    pub fn shut_down(&self) {
        self.0.creators.shut_down();
    }
}

impl<D> Drop for Inner<D> {
    fn drop(&mut self) {
        // Threads are let go of: this may be one of them, and what they are creating may want a lock of the caller's.
        self.creators.let_go();
    }
}
