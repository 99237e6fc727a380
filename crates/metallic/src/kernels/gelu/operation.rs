//! GELU as a cached plan.

use crate::caching::{Registry, ResourceCache};
use crate::error::MetalError;
use crate::kernels::checks::check_float;
use crate::kernels::{Operation, Planned, Runs};
use crate::tensor::{Dtype, Tensor, check_tensor};

/// Caches GELUs by their form.
#[derive(Debug)]
pub struct GeluKernel;

/// Which of the two functions of this name: [Hendrycks and Gimpel, 2016](https://arxiv.org/abs/1606.08415).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "portable", derive(serde::Serialize, serde::Deserialize))]
pub enum GeluApproximation {
    /// `x / 2 (1 + erf(x / sqrt(2)))`: BERT's.
    None,
    /// `x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`: GPT-2's.
    Tanh,
}

/// A GELU of any number of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeluParams {
    /// The form.
    pub approximation: GeluApproximation,
    /// The type of all elements.
    pub dtype: Dtype,
}

/// Form and type. Any number of elements shares a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "portable", derive(serde::Serialize, serde::Deserialize))]
pub struct GeluKey {
    /// The form.
    pub approximation: GeluApproximation,
    /// The type of all elements.
    pub dtype: Dtype,
}

/// `output[i] = gelu(input[i])`.
#[derive(Debug)]
pub struct GeluCall<'a, T> {
    /// The number of elements.
    pub elements: usize,
    /// `[elements]`.
    pub input: &'a T,
    /// `[elements]`.
    pub output: &'a mut T,
}

impl Operation for GeluKernel {
    type Params = GeluParams;
    type Key = GeluKey;
    type Call<'a, T: Tensor> = GeluCall<'a, T>;

    const NAME: &'static str = "gelu";

    fn key(&GeluParams { approximation, dtype }: &GeluParams) -> GeluKey {
        GeluKey { approximation, dtype }
    }

    fn check_key(key: &GeluKey) -> Result<(), MetalError> {
        check_float("gelu", key.dtype)
    }

    fn check_call<T: Tensor>(key: &GeluKey, call: &GeluCall<'_, T>) -> Result<(), MetalError> {
        check_tensor("the input", call.input, key.dtype, call.elements)?;
        check_tensor("the output", call.output, key.dtype, call.elements)
    }
}

impl<D: 'static, G: Registry<D>> ResourceCache<D, G> {
    /// The plan of a GELU of this form.
    ///
    /// # Errors
    /// As [`get_or_create_gemm`](Self::get_or_create_gemm).
    #[track_caller]
    pub fn get_or_create_gelu(
        &mut self,
        params: &GeluParams,
        device: Option<&D>,
    ) -> Result<&Planned<GeluKernel, D>, MetalError>
    where
        D: Runs<GeluKernel>,
    {
        self.registry.get_or_create::<GeluKernel>(params, device)
    }
}
