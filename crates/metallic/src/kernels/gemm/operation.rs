//! Matrix products as cached plans.

use super::key::{GemmKey, GemmParams};
use crate::caching::{Registry, ResourceCache};
use crate::error::MetalError;
use crate::kernels::checks::{check_extents, check_finite, check_float, check_rows};
use crate::kernels::{Operation, Planned, Runs};
use crate::tensor::{MatrixMut, MatrixRef, Tensor, check_tensor};

/// Caches matrix products by the bucket of their rows.
#[derive(Debug)]
pub struct GemmKernel;

/// `batch` products: `C[b] = alpha op(A[b]) op(B[b]) + beta C[b] + bias`.
#[derive(Debug)]
pub struct GemmCall<'a, T> {
    /// The number of products.
    pub batch: usize,
    /// The rows of each result, within the key's bucket.
    pub m: usize,
    /// The factor of the products.
    pub alpha: f32,
    /// The factor of what C held before; if it is 0, C is not read.
    pub beta: f32,
    /// `[m, k]`, or `[k, m]` if transposed.
    pub a: MatrixRef<'a, T>,
    /// `[k, n]`, or `[n, k]` if transposed.
    pub b: MatrixRef<'a, T>,
    /// `[n]`, if the key has one. Neither factor applies to it.
    pub bias: Option<&'a T>,
    /// `[m, n]`.
    pub c: MatrixMut<'a, T>,
}

impl Operation for GemmKernel {
    type Params = GemmParams;
    type Key = GemmKey;
    type Call<'a, T: Tensor> = GemmCall<'a, T>;

    const NAME: &'static str = "gemm";

    fn key(params: &GemmParams) -> GemmKey {
        params.into()
    }

    fn check_key(key: &GemmKey) -> Result<(), MetalError> {
        let (m, n, k) = (key.m.max(), key.n, key.k);
        for pair in [[("m", m), ("n", n)], [("m", m), ("k", k)], [("k", k), ("n", n)]] {
            check_extents("gemm", &pair)?;
        }
        check_float("gemm", key.dtype)
    }

    fn check_call<T: Tensor>(key: &GemmKey, call: &GemmCall<'_, T>) -> Result<(), MetalError> {
        let &GemmCall { batch, m, alpha, beta, .. } = call;
        let &GemmKey { n, k, dtype, .. } = key;
        check_rows("gemm", key.m, m)?;
        check_finite("gemm", "alpha", alpha)?;
        check_finite("gemm", "beta", beta)?;
        call.a.check("A", dtype, if key.transpose_a { [batch, k, m] } else { [batch, m, k] })?;
        call.b.check("B", dtype, if key.transpose_b { [batch, n, k] } else { [batch, k, n] })?;
        call.c.check("C", dtype, [batch, m, n])?;
        match (key.bias, call.bias) {
            (false, None) => Ok(()),
            (true, Some(bias)) => check_tensor("the bias", bias, dtype, n),
            (true, None) => {
                Err(MetalError::invalid_params("gemm: the plan adds a bias, and the call has none"))
            }
            (false, Some(_)) => {
                Err(MetalError::invalid_params("gemm: the plan adds no bias, and the call has one"))
            }
        }
    }
}

impl<D: 'static, G: Registry<D>> ResourceCache<D, G> {
    /// The plan of a matrix product of this shape and type.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if an extent is zero, or the device has no such type; [`MetalError::DeviceNotAvailable`] if
    /// neither `device` nor the registry has a device; [`MetalError::Device`] if the device fails.
    #[track_caller]
    pub fn get_or_create_gemm(
        &mut self,
        params: &GemmParams,
        device: Option<&D>,
    ) -> Result<&Planned<GemmKernel, D>, MetalError>
    where
        D: Runs<GemmKernel>,
    {
        self.registry.get_or_create::<GemmKernel>(params, device)
    }
}
