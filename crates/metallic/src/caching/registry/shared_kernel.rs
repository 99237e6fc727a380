//! One kernel's cache for all threads.

use std::any::{Any, type_name};
use std::sync::Arc;

use metallic_instrumentation::{CacheKind, CacheName, SinkGuard};

use super::keyed::SharedCache;
use super::type_table::Erased;
use crate::caching::clock::TimeSource;
use crate::caching::drops::Foreign;
use crate::caching::gate::{CreationGate, kernel_key};
use crate::caching::kernel::{CacheableKernel, Creation, Frame};
use crate::caching::policy::EvictionPolicy;
use crate::caching::pool::Pool;
use crate::caching::reporting::{CacheMetrics, Reporter};
use crate::caching::shared::{Got, Made, Progress, Request, SharedCore};
use crate::error::{Error, chain};

/// The shared cache of kernel `K`.
pub(super) struct SharedKernel<K: CacheableKernel<D>, D: 'static> {
    pub(super) core: Arc<SharedCore<K::Key, K::CachedResource>>,
}

impl<K: CacheableKernel<D>, D: 'static> SharedKernel<K, D> {
    pub(super) fn new(time: TimeSource) -> Self {
        let name = CacheName::from_static(K::CACHE_NAME);
        let core = SharedCore::new(name, CacheKind::Kernel, K::fmt_key, K::default_policy(), time);
        let core = core.of_kernel(kernel_key::<K, K::Key>);
        Self { core: Arc::new(core) }
    }

    /// # Errors
    /// [`Error::AnotherDevice`] if what is here was made on another device, as far as the kernel tells devices apart.
    #[inline]
    pub(super) fn check_device(&self, device: Option<&D>) -> Result<(), Error> {
        self.core.check_device(device.and_then(K::device_identity))
    }

    /// The rest of a look-up, whose `request` is older than the reading of `device`. `registry` is what creations find others in.
    pub(super) fn get_or_create(
        &self,
        key: &K::Key,
        hash: u64,
        device: Option<&D>,
        request: Request,
        outer: Option<&Frame<'_>>,
        registry: &mut dyn Any,
    ) -> Result<Got<K::CachedResource>, Error> {
        let request = Request { device: device.and_then(K::device_identity), ..request };
        self.core.check(request)?;
        let create = |key: &K::Key| Self::create(key, device, outer, registry);
        let got = self.core.get_or_create(hash, key, request, create, share)?;
        if let Some(outer) = outer {
            outer.add_nested(got.ticks);
        }
        Ok(got)
    }

    /// [`get_or_create`](Self::get_or_create) in the background: it may wait for another thread's creation, or must not.
    pub(super) fn create_for_later(
        &self,
        key: &K::Key,
        hash: u64,
        device: Option<&D>,
        request: Request,
        may_wait: bool,
        registry: &mut dyn Any,
    ) -> Progress<K::CachedResource>
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        let request = Request { device: device.and_then(K::device_identity), ..request };
        if let Err(error) = self.core.check(request) {
            return Progress::Ended(Err(error));
        }
        let create = |key: &K::Key| Self::create(key, device, None, registry);
        self.core.create_for_later(hash, key, request, may_wait, create, share)
    }

    fn create(
        key: &K::Key,
        device: Option<&D>,
        outer: Option<&Frame<'_>>,
        registry: &mut dyn Any,
    ) -> Made<K::CachedResource, Error> {
        let frame = Frame::new::<K, K::Key>(key, outer);
        let made = K::create(key, &mut Creation::new(device, &frame, Some(registry)));
        let sized = made.map(|resource| {
            let resource = Foreign::new(resource);
            let bytes = K::resource_bytes(&resource);
            (resource.into_inner(), bytes)
        });
        Made { result: sized, course: frame.course() }
    }
}

/// Makes of a creation's error what its creator gets, what others may get, and what the log says.
fn share(error: Error, cache_key: Arc<str>) -> (Error, Option<Arc<Error>>, String) {
    let text = chain(&error);
    let error = Arc::new(error);
    (Error::creation(cache_key, Error::Shared(error.clone())), Some(error), text)
}

/// A shared cache of a forgotten type.
pub(super) trait ErasedShared: Any + Send + Sync {
    fn name(&self) -> &CacheName;
    fn owner(&self) -> &'static str;
    fn metrics(&self) -> CacheMetrics;
    fn eviction_policy(&self) -> EvictionPolicy;
    fn set_eviction_policy(&self, policy: EvictionPolicy);
    fn clear(&self);
    fn device_lost(&self, now: u64) -> Box<dyn FnOnce() + '_>;
    fn expire_idle(&self);
    fn next_generation(&self);
    fn connect(&self, sink: Option<SinkGuard>) -> Option<Arc<Reporter>>;
    fn announce(&self);
    fn set_gate(&self, gate: Option<Arc<dyn CreationGate>>);
}

impl Erased for dyn ErasedShared {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

macro_rules! delegate_to_core {
    ($owner:ty, $self:ident, $core:expr) => {
        fn name(&$self) -> &CacheName {
            $core.name()
        }
        fn owner(&$self) -> &'static str {
            type_name::<$owner>()
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
        fn clear(&$self) {
            $core.clear();
        }
        fn device_lost(&$self, now: u64) -> Box<dyn FnOnce() + '_> {
            Box::new($core.device_lost(now))
        }
        fn expire_idle(&$self) {
            $core.expire_idle();
        }
        fn next_generation(&$self) {
            $core.next_generation();
        }
        fn connect(&$self, sink: Option<SinkGuard>) -> Option<Arc<Reporter>> {
            $core.connect(sink)
        }
        fn announce(&$self) {
            $core.announce();
        }
        fn set_gate(&$self, gate: Option<Arc<dyn CreationGate>>) {
            $core.set_gate(gate);
        }
    };
}

impl<K, D> ErasedShared for SharedKernel<K, D>
where
    K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    D: 'static,
{
    delegate_to_core!(K, self, self.core);
}

impl<Key, R> ErasedShared for SharedCache<Key, R>
where
    Key: Clone + Send + Sync + 'static,
    R: Send + Sync + 'static,
{
    delegate_to_core!(Self, self, self.core());
}

impl<Key, R> ErasedShared for Pool<Key, R>
where
    Key: Send + 'static,
    R: Send + 'static,
{
    delegate_to_core!(Self, self, self.core());
}
