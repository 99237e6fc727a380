//! Attention as a cached plan.

use super::key::{AttentionKey, AttentionParams};
use crate::caching::{Registry, ResourceCache};
use crate::error::MetalError;
use crate::kernels::checks::{check_extents, check_finite, check_float, check_rows};
use crate::kernels::{Operation, Planned, Runs};
use crate::tensor::{MatrixMut, MatrixRef, Tensor};

/// Caches attentions by the buckets of their lengths.
#[derive(Debug)]
pub struct ScaledDotProductAttentionKernel;

/// `batch` sequences. Position by position, all heads of a position side by side: a row of Q, and of the output, is
/// `[heads, head_dim]`, one of K and V `[kv_heads, head_dim]`. So the three may be columns of one tensor, and K and V may be
/// [KV caches](crate::kernels::kv_cache_write) with room to grow.
#[derive(Debug)]
pub struct AttentionCall<'a, T> {
    /// The number of sequences.
    pub batch: usize,
    /// The number of queries, within the key's bucket.
    pub seq_q: usize,
    /// The number of keys, within the key's bucket; if causal, no fewer than queries.
    pub seq_k: usize,
    /// The factor of the scores: usually `1 / sqrt(head_dim)`.
    pub scale: f32,
    /// `[seq_q, heads * head_dim]`.
    pub q: MatrixRef<'a, T>,
    /// `[seq_k, kv_heads * head_dim]`.
    pub k: MatrixRef<'a, T>,
    /// `[seq_k, kv_heads * head_dim]`.
    pub v: MatrixRef<'a, T>,
    /// `[seq_q, heads * head_dim]`.
    pub output: MatrixMut<'a, T>,
}

impl Operation for ScaledDotProductAttentionKernel {
    type Params = AttentionParams;
    type Key = AttentionKey;
    type Call<'a, T: Tensor> = AttentionCall<'a, T>;

    const NAME: &'static str = "scaled_dot_product_attention";

    fn key(params: &AttentionParams) -> AttentionKey {
        params.into()
    }

    fn check_key(key: &AttentionKey) -> Result<(), MetalError> {
        let (heads, head_dim) = (("heads", key.heads), ("head_dim", key.head_dim));
        let (seq_q, seq_k) = (("seq_q", key.seq_q.max()), ("seq_k", key.seq_k.max()));
        check_extents("attention", &[heads, seq_q, seq_k])?;
        check_extents("attention", &[heads, seq_q, head_dim])?;
        check_extents("attention", &[("kv_heads", key.kv_heads), seq_k, head_dim])?;
        if !key.heads.is_multiple_of(key.kv_heads) {
            return Err(MetalError::invalid_params(format!(
                "attention: {} heads cannot share {} heads of keys evenly",
                key.heads, key.kv_heads
            )));
        }
        check_float("attention", key.dtype)
    }

    fn check_call<T: Tensor>(key: &AttentionKey, call: &AttentionCall<'_, T>) -> Result<(), MetalError> {
        let &AttentionCall { batch, seq_q, seq_k, scale, .. } = call;
        check_rows("attention", key.seq_q, seq_q)?;
        if !key.seq_k.holds(seq_k) {
            return Err(MetalError::invalid_params(format!(
                "attention to {seq_k} keys, where the plan is for 1 to {}",
                key.seq_k.max()
            )));
        }
        if key.causal && seq_q > seq_k {
            return Err(MetalError::invalid_params(format!(
                "causal attention of {seq_q} queries to {seq_k} keys: the first query would see none"
            )));
        }
        check_finite("attention", "the scale", scale)?;
        let (queries, keys) = ([batch, seq_q, key.query_width()], [batch, seq_k, key.key_width()]);
        call.q.check("Q", key.dtype, queries)?;
        call.k.check("K", key.dtype, keys)?;
        call.v.check("V", key.dtype, keys)?;
        call.output.check("the output", key.dtype, queries)
    }
}

impl<D: 'static, G: Registry<D>> ResourceCache<D, G> {
    /// The plan of an attention of this shape.
    ///
    /// # Errors
    /// As [`get_or_create_gemm`](Self::get_or_create_gemm), and [`MetalError::InvalidParams`] if `kv_heads` does not divide
    /// `heads`.
    #[track_caller]
    pub fn get_or_create_scaled_dot_product_attention(
        &mut self,
        params: &AttentionParams,
        device: Option<&D>,
    ) -> Result<&Planned<ScaledDotProductAttentionKernel, D>, MetalError>
    where
        D: Runs<ScaledDotProductAttentionKernel>,
    {
        self.registry.get_or_create::<ScaledDotProductAttentionKernel>(params, device)
    }
}
