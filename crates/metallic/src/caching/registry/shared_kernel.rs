//! One kernel's cache for all threads.

use std::any::{Any, type_name};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metallic_instrumentation::{CacheKind, CacheName, SinkGuard};

use crate::caching::clock::TimeSource;
use crate::caching::kernel::{CacheableKernel, Creation, Frame};
use crate::caching::policy::EvictionPolicy;
use crate::caching::reporting::{CacheCounters, CacheMetrics};
use crate::caching::shared::{Got, Made, OnFailure, Request, SharedCore};
use crate::error::{Error, chain};

/// The shared cache of kernel `K`.
pub(super) struct SharedKernel<K: CacheableKernel<D>, D: 'static> {
    pub(super) core: Arc<SharedCore<K::Key, K::CachedResource>>,
    /// The identity of the device that resources are made on, or [`UNKNOWN`].
    made_on: AtomicU64,
}

const UNKNOWN: u64 = u64::MAX;

impl<K: CacheableKernel<D>, D: 'static> SharedKernel<K, D> {
    pub(super) fn new(policy: EvictionPolicy, time: TimeSource, sink: Option<SinkGuard>) -> Self {
        let name = CacheName::from_static(K::CACHE_NAME);
        let core = SharedCore::new(name, CacheKind::Kernel, K::fmt_key, policy, time, sink);
        Self { core: Arc::new(core), made_on: AtomicU64::new(UNKNOWN) }
    }

    /// # Errors
    /// [`Error::AnotherDevice`] if what is here was made on another device, as far as the kernel tells devices apart.
    #[inline]
    pub(super) fn check_device(&self, device: Option<&D>) -> Result<(), Error> {
        let Some(asked_for) = device.and_then(K::device_identity) else { return Ok(()) };
        match self.made_on.load(Ordering::Relaxed) {
            UNKNOWN => Ok(()),
            made_on if made_on == asked_for => Ok(()),
            made_on => Err(Error::AnotherDevice { cache: self.core.name().clone(), made_on, asked_for }),
        }
    }

    /// The rest of a look-up. `registry` is what creations find others in.
    pub(super) fn get_or_create(
        &self,
        key: &K::Key,
        hash: u64,
        device: Option<&D>,
        request: Request,
        outer: Option<&Frame<'_>>,
        registry: &mut dyn Any,
    ) -> Result<Got<K::CachedResource>, Error> {
        self.check_device(device)?;
        let create = |key: &K::Key| {
            let frame = Frame::new::<K, K::Key>(key, outer);
            if let Some(identity) = device.and_then(K::device_identity) {
                self.made_on.store(identity, Ordering::Relaxed);
            }
            let made = K::create(key, &mut Creation::new(device, &frame, Some(registry)));
            let sized = made.map(|resource| {
                let bytes = K::resource_bytes(&resource);
                (resource, bytes)
            });
            Made { result: sized, nested: frame.nested() }
        };
        let share = |error: Error, cache_key| {
            let text = chain(&error);
            let error = Arc::new(error);
            (Error::creation(cache_key, Error::Shared(error.clone())), Some(error), text)
        };
        let got = self.core.get_or_create(hash, key, request, create, share)?;
        if let Some(outer) = outer {
            outer.add_nested(got.ticks);
        }
        Ok(got)
    }
}

/// A shared cache of a forgotten type.
pub(super) trait ErasedShared: Any + Send + Sync {
    fn name(&self) -> &CacheName;
    fn owner(&self) -> &'static str;
    fn counters(&self) -> CacheCounters;
    fn metrics(&self) -> CacheMetrics;
    fn eviction_policy(&self) -> EvictionPolicy;
    fn set_eviction_policy(&self, policy: EvictionPolicy);
    fn set_on_failure(&self, on_failure: OnFailure);
    fn clear(&self);
    fn device_lost(&self);
    fn expire_idle(&self);
    fn set_sink(&self, sink: Option<SinkGuard>);
}

macro_rules! delegate_to_core {
    ($owner:ty, $self:ident, $core:expr, $lost:expr) => {
        fn name(&$self) -> &CacheName {
            $core.name()
        }
        fn owner(&$self) -> &'static str {
            type_name::<$owner>()
        }
        fn counters(&$self) -> CacheCounters {
            $core.counters()
        }
        fn metrics(&$self) -> CacheMetrics {
            $core.metrics()
        }
        fn eviction_policy(&$self) -> EvictionPolicy {
            $core.policy()
        }
        fn set_eviction_policy(&$self, policy: EvictionPolicy) {
            $core.set_policy(policy);
        }
        fn set_on_failure(&$self, on_failure: OnFailure) {
            $core.set_on_failure(on_failure);
        }
        fn clear(&$self) {
            $core.clear();
        }
        fn device_lost(&$self) {
            $lost;
            $core.device_lost();
        }
        fn expire_idle(&$self) {
            $core.expire_idle();
        }
        fn set_sink(&$self, sink: Option<SinkGuard>) {
            $core.set_sink(sink);
        }
    };
}

impl<K, D> ErasedShared for SharedKernel<K, D>
where
    K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    D: 'static,
{
    delegate_to_core!(K, self, self.core, self.made_on.store(UNKNOWN, Ordering::Relaxed));
}

impl<Key, R> ErasedShared for SharedCore<Key, R>
where
    Key: Clone + Send + Sync + 'static,
    R: Send + Sync + 'static,
{
    delegate_to_core!(Self, self, self, ());
}
