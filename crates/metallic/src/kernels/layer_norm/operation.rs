//! Layer normalisation as a cached plan.

use crate::caching::{Registry, ResourceCache};
use crate::error::MetalError;
use crate::kernels::checks::{check_extents, check_float};
use crate::kernels::{Operation, Planned, Runs};
use crate::tensor::{Dtype, MatrixMut, MatrixRef, Tensor, check_tensor};

/// Caches layer normalisations by the width of a row.
#[derive(Debug)]
pub struct LayerNormKernel;

/// A normalisation of rows of `width` elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerNormParams {
    /// The length of a row.
    pub width: usize,
    /// The type of all elements.
    pub dtype: Dtype,
}

/// The width, as it is: a model has one or two. Any number of rows shares a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "portable", derive(serde::Serialize, serde::Deserialize))]
pub struct LayerNormKey {
    /// The length of a row.
    pub width: usize,
    /// The type of all elements.
    pub dtype: Dtype,
}

/// `output[r] = gamma (input[r] - mean) / sqrt(variance + epsilon) + beta`, with the mean and the (biased) variance of row `r`.
#[derive(Debug)]
pub struct LayerNormCall<'a, T> {
    /// The number of rows.
    pub rows: usize,
    /// The number added to the variance; above 0.
    pub epsilon: f32,
    /// `[rows, width]`.
    pub input: MatrixRef<'a, T>,
    /// `[width]`.
    pub gamma: &'a T,
    /// `[width]`.
    pub beta: &'a T,
    /// `[rows, width]`.
    pub output: MatrixMut<'a, T>,
}

impl Operation for LayerNormKernel {
    type Params = LayerNormParams;
    type Key = LayerNormKey;
    type Call<'a, T: Tensor> = LayerNormCall<'a, T>;

    const NAME: &'static str = "layer_norm";

    fn key(&LayerNormParams { width, dtype }: &LayerNormParams) -> LayerNormKey {
        LayerNormKey { width, dtype }
    }

    fn check_key(key: &LayerNormKey) -> Result<(), MetalError> {
        check_extents("layer norm", &[("the width", key.width)])?;
        check_float("layer norm", key.dtype)
    }

    fn check_call<T: Tensor>(key: &LayerNormKey, call: &LayerNormCall<'_, T>) -> Result<(), MetalError> {
        let &LayerNormKey { width, dtype } = key;
        if !(call.epsilon > 0.0 && call.epsilon.is_finite()) {
            return Err(MetalError::invalid_params(format!("layer norm: epsilon is {}", call.epsilon)));
        }
        check_tensor("gamma", call.gamma, dtype, width)?;
        check_tensor("beta", call.beta, dtype, width)?;
        call.input.check("the input", dtype, [1, call.rows, width])?;
        call.output.check("the output", dtype, [1, call.rows, width])
    }
}

impl<D: 'static, G: Registry<D>> ResourceCache<D, G> {
    /// The plan of a normalisation of rows of this width.
    ///
    /// # Errors
    /// As [`get_or_create_gemm`](Self::get_or_create_gemm).
    #[track_caller]
    pub fn get_or_create_layer_norm(
        &mut self,
        params: &LayerNormParams,
        device: Option<&D>,
    ) -> Result<&Planned<LayerNormKernel, D>, MetalError>
    where
        D: Runs<LayerNormKernel>,
    {
        self.registry.get_or_create::<LayerNormKernel>(params, device)
    }
}
