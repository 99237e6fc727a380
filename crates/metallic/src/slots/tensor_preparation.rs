//! Tensors in the form that an operation wants them in.

use std::any::type_name;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use super::prepared_form::PreparedForm;
use super::tensor_version::{TensorId, TensorVersion};
use crate::caching::{
    CacheMetrics, CacheRegistrySlot, EitherRegistry, EvictionPolicy, JudgedCache, Registry, Request,
    ResourceCache, SharedRegistry, SlotContext, drop_first,
};
use crate::device::ComputeDevice;
use crate::error::MetalError;
use crate::tensor::Tensor;

/// Prepared forms of tensors, each made once for as long as its source does not change: weights that were uploaded, transposed
/// or packed.
///
/// It has the policies, the metrics and the events of every cache of this library, under the name `tensor_preparation`, and is
/// a slot of a registry. In a [`CacheRegistry`](crate::caching::CacheRegistry) it is one thread's; a clone is a view for another
/// thread of the same tensors, and in a [`SharedRegistry`](crate::caching::SharedRegistry) there is one for all threads. Each form
/// is prepared by one thread then, while others that ask for it wait; hits of a view take no lock, and their order is known to the
/// others to a millisecond. Its key is the tensor and the form; the version is checked against that of the entry:
///
/// | the entry's version | |
/// |---|---|
/// | is the one asked for | a hit |
/// | is older | the entry is removed (cause `stale`), and the form is prepared anew: a miss |
/// | is newer | [`MetalError::OutdatedTensor`]: the caller holds what the tensor was before. Nothing changes |
///
/// ```
/// use metallic::caching::CacheRegistry;
/// use metallic::slots::{PreparedForm, TensorPreparationCache, Versioned};
/// use metallic::{Dtype, error::MetalError, tensor::Tensor};
///
/// struct Values(Vec<f32>);
/// # impl Tensor for Values {
/// #     fn dtype(&self) -> Dtype { Dtype::F32 }
/// #     fn elements(&self) -> usize { self.0.len() }
/// # }
///
/// # fn main() -> Result<(), MetalError> {
/// let mut registry = CacheRegistry::new();
/// let mut weights = Versioned::new([1.0, 2.0, 3.0, 4.0]); // two rows, two columns
/// for _ in 0..10 {
///     let prepared = registry.slot_mut(TensorPreparationCache::default).get_or_prepare(
///         weights.version(),
///         PreparedForm::transposed(Dtype::F32),
///         || {
///             let [a, b, c, d] = *weights.get();
///             Ok(Values(vec![a, c, b, d]))
///         },
///     )?;
///     assert_eq!(prepared.0, [1.0, 3.0, 2.0, 4.0]);
/// }
/// let metrics = registry.slot::<TensorPreparationCache<Values>>().map(TensorPreparationCache::metrics);
/// assert_eq!(metrics.map(|metrics| (metrics.misses, metrics.bytes)), Some((1, 16)));
/// weights.get_mut()[0] = 5.0; // the next look-up prepares it anew
/// # Ok(())
/// # }
/// ```
pub struct TensorPreparationCache<T: Tensor> {
    cache: JudgedCache<PreparedTensor, Prepared<T>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct PreparedTensor {
    tensor: TensorId,
    form: PreparedForm,
}

struct Prepared<T> {
    version: u64,
    tensor: Arc<T>,
}

const NAME: &str = "tensor_preparation";

impl<T: Tensor> TensorPreparationCache<T> {
    /// The tensor `source` in this form: from the cache, or else made by `prepare` and inserted, while others that ask for it
    /// wait. The handle is good for as long as it is kept, whatever becomes of the entry.
    ///
    /// `prepare` must make the same of the same version of a source whenever it is called. It cannot reach the registry that
    /// this cache is in: what it needs from there must be obtained before.
    ///
    /// # Errors
    /// The error of `prepare`, as the source of a [`MetalError::Creation`] and to its caller alone, since those that waited call
    /// their own: nothing was inserted then, the miss is counted, and what was evicted to make room stays gone, as does an entry
    /// of an older version. [`MetalError::OutdatedTensor`] if the entry is of a newer version, and
    /// [`MetalError::DuplicateCacheName`] if a kernel of the registry had the name before: nothing happened then.
    ///
    /// # Panics
    /// If `prepare` does: nothing was inserted then, and the miss is counted. If the `Drop` of a tensor does that is removed: it
    /// has left. The cache can be used as before.
    #[inline]
    #[track_caller]
    pub fn get_or_prepare(
        &mut self,
        source: TensorVersion,
        form: PreparedForm,
        prepare: impl FnOnce() -> Result<T, MetalError>,
    ) -> Result<Arc<T>, MetalError> {
        let request = self.cache.request().by(Location::caller());
        self.get_or_prepare_as(source, form, request, prepare)
    }

