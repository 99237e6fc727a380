//! Writes into a KV cache as a cached plan.

use crate::caching::{Registry, ResourceCache};
use crate::error::MetalError;
use crate::kernels::checks::{check_extents, check_float};
use crate::kernels::{Operation, Planned, Runs};
use crate::tensor::{Dtype, MatrixLayout, MatrixRef, Tensor};

/// Caches writes into a KV cache by the width of a position.
#[derive(Debug)]
pub struct KvCacheWriteKernel;

/// A write of positions of `width` elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvCacheWriteParams {
    /// The elements of all heads of one key or value.
    pub width: usize,
    /// The type of all elements.
    pub dtype: Dtype,
}

/// The width, as it is. Any number of positions shares a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "portable", derive(serde::Serialize, serde::Deserialize))]
pub struct KvCacheWriteKey {
    /// The elements of all heads of one key or value.
    pub width: usize,
    /// The type of all elements.
    pub dtype: Dtype,
}

/// For each of `batch` sequences, copies `positions` rows of K and of V to the rows from `position` on.
#[derive(Debug)]
pub struct KvCacheWriteCall<'a, T> {
    /// The number of sequences.
    pub batch: usize,
    /// How many positions are written to each.
    pub positions: usize,
    /// The first position that is written.
    pub position: usize,
    /// How many positions each sequence has room for.
    pub capacity: usize,
    /// `[positions, width]`.
    pub k: MatrixRef<'a, T>,
    /// `[positions, width]`.
    pub v: MatrixRef<'a, T>,
    /// `[batch, capacity, width]`, dense.
    pub keys: &'a mut T,
    /// `[batch, capacity, width]`, dense.
    pub values: &'a mut T,
}

impl Operation for KvCacheWriteKernel {
    type Params = KvCacheWriteParams;
    type Key = KvCacheWriteKey;
    type Call<'a, T: Tensor> = KvCacheWriteCall<'a, T>;

    const NAME: &'static str = "kv_cache_write";

    fn key(&KvCacheWriteParams { width, dtype }: &KvCacheWriteParams) -> KvCacheWriteKey {
        KvCacheWriteKey { width, dtype }
    }

    fn check_key(key: &KvCacheWriteKey) -> Result<(), MetalError> {
        check_extents("KV cache write", &[("the width", key.width)])?;
        check_float("KV cache write", key.dtype)
    }

    fn check_call<T: Tensor>(
        key: &KvCacheWriteKey,
        call: &KvCacheWriteCall<'_, T>,
    ) -> Result<(), MetalError> {
        let &KvCacheWriteCall { batch, positions, position, capacity, .. } = call;
        if position.checked_add(positions).is_none_or(|end| end > capacity) {
            return Err(MetalError::invalid_params(format!(
                "KV cache write: {positions} positions from {position} on, where there is room for {capacity}"
            )));
        }
        call.k.check("K", key.dtype, [batch, positions, key.width])?;
        call.v.check("V", key.dtype, [batch, positions, key.width])?;
        let layout = MatrixLayout::dense(capacity, key.width);
        for (name, tensor) in [("the keys", &*call.keys), ("the values", &*call.values)] {
            MatrixRef { tensor, layout }.check(name, key.dtype, [batch, capacity, key.width])?;
        }
        Ok(())
    }
}

impl<D: 'static, G: Registry<D>> ResourceCache<D, G> {
    /// The plan of a write of positions of this width.
    ///
    /// # Errors
    /// As [`get_or_create_gemm`](Self::get_or_create_gemm).
    #[track_caller]
    pub fn get_or_create_kv_cache_write(
        &mut self,
        params: &KvCacheWriteParams,
        device: Option<&D>,
    ) -> Result<&Planned<KvCacheWriteKernel, D>, MetalError>
    where
        D: Runs<KvCacheWriteKernel>,
    {
        self.registry.get_or_create::<KvCacheWriteKernel>(params, device)
    }
}
