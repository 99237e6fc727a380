//! Softmax as a cached plan.

use crate::caching::{Registry, ResourceCache};
use crate::error::MetalError;
use crate::kernels::checks::{check_extents, check_finite, check_float};
use crate::kernels::{Operation, Planned, Runs, SeqKBucket};
use crate::tensor::{Dtype, MatrixMut, MatrixRef, Tensor};

/// Caches softmaxes by the bucket of the row length.
#[derive(Debug)]
pub struct SoftmaxKernel;

/// A softmax over rows of `seq_k` elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoftmaxParams {
    /// The length of a row: how many keys each query attends to.
    pub seq_k: usize,
    /// `true` if row `r` has only its first `past + r + 1` elements, the others becoming zero.
    pub causal: bool,
    /// The type of all elements.
    pub dtype: Dtype,
}

/// The bucket of the row length. The exact length and the number of rows are given with each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "portable", derive(serde::Serialize, serde::Deserialize))]
pub struct SoftmaxKey {
    /// The row lengths that share the plan.
    pub seq_k: SeqKBucket,
    /// `true` if later rows see more elements.
    pub causal: bool,
    /// The type of all elements.
    pub dtype: Dtype,
}

/// `batch` matrices of `rows` rows: `output[r][j] = exp(scale input[r][j]) / sum over l of exp(scale input[r][l])`.
#[derive(Debug)]
pub struct SoftmaxCall<'a, T> {
    /// The number of matrices.
    pub batch: usize,
    /// The rows of each.
    pub rows: usize,
    /// The length of a row, within the key's bucket.
    pub seq_k: usize,
    /// If causal, how many elements even a row before the first would have: `past + rows <= seq_k`. Otherwise without effect.
    pub past: usize,
    /// The factor of the input.
    pub scale: f32,
    /// `[rows, seq_k]`.
    pub input: MatrixRef<'a, T>,
    /// `[rows, seq_k]`.
    pub output: MatrixMut<'a, T>,
}

impl Operation for SoftmaxKernel {
    type Params = SoftmaxParams;
    type Key = SoftmaxKey;
    type Call<'a, T: Tensor> = SoftmaxCall<'a, T>;

    const NAME: &'static str = "softmax";

    fn key(&SoftmaxParams { seq_k, causal, dtype }: &SoftmaxParams) -> SoftmaxKey {
        SoftmaxKey { seq_k: SeqKBucket::of(seq_k), causal, dtype }
    }

    fn check_key(key: &SoftmaxKey) -> Result<(), MetalError> {
        check_extents("softmax", &[("the row length", key.seq_k.max())])?;
        check_float("softmax", key.dtype)
    }

    fn check_call<T: Tensor>(key: &SoftmaxKey, call: &SoftmaxCall<'_, T>) -> Result<(), MetalError> {
        let &SoftmaxCall { batch, rows, seq_k, past, scale, .. } = call;
        if !key.seq_k.holds(seq_k) {
            return Err(MetalError::invalid_params(format!(
                "softmax over rows of {seq_k}, where the plan is for 1 to {}",
                key.seq_k.max()
            )));
        }
        if key.causal && past.checked_add(rows).is_none_or(|seen| seen > seq_k) {
            return Err(MetalError::invalid_params(format!(
                "causal softmax of {rows} rows after {past}, over {seq_k} elements"
            )));
        }
        check_finite("softmax", "the scale", scale)?;
        call.input.check("the input", key.dtype, [batch, rows, seq_k])?;
        call.output.check("the output", key.dtype, [batch, rows, seq_k])
    }
}

impl<D: 'static, G: Registry<D>> ResourceCache<D, G> {
    /// The plan of a softmax over rows of this length.
    ///
    /// # Errors
    /// As [`get_or_create_gemm`](Self::get_or_create_gemm).
    #[track_caller]
    pub fn get_or_create_softmax(
        &mut self,
        params: &SoftmaxParams,
        device: Option<&D>,
    ) -> Result<&Planned<SoftmaxKernel, D>, MetalError>
    where
        D: Runs<SoftmaxKernel>,
    {
        self.registry.get_or_create::<SoftmaxKernel>(params, device)
    }
}
