//! The request of a look-up, and its outcome.

use std::sync::Arc;
use std::time::Duration;

use super::SharedCore;
use super::node::Node;
use crate::caching::cache::Course;
use crate::caching::gate::Caller;
use crate::caching::sync::atomic::Ordering;
use crate::error::Error;

/// How a look-up is to be made, and when it began: see [`SharedCore::request`].
#[derive(Clone, Copy)]
pub(crate) struct Request {
    /// The longest wait for a creation by another thread.
    pub(in crate::caching) timeout: Option<Duration>,
    /// The identity of the device to create on, if it is known.
    pub(in crate::caching) device: Option<u64>,
    /// Devices that were lost before.
    pub(in crate::caching) epoch: u64,
    /// `true` if the key is built in any case, or was not here just now: then one look under the lock finds the entry or reserves
    /// its place.
    pub(in crate::caching) has_key: bool,
    pub(in crate::caching) purpose: Purpose,
    pub(in crate::caching) caller: Option<Caller>,
}

impl Request {
    /// On behalf of this place in a program.
    pub(crate) fn by(self, caller: Caller) -> Self {
        Self { caller: Some(caller), ..self }
    }

    /// The same, on the device of this identity.
    pub(crate) fn on(self, device: Option<u64>) -> Self {
        Self { device, ..self }
    }
}

/// The purpose of a look-up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::caching) enum Purpose {
    /// To be used.
    Use,
    /// To be there when it is used. Finding it is no hit.
    Prefetch,
    /// To replace the one that is there, if there is one.
    Rebuild,
}

/// A creation's result: a resource with the bytes that it holds, or an error.
pub(in crate::caching) struct Made<R, E> {
    pub(in crate::caching) result: Result<(R, u64), E>,
    pub(in crate::caching) course: Course,
}

impl<R, E> Made<R, E> {
    /// The result of a creation that tells nothing else.
    pub(in crate::caching) fn of(result: Result<(R, u64), E>) -> Self {
        Self { result, course: Course::default() }
    }
}

/// A resource that was found or created, and the ticks that its creation took here.
pub(in crate::caching) struct Got<R> {
    pub(in crate::caching) node: Arc<Node<R>>,
    pub(in crate::caching) ticks: u64,
}

impl<Key, R> SharedCore<Key, R> {
    /// A look-up that begins now. To be called before the device to create on is read: what is created on a device that is lost
    /// after this is not inserted.
    pub(in crate::caching) fn request(&self) -> Request {
        let (epoch, purpose) = (self.epoch.load(Ordering::Acquire), Purpose::Use);
        Request { timeout: None, device: None, epoch, has_key: false, purpose, caller: None }
    }

    /// # Errors
    /// [`Error::AnotherDevice`] if what is here was made on another device, as far as its maker tells devices apart.
    #[inline]
    pub(in crate::caching) fn check_device(&self, device: Option<u64>) -> Result<(), Error> {
        let Some(asked_for) = device else { return Ok(()) };
        match self.made_on.get() {
            None => Ok(()),
            Some(made_on) if made_on == asked_for => Ok(()),
            Some(made_on) => Err(Error::AnotherDevice { cache: self.name.clone(), made_on, asked_for }),
        }
    }

    /// Returns `true` if what is here was made on this device, as far as its maker tells devices apart.
    #[inline(always)]
    pub(super) fn is_on(&self, device: Option<u64>) -> bool {
        device.is_none_or(|device| self.made_on.get().is_none_or(|made_on| made_on == device))
    }

    /// # Errors
    /// As [`check_device`](Self::check_device); [`Error::DeviceLost`] if that is because its device was lost since.
    pub(in crate::caching) fn check(&self, request: Request) -> Result<(), Error> {
        let other = self.check_device(request.device);
        let is_lost = || self.epoch.load(Ordering::Acquire) != request.epoch;
        other.map_err(|other| if is_lost() { Error::DeviceLost } else { other })
    }

    /// Returns `true` if the resource for `request` may be inserted: then all that is here is of its device. To be called under
    /// the lock.
    pub(super) fn claim(&self, request: Request) -> Result<(), Error> {
        if self.epoch.load(Ordering::Relaxed) != request.epoch {
            return Err(Error::DeviceLost);
        }
        self.check(request)?;
        if let Some(device) = request.device {
            self.made_on.note_device(device);
        }
        Ok(())
    }
}
