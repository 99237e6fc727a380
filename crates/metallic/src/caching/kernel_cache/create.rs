//! From a miss to an entry: a place is reserved, the kernel creates, the resource is inserted.
//!
//! The cache is not borrowed while the kernel creates. It is in a `holder`, a registry or itself, in which `reach` finds it
//! again, and which the creation may use through [`Creation`].

use std::any::{Any, type_name};

use super::{Found, KernelCache};
use crate::caching::kernel::{CacheableKernel, Creation, Frame};
use crate::caching::keyed_cache::Arrival;
use crate::caching::order::EntryId;
use crate::error::{Error, chain};

/// A look-up that could not take the fast path.
#[cold]
#[inline(never)]
pub(in crate::caching) fn get_or_create_slow<K: CacheableKernel<D>, D: 'static, H: ?Sized>(
    holder: &mut H,
    reach: impl Fn(&mut H) -> &mut KernelCache<K, D> + Copy,
    registry: impl Fn(&mut H) -> Option<&mut dyn Any>,
    key: K::Key,
    hash: u64,
    device: Option<&D>,
    outer: Option<&Frame<'_>>,
) -> Result<EntryId, Error> {
    let cache = reach(holder);
    // A far cache of a registry comes here on every look-up.
    if let Found::Hit(id, now) = cache.find_fast(hash, &key, device) {
        cache.keyed.hit(id, now);
        return Ok(id);
    }
    cache.check_device(device)?;
    let (now, found) = cache.keyed.look_up(hash, &key);
    if let Some(id) = found {
        cache.keyed.hit_slow(id, now);
        return Ok(id);
    }
    create(holder, reach, registry, key, hash, now, device, outer)
}

/// The rest of a look-up that began at `now` and found nothing.
#[inline(never)]
#[expect(clippy::too_many_arguments, reason = "a look-up under way, whose parts are in registers")]
pub(in crate::caching) fn create<K: CacheableKernel<D>, D: 'static, H: ?Sized>(
    holder: &mut H,
    reach: impl Fn(&mut H) -> &mut KernelCache<K, D> + Copy,
    registry: impl Fn(&mut H) -> Option<&mut dyn Any>,
    key: K::Key,
    hash: u64,
    now: u64,
    device: Option<&D>,
    outer: Option<&Frame<'_>>,
) -> Result<EntryId, Error> {
    let cache = reach(holder);
    cache.keyed.check_name(type_name::<K>())?;
    if outer.is_some_and(|outer| outer.is_creating::<K, K::Key>(&key)) {
        return Err(Error::RecursiveCreation { cache_key: cache.keyed.format_label(&key) });
    }
    // A handle, because the creation may use what holds the cache.
    let own = if device.is_none() { cache.device.clone() } else { None };
    let device = device.or(own.as_deref());
    cache.check_device(device)?;
    cache.made_on = cache.made_on.or_else(|| device.and_then(K::device_identity));
    let mut arrival = Arrival::begin(holder, |holder| reach(holder).keyed_mut(), key, hash, now);
    let (made, nested) = {
        let (holder, key) = arrival.parts();
        let frame = Frame::new::<K, K::Key>(key, outer);
        (K::create(key, &mut Creation::new(device, &frame, registry(holder))), frame.nested())
    };
    arrival.add_nested(nested);
    let (ended, ticks) = match made {
        Ok(resource) => {
            let bytes = K::resource_bytes(&resource);
            let (id, ticks) = arrival.commit(resource, bytes);
            (Ok(id), ticks)
        }
        Err(error) => {
            let (cache_key, ticks) = arrival.fail(&chain(&error));
            (Err(Error::creation(cache_key, error)), ticks)
        }
    };
    if let Some(outer) = outer {
        outer.add_nested(ticks);
    }
    ended
}

impl<K: CacheableKernel<D>, D: 'static> KernelCache<K, D> {
    /// # Errors
    /// [`Error::AnotherDevice`] if what is in this cache was made on another device.
    fn check_device(&mut self, device: Option<&D>) -> Result<(), Error> {
        let Some(asked_for) = device.and_then(K::device_identity) else { return Ok(()) };
        if self.device.is_none() && self.keyed.is_vacant() {
            self.made_on = None;
        }
        match self.made_on {
            Some(made_on) if made_on != asked_for => {
                Err(Error::AnotherDevice { cache: self.name().clone(), made_on, asked_for })
            }
            _ => Ok(()),
        }
    }
}
