//! From a miss to an entry: a place is reserved, the kernel creates, the resource is inserted.
//!
//! The cache is not borrowed while the kernel creates: it is found again in what [`Holds`] it, which the creation may use
//! through [`Creation`].

use std::any::{Any, type_name};
use std::sync::Arc;

use super::KernelCache;
use crate::caching::drops::{Foreign, ask_of, drop_first};
use crate::caching::gate::{Caller, Passage};
use crate::caching::kernel::{CacheableKernel, Creation, Frame};
use crate::caching::keyed_cache::{Arrival, KeyedCache};
use crate::caching::order::EntryId;
use crate::error::{Error, chain};

/// On whose behalf a resource is created.
#[derive(Clone, Copy)]
pub(in crate::caching) struct Asker<'a> {
    /// The creation that it happens inside of.
    pub(in crate::caching) outer: Option<&'a Frame<'a>>,
    pub(in crate::caching) caller: Option<Caller>,
}

/// The holder of the cache of kernel `K`: a registry, or the cache itself.
pub(in crate::caching) trait Holds<K: CacheableKernel<D>, D> {
    fn cache(&mut self) -> &mut KernelCache<K, D>;

    /// The part of it that arrivals are for.
    fn keyed(&mut self) -> &mut KeyedCache<K::Key, K::CachedResource>;

    /// The holder, if it has other caches, too.
    fn registry(&mut self) -> Option<&mut dyn Any>;
}

impl<K: CacheableKernel<D>, D> Holds<K, D> for KernelCache<K, D> {
    #[inline(always)]
    fn cache(&mut self) -> &mut KernelCache<K, D> {
        self
    }

    #[inline(always)]
    fn keyed(&mut self) -> &mut KeyedCache<K::Key, K::CachedResource> {
        &mut self.keyed
    }

    fn registry(&mut self) -> Option<&mut dyn Any> {
        None
    }
}

impl<K: CacheableKernel<D>, D> KernelCache<K, D> {
    /// # Errors
    /// [`Error::AnotherDevice`] if what is in the cache was made on another device.
    #[inline]
    fn check_device(&mut self, device: Option<&D>) -> Result<(), Error> {
        let Some(asked_for) = device.and_then(K::device_identity) else { return Ok(()) };
        if self.device.is_none() && self.keyed.is_vacant() {
            self.made_on = None;
        }
        match self.made_on {
            Some(made_on) if made_on != asked_for => {
                Err(Error::AnotherDevice { cache: self.keyed.name().clone(), made_on, asked_for })
            }
            _ => Ok(()),
        }
    }

    /// Notes that a resource is made on this device, or else on the cache's, which is returned: a handle, because the creation
    /// may use the holder.
    ///
    /// # Errors
    /// As [`check_device`](Self::check_device).
    #[inline]
    fn make_on(&mut self, device: Option<&D>) -> Result<Option<Arc<D>>, Error> {
        let own = if device.is_none() { self.device.clone() } else { None };
        let device = device.or(own.as_deref());
        self.check_device(device)?;
        self.made_on = self.made_on.or_else(|| device.and_then(K::device_identity));
        Ok(own)
    }
}

/// The outcome of a look-up that may have had more to attend to.
enum Looked<Key> {
    Hit(EntryId),
    /// Nothing was found by a look-up that began at this moment.
    Nothing(u64, Key),
}

#[cold]
#[inline(never)]
fn look_up<K: CacheableKernel<D>, D>(
    cache: &mut KernelCache<K, D>,
    key: Foreign<K::Key>,
    hash: u64,
    device: Option<&D>,
) -> Result<Looked<K::Key>, Error> {
    if let Err(error) = cache.check_device(device) {
        return Err(drop_first(key, error));
    }
    let (now, found) = cache.keyed.look_up(hash, &*key);
    let Some(id) = found else { return Ok(Looked::Nothing(now, key.into_inner())) };
    cache.keyed.hit_slow(id, now);
    Ok(Looked::Hit(id))
}

/// A look-up that could not take the fast path, or that missed at `missed_at` there. For one function of each holder: it is the
/// whole of what a miss costs.
#[inline(always)]
pub(in crate::caching) fn get_or_create<K: CacheableKernel<D>, D, H: Holds<K, D> + ?Sized>(
    holder: &mut H,
    key: K::Key,
    hash: u64,
    missed_at: Option<u64>,
    device: Option<&D>,
    by: Asker<'_>,
) -> Result<EntryId, Error> {
    let (now, key) = match missed_at {
        Some(now) => (now, key),
        None => {
            // The cache may come into being here, and ask a clock.
            let key = Foreign::new(key);
            match look_up(holder.cache(), key, hash, device)? {
                Looked::Hit(id) => return Ok(id),
                Looked::Nothing(now, key) => (now, key),
            }
        }
    };
    create::<K, D, H>(holder, key, hash, now, device, by)
}

/// The rest of a look-up that began at `now` and found nothing.
#[inline(always)]
fn create<K: CacheableKernel<D>, D, H: Holds<K, D> + ?Sized>(
    holder: &mut H,
    mut key: K::Key,
    hash: u64,
    now: u64,
    device: Option<&D>,
    by: Asker<'_>,
) -> Result<EntryId, Error> {
    let prepared = ask_of!(K::Key, key, |key| prepare(holder, key, device, by));
    let (passage, own) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return Err(drop_first(key, error)),
    };
    let (outer, device) = (by.outer, device.or(own.as_deref()));
    let mut arrival = Arrival::new(holder, H::keyed, key, hash, now, passage);
    arrival.begin();
    let (made, course) = {
        let (holder, key) = arrival.parts();
        let frame = Frame::new::<K, K::Key>(key, outer);
        // Its context is dropped at the end of this statement, and what is made is safe then.
        let made = K::create(key, &mut Creation::new(device, &frame, holder.registry()));
        (made, frame.course())
    };
    arrival.set_course(course);
    let (ended, ticks) = match made {
        Ok(resource) => {
            // Should this panic, the resource is dropped unguarded: a guard would cost every miss ten instructions.
            let bytes = K::resource_bytes(&resource);
            let (id, ticks) = arrival.commit(resource, bytes);
            arrival.close();
            (Ok(id), ticks)
        }
        Err(error) => {
            let error = Foreign::new(error);
            let (cache_key, ticks) = arrival.fail(&chain(&*error));
            (Err(Error::creation(cache_key, error.into_inner())), ticks)
        }
    };
    if let Some(outer) = outer {
        outer.add_nested(ticks);
    }
    ended
}

/// The passage of a creation's gate, and its device, if that is not the caller's.
type Prepared<D> = (Option<Box<dyn Passage>>, Option<Arc<D>>);

/// Finds out whether a resource may be created.
///
/// # Errors
/// Those of a look-up that ends without a miss.
#[inline(always)]
fn prepare<K: CacheableKernel<D>, D, H: Holds<K, D> + ?Sized>(
    holder: &mut H,
    key: &K::Key,
    device: Option<&D>,
    Asker { outer, caller }: Asker<'_>,
) -> Result<Prepared<D>, Error> {
    let cache = holder.cache();
    cache.keyed.check_name(type_name::<K>())?;
    if outer.is_some_and(|outer| outer.is_creating::<K, K::Key>(key)) {
        return Err(Error::RecursiveCreation { cache_key: cache.keyed.format_label(key) });
    }
    let passage = cache.keyed.admit(key, caller, true)?;
    Ok((passage, cache.make_on(device)?))
}