    #[inline]
    fn get_or_prepare_as(
        &mut self,
        source: TensorVersion,
        form: PreparedForm,
        request: Request,
        prepare: impl FnOnce() -> Result<T, MetalError>,
    ) -> Result<Arc<T>, MetalError> {
        let TensorVersion { id, version } = source;
        let is_current = |prepared: &Prepared<T>| match prepared.version {
            latest if latest > version => {
                Err(MetalError::OutdatedTensor { tensor: id.number(), version, latest })
            }
            prepared => Ok(prepared == version),
        };
        let make = || {
            let tensor = Arc::new(prepare()?);
            let bytes = tensor.bytes();
            Ok((Prepared { version, tensor }, bytes))
        };
        let key = PreparedTensor { tensor: id, form };
        let prepared = self.cache.get_or_create(&key, type_name::<Self>(), request, is_current, make)?;
        Ok(prepared.tensor)
    }

    /// The tensor in this form, if it is there in this version. Does not count as a hit, does not affect recency, and evicts
    /// nothing.
    pub fn peek(&self, source: TensorVersion, form: PreparedForm) -> Option<Arc<T>> {
        let prepared = self.cache.peek(&PreparedTensor { tensor: source.id, form })?;
        (prepared.version == source.version).then_some(prepared.tensor)
    }

    /// Removes one form of a tensor, in whatever version it is there, and returns it.
    pub fn remove(&mut self, tensor: TensorId, form: PreparedForm) -> Option<Arc<T>> {
        self.cache.remove(&PreparedTensor { tensor, form }).map(|prepared| prepared.tensor)
    }

    /// Removes all forms of a tensor, as when a model is unloaded, and returns how many there were. O(n) in all entries.
    pub fn forget(&mut self, tensor: TensorId) -> usize {
        self.cache.remove_where(|key, _| key.tensor == tensor)
    }

    /// Removes all entries, for all threads. Counters and policy stay.
    pub fn clear(&mut self) {
        self.cache.clear();
    }

    /// Changes the policy from the next operation on. To begin with it is [`EvictionPolicy::none`].
    pub fn set_eviction_policy(&mut self, policy: EvictionPolicy) {
        self.cache.set_eviction_policy(policy);
    }

    /// The policy in force.
    pub fn eviction_policy(&self) -> EvictionPolicy {
        self.cache.eviction_policy()
    }

    /// A snapshot of the counters, those of all threads. `bytes` is what the entries hold; entries that were outdated are among
    /// the `removals`. O(n).
    pub fn metrics(&self) -> CacheMetrics {
        self.cache.metrics()
    }

    /// The number of entries that were removed because their source had changed.
    pub fn stale_removals(&self) -> u64 {
        self.cache.outdated()
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.cache.len()
    }

    /// Returns `true` if there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Panics if the structures of this cache disagree with each other. O(n), for tests.
    #[doc(hidden)]
    pub fn validate(&self) {
        self.cache.validate();
    }
}

impl<T: Tensor> CacheRegistrySlot for TensorPreparationCache<T> {
    fn clear_slot(&mut self) {
        self.clear();
    }

    fn connect(&mut self, context: &SlotContext) {
        self.cache.connect(context);
    }

    fn park(&mut self) {
        self.cache.park();
    }

    fn expire_idle(&mut self) {
        self.cache.expire_idle();
    }

    fn next_generation(&mut self) {
        self.cache.next_generation();
    }

