//! Sums as cached plans.

use crate::caching::{Registry, ResourceCache};
use crate::error::MetalError;
use crate::kernels::checks::check_float;
use crate::kernels::{Operation, Planned, Runs};
use crate::tensor::{Dtype, Tensor, check_tensor};

/// Caches sums by their type.
#[derive(Debug)]
pub struct AddKernel;

/// A sum of any number of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddParams {
    /// The type of all elements.
    pub dtype: Dtype,
}

/// The type. Any number of elements shares a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "portable", derive(serde::Serialize, serde::Deserialize))]
pub struct AddKey {
    /// The type of all elements.
    pub dtype: Dtype,
}

/// `output[i] = a[i] + b[i mod period]`: with a period of one row, `b` is added to every row.
#[derive(Debug)]
pub struct AddCall<'a, T> {
    /// The number of elements.
    pub elements: usize,
    /// After how many elements `b` begins anew; above 0.
    pub period: usize,
    /// `[elements]`.
    pub a: &'a T,
    /// `[min(period, elements)]`.
    pub b: &'a T,
    /// `[elements]`.
    pub output: &'a mut T,
}

impl Operation for AddKernel {
    type Params = AddParams;
    type Key = AddKey;
    type Call<'a, T: Tensor> = AddCall<'a, T>;

    const NAME: &'static str = "add";

    fn key(&AddParams { dtype }: &AddParams) -> AddKey {
        AddKey { dtype }
    }

    fn check_key(key: &AddKey) -> Result<(), MetalError> {
        check_float("add", key.dtype)
    }

    fn check_call<T: Tensor>(key: &AddKey, call: &AddCall<'_, T>) -> Result<(), MetalError> {
        if call.period == 0 {
            return Err(MetalError::invalid_params("add: the period is 0"));
        }
        check_tensor("a", call.a, key.dtype, call.elements)?;
        check_tensor("b", call.b, key.dtype, call.period.min(call.elements))?;
        check_tensor("the output", call.output, key.dtype, call.elements)
    }
}

impl<D: 'static, G: Registry<D>> ResourceCache<D, G> {
    /// The plan of a sum of this type.
    ///
    /// # Errors
    /// As [`get_or_create_gemm`](Self::get_or_create_gemm).
    #[track_caller]
    pub fn get_or_create_add(
        &mut self,
        params: &AddParams,
        device: Option<&D>,
    ) -> Result<&Planned<AddKernel, D>, MetalError>
    where
        D: Runs<AddKernel>,
    {
        self.registry.get_or_create::<AddKernel>(params, device)
    }
}
