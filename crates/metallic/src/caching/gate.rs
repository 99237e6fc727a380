//! The station between a reserved place and its creation, for what watches over creations from outside of the core.

use std::any::{Any, TypeId};
use std::panic::Location;
use std::sync::{Arc, PoisonError};

use metallic_instrumentation::{CacheName, CreationOutcome, CreationViolation};

use super::policy::EvictionPolicy;
use super::sync::RwLock;
use crate::error::Error;

/// The place in a program that asked for a resource.
pub(crate) type Caller = &'static Location<'static>;

/// Is asked before each creation of the caches that it was set in, under no lock.
pub(crate) trait CreationGate: Any + Send + Sync {
    /// Lets a creation go on. What is returned is told how it ended; dropped untold, it was given up.
    ///
    /// # Errors
    /// [`Error::CreationRefused`], if the creation may not be, and can be refused.
    fn admit(&self, asked: &Asked<'_>) -> Result<Option<Box<dyn Passage>>, Error>;
}

/// The gate that a registry has at the moment, for slots of other threads: no one can tell those of another.
pub(super) type CurrentGate = RwLock<Option<Arc<dyn CreationGate>>>;

impl CreationGate for CurrentGate {
    fn admit(&self, asked: &Asked<'_>) -> Result<Option<Box<dyn Passage>>, Error> {
        let gate = self.read().unwrap_or_else(PoisonError::into_inner).clone();
        gate.map_or(Ok(None), |gate| gate.admit(asked))
    }
}

/// A creation that a gate has let go on.
pub(crate) trait Passage {
    fn ended(self: Box<Self>, finished: &Finished<'_>);
}

/// A creation that is about to begin.
pub(crate) struct Asked<'a> {
    pub(crate) cache: &'a CacheName,
    /// `None` for the creations of closures and slots.
    pub(crate) kernel: Option<KernelKey<'a>>,
    /// Formats the key as events have it.
    pub(crate) label: &'a dyn Fn() -> Arc<str>,
    /// Formats the keys that are in the cache now.
    pub(crate) labels: &'a dyn Fn() -> Vec<Arc<str>>,
    pub(crate) policy: EvictionPolicy,
    pub(crate) caller: Option<Caller>,
    /// `false` if the caller's type of errors has no place for a refusal.
    pub(crate) can_refuse: bool,
    /// By the clock of the cache.
    pub(crate) now_ns: u64,
    pub(crate) report: &'a dyn Fn(CreationViolation),
}

/// A key of a kernel, of a forgotten type.
#[derive(Clone, Copy)]
pub(crate) struct KernelKey<'a> {
    pub(crate) kernel: TypeId,
    #[cfg_attr(not(feature = "manifest"), expect(dead_code, reason = "recorders alone read keys"))]
    pub(crate) key: &'a dyn Any,
}

/// A key of kernel `K`, as a gate sees it.
pub(super) fn kernel_key<K: 'static, Key: 'static>(key: &Key) -> KernelKey<'_> {
    KernelKey { kernel: TypeId::of::<K>(), key }
}

/// A creation that is over.
pub(crate) struct Finished<'a> {
    pub(crate) outcome: CreationOutcome,
    /// `true` if the resource is made of what was loaded from a store.
    pub(crate) loaded: bool,
    /// Other creations inside of it included.
    pub(crate) duration_ns: u64,
    /// The bytes that the resource holds.
    pub(crate) bytes: u64,
    pub(crate) report: &'a dyn Fn(CreationViolation),
}