    fn cache_name(&self) -> Option<&'static str> {
        self.cache.has_its_name().then_some(NAME)
    }

    fn cache_metrics(&self) -> Option<CacheMetrics> {
        Some(self.metrics())
    }

    fn cache_policy(&self) -> Option<EvictionPolicy> {
        Some(self.eviction_policy())
    }

    fn set_cache_policy(&mut self, policy: EvictionPolicy) -> bool {
        self.set_eviction_policy(policy);
        true
    }
}

impl<T: Tensor> Default for TensorPreparationCache<T> {
    fn default() -> Self {
        Self { cache: JudgedCache::new(NAME) }
    }
}

/// A view for another thread.
impl<T: Tensor> Clone for TensorPreparationCache<T> {
    fn clone(&self) -> Self {
        Self { cache: self.cache.clone() }
    }
}

impl<T> Clone for Prepared<T> {
    fn clone(&self) -> Self {
        Self { version: self.version, tensor: self.tensor.clone() }
    }
}

impl<T: Tensor> fmt::Debug for TensorPreparationCache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cache.fmt(f)
    }
}

impl<D: 'static> SharedRegistry<D> {
    /// One thread's view of the prepared tensors that all threads share.
    ///
    /// # Errors
    /// [`MetalError::DuplicateCacheName`] if another cache of the registry has the name, such as that of another type of tensors.
    pub fn tensor_preparation<T>(&self) -> Result<TensorPreparationCache<T>, MetalError>
    where
        T: Tensor + Send + Sync,
    {
        let cache = self.judged_cache(NAME, type_name::<TensorPreparationCache<T>>())?;
        Ok(TensorPreparationCache { cache })
    }
}

impl<D: ComputeDevice, G: Registry<D>> ResourceCache<D, G> {
    /// The prepared tensors in the registry's slot, or those that all threads share, for policies, metrics and preparations that
    /// need no device.
    ///
    /// # Errors
    /// As [`SharedRegistry::tensor_preparation`].
    pub fn tensor_preparation(&mut self) -> Result<&mut TensorPreparationCache<D::Tensor>, MetalError> {
        match self.registry.either() {
            EitherRegistry::Own(registry) => Ok(registry.slot_mut(TensorPreparationCache::default)),
            EitherRegistry::Local(registry) => registry.view_mut(SharedRegistry::tensor_preparation),
        }
    }

    /// The tensor `source` in this form, prepared by a function that is given the device; `None` means the registry's own.
    ///
    /// # Errors
    /// As [`TensorPreparationCache::get_or_prepare`] and [`tensor_preparation`](Self::tensor_preparation);
    /// [`MetalError::AnotherDevice`] if there are tensors of another device; [`MetalError::DeviceNotAvailable`], as the source of
    /// a [`MetalError::Creation`], if it has to be prepared, and neither the caller nor the registry has a device.
    #[track_caller]
    pub fn get_or_prepare(
        &mut self,
        source: TensorVersion,
        form: PreparedForm,
        device: Option<&D>,
        prepare: impl FnOnce(&D) -> Result<D::Tensor, MetalError>,
    ) -> Result<Arc<D::Tensor>, MetalError> {
        let caller = Location::caller();
        let mut shared = None;
        let (cache, request, device) = match self.registry.either() {
            EitherRegistry::Own(registry) => {
                let (cache, own) = registry.slot_and_device(TensorPreparationCache::default);
                let request = cache.cache.request().by(caller);
                (cache, request, device.or(own))
            }
            EitherRegistry::Local(registry) => {
                let view = SharedRegistry::tensor_preparation::<D::Tensor>;
                let request = registry.view_mut(view)?.cache.request().by(caller);
                shared = if device.is_none() { registry.shared().device() } else { None };
                (registry.view_mut(view)?, request, device.or(shared.as_deref()))
            }
        };
        let request = request.on(device.and_then(ComputeDevice::identity));
        let prepared = cache.get_or_prepare_as(source, form, request, || {
            prepare(device.ok_or(MetalError::DeviceNotAvailable)?)
        });
        // It may be the last of its device, if that was lost meanwhile.
        drop_first(shared, prepared)
    }
}
