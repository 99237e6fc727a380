//! The two halves of an operation: what it is, and how a device runs it.

use std::fmt::{self, Debug};
use std::hash::Hash;

use crate::caching::{CacheableKernel, Composition};
use crate::device::ComputeDevice;
use crate::error::MetalError;
use crate::tensor::Tensor;

/// The half of an operation that knows no device: what its plans are keyed by, what a call consists of, and which calls are
/// wrong. It is a [`CacheableKernel`] on every device that [`Runs`] it, whose `CACHE_NAME` is [`NAME`](Self::NAME).
pub trait Operation: 'static {
    /// The input of a look-up.
    type Params;
    /// The identity of a plan. What varies between calls of one plan is in [`Call`](Self::Call).
    type Key: Clone + Debug + Eq + Hash + Send + Sync + 'static;
    /// The operands and the run-time arguments of one call.
    type Call<'a, T: Tensor>;

    /// The name of the operation, and of its cache.
    const NAME: &'static str;

    /// The version of the key's meaning: see `PortableKernel::SCHEMA`, of the feature `portable`.
    const SCHEMA: u32 = 1;

    /// The key of the plans that serve these parameters. Called once per look-up, so it should neither allocate nor do any work to
    /// speak of.
    fn key(params: &Self::Params) -> Self::Key;

    /// Checks that the key describes a valid operation. Called before any device sees it.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if the key describes no operation.
    fn check_key(key: &Self::Key) -> Result<(), MetalError>;

    /// Checks that a plan with this key can serve this call. Called before any device sees it.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if a shape lies outside the key's bucket, or an operand is too small or of another type.
    fn check_call<T: Tensor>(key: &Self::Key, call: &Self::Call<'_, T>) -> Result<(), MetalError>;
}

/// The half of an operation that is a device's own: makes plans and runs them.
pub trait Runs<O: Operation>: ComputeDevice {
    /// The object to keep: a pipeline, a graph, a choice of algorithm. Threads share it.
    type Plan: Clone + Send + Sync + 'static;

    /// Makes a plan. It depends on the key alone, which [`Operation::check_key`] has passed.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if this device cannot do it; [`MetalError::Device`] if it fails.
    fn plan(&self, key: &O::Key) -> Result<Self::Plan, MetalError>;

    /// Runs a call that [`Operation::check_call`] has passed.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if the call exceeds a limit of this device; [`MetalError::Device`] if it fails.
    fn run(&self, plan: &Self::Plan, key: &O::Key, call: O::Call<'_, Self::Tensor>)
    -> Result<(), MetalError>;

    /// The device memory that a plan holds, in bytes.
    fn plan_bytes(_plan: &Self::Plan) -> u64 {
        0
    }

    /// The parts that a plan is made of, if the device can say: see [`CacheableKernel::composition`].
    fn plan_composition(_plan: &Self::Plan) -> Option<Composition> {
        None
    }
}

/// A plan of operation `O` on device `D`: what a registry keeps.
pub struct Planned<O: Operation, D: Runs<O>> {
    key: O::Key,
    plan: D::Plan,
}

impl<O: Operation, D: Runs<O>> Planned<O, D> {
    /// The key this plan was created for.
    pub fn key(&self) -> &O::Key {
        &self.key
    }

    /// The device's own part.
    pub fn plan(&self) -> &D::Plan {
        &self.plan
    }

    /// Runs it on the device it was made on.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if the operands do not fit the plan or each other, or the call exceeds a limit of the device:
    /// nothing was done then. [`MetalError::Device`] if the device fails.
    pub fn run(&self, device: &D, call: O::Call<'_, D::Tensor>) -> Result<(), MetalError> {
        O::check_call(&self.key, &call)?;
        device.run(&self.plan, &self.key, call)
    }
}

impl<O: Operation, D: Runs<O>> Clone for Planned<O, D> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), plan: self.plan.clone() }
    }
}

impl<O: Operation, D: Runs<O>> Debug for Planned<O, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Planned").field("key", &self.key).finish_non_exhaustive()
    }
}

impl<O: Operation, D: Runs<O>> CacheableKernel<D> for O {
    type Key = O::Key;
    type CachedResource = Planned<O, D>;
    type Params = O::Params;

    const CACHE_NAME: &'static str = O::NAME;

    fn create_cache_key(params: &Self::Params) -> Self::Key {
        O::key(params)
    }

    fn create_cached_resource(
        key: &Self::Key,
        device: Option<&D>,
    ) -> Result<Self::CachedResource, MetalError> {
        O::check_key(key)?;
        let plan = device.ok_or(MetalError::DeviceNotAvailable)?.plan(key)?;
        Ok(Planned { key: key.clone(), plan })
    }

    fn resource_bytes(resource: &Self::CachedResource) -> u64 {
        D::plan_bytes(&resource.plan)
    }

    fn composition(resource: &Self::CachedResource) -> Option<Composition> {
        D::plan_composition(&resource.plan)
    }

    fn device_identity(device: &D) -> Option<u64> {
        device.identity()
    }
}
