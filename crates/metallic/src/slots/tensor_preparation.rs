//! Tensors in the form that an operation wants them in.

use std::any::type_name;
use std::fmt;
use std::sync::Arc;

use metallic_instrumentation::CacheName;

use super::prepared_form::PreparedForm;
use super::tensor_version::{TensorId, TensorVersion};
use crate::caching::{
    CacheMetrics, CacheRegistrySlot, EvictionPolicy, KeyedCache, ResourceCache, SlotContext,
};
use crate::device::ComputeDevice;
use crate::error::MetalError;
use crate::tensor::Tensor;

/// Prepared forms of tensors, each made once for as long as its source does not change: weights that were uploaded, transposed
/// or packed.
///
/// It has the policies, the metrics and the events of every cache of this library, under the name `tensor_preparation`, and is
/// a slot of a registry. Its key is the tensor and the form; the version is checked against that of the entry:
///
/// | the entry's version | |
/// |---|---|
/// | is the one asked for | a hit |
/// | is older | the entry is removed (cause `stale`), and the form is prepared anew: a miss |
/// | is newer | [`MetalError::OutdatedTensor`]: whoever asks holds what the tensor was before. Nothing changes |
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
    cache: KeyedCache<PreparedTensor, Prepared<T>>,
    stale_removals: u64,
    /// The identity of the device that the tensors are on, as far as it was named.
    made_on: Option<u64>,
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
    /// The tensor `source` in this form: from the cache, or else made by `prepare` and inserted. The handle is good for as
    /// long as it is kept, whatever becomes of the entry.
    ///
    /// `prepare` must make the same of the same version of a source whenever it is called. It cannot reach the registry that
    /// this cache is in: what it needs from there must be obtained before.
    ///
    /// # Errors
    /// The error of `prepare`: nothing was inserted then, the miss is counted, and what left to make room stays gone, as does an
    /// entry of an older version. [`MetalError::OutdatedTensor`] if the entry is of a newer version, and
    /// [`MetalError::DuplicateCacheName`] if a kernel of the registry had the name before: nothing happened then.
    ///
    /// # Panics
    /// If `prepare` does: nothing was inserted then, and the miss is counted. If the `Drop` of a tensor does that leaves: it
    /// has left. The cache can be used as before.
    #[inline]
    pub fn get_or_prepare(
        &mut self,
        source: TensorVersion,
        form: PreparedForm,
        prepare: impl FnOnce() -> Result<T, MetalError>,
    ) -> Result<Arc<T>, MetalError> {
        let TensorVersion { id, version } = source;
        let Self { cache, stale_removals, .. } = self;
        let is_current = |prepared: &Prepared<T>| {
            if prepared.version == version {
                return Ok(true);
            }
            if prepared.version > version {
                return Err(MetalError::OutdatedTensor {
                    tensor: id.number(),
                    version,
                    latest: prepared.version,
                });
            }
            *stale_removals += 1;
            Ok(false)
        };
        let make = || {
            let tensor = Arc::new(prepare()?);
            let bytes = tensor.bytes();
            Ok((Prepared { version, tensor }, bytes))
        };
        let key = PreparedTensor { tensor: id, form };
        let prepared = cache.get_or_create_current(key, type_name::<Self>(), is_current, make)?;
        Ok(Arc::clone(&prepared.tensor))
    }

    /// The tensor in this form, if it is there in this version. This is no operation of the cache: it counts nothing, makes
    /// nothing leave, and is no use of the entry.
    pub fn peek(&self, source: TensorVersion, form: PreparedForm) -> Option<&Arc<T>> {
        let prepared = self.cache.peek(&PreparedTensor { tensor: source.id, form })?;
        (prepared.version == source.version).then_some(&prepared.tensor)
    }

    /// Takes out one form of a tensor, in whatever version it is there.
    pub fn remove(&mut self, tensor: TensorId, form: PreparedForm) -> Option<Arc<T>> {
        self.cache.remove(&PreparedTensor { tensor, form }).map(|prepared| prepared.tensor)
    }

    /// Takes out all forms of a tensor, as when a model is unloaded, and says how many there were. O(n) in all entries.
    pub fn forget(&mut self, tensor: TensorId) -> usize {
        self.cache.retain(|key, _| key.tensor != tensor)
    }

    /// Removes all entries. Counters and policy stay.
    pub fn clear(&mut self) {
        self.cache.clear();
    }

    /// Changes the policy: see [`KeyedCache::set_eviction_policy`]. To begin with it is [`EvictionPolicy::none`].
    pub fn set_eviction_policy(&mut self, policy: EvictionPolicy) {
        self.cache.set_eviction_policy(policy);
    }

    /// The policy in force.
    pub fn eviction_policy(&self) -> EvictionPolicy {
        self.cache.eviction_policy()
    }

    /// A snapshot of the counters. `bytes` is what the entries hold; entries
    /// that were outdated are among the `removals`. O(n).
    pub fn metrics(&self) -> CacheMetrics {
        self.cache.metrics()
    }

    /// Entries that left because their source had changed.
    pub fn stale_removals(&self) -> u64 {
        self.stale_removals
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.cache.len()
    }

    /// Returns `true` if there are no entries.
    pub fn is_empty(&self) -> bool {
        self.cache.is_empty()
    }

    /// Notes the device that is asked for, if it has an identity.
    ///
    /// # Errors
    /// [`MetalError::AnotherDevice`] if there are tensors of another one.
    fn check_device(&mut self, asked_for: Option<u64>) -> Result<(), MetalError> {
        match asked_for.zip(self.made_on) {
            Some((asked_for, made_on)) if asked_for != made_on && !self.is_empty() => {
                Err(MetalError::AnotherDevice { cache: CacheName::from_static(NAME), made_on, asked_for })
            }
            _ => {
                self.made_on = asked_for.or(self.made_on);
                Ok(())
            }
        }
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

    fn expire_idle(&mut self) {
        self.cache.expire_idle();
    }

    fn next_generation(&mut self) {
        self.cache.next_generation();
    }

    fn cache_name(&self) -> Option<&'static str> {
        self.cache.listed_name(NAME)
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
        Self { cache: KeyedCache::in_slot(NAME), stale_removals: 0, made_on: None }
    }
}

impl<T: Tensor> fmt::Debug for TensorPreparationCache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cache.fmt(f)
    }
}

impl<D: ComputeDevice> ResourceCache<D> {
    /// The prepared tensors in the registry's slot, for policies, metrics and preparations that need no device.
    pub fn tensor_preparation(&mut self) -> &mut TensorPreparationCache<D::Tensor> {
        self.registry.slot_mut(TensorPreparationCache::default)
    }

    /// The tensor `source` in this form, prepared by a function that is given the device; `None` means the registry's own.
    ///
    /// # Errors
    /// As [`TensorPreparationCache::get_or_prepare`]; [`MetalError::AnotherDevice`] if the slot has tensors of another device;
    /// [`MetalError::DeviceNotAvailable`], as the source of a [`MetalError::Creation`], if it has to be prepared, and neither the
    /// caller nor the registry has a device.
    pub fn get_or_prepare(
        &mut self,
        source: TensorVersion,
        form: PreparedForm,
        device: Option<&D>,
        prepare: impl FnOnce(&D) -> Result<D::Tensor, MetalError>,
    ) -> Result<Arc<D::Tensor>, MetalError> {
        let (cache, own) = self.registry.slot_and_device(TensorPreparationCache::default);
        let device = device.or(own);
        cache.check_device(device.and_then(ComputeDevice::identity))?;
        cache.get_or_prepare(source, form, || prepare(device.ok_or(MetalError::DeviceNotAvailable)?))
    }
}
