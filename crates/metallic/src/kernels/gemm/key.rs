//! Key and parameters of a matrix product.

use crate::kernels::RowBucket;
use crate::tensor::Dtype;

/// A product `op(A) op(B)`, where `op(A)` is `[m, k]`, `op(B)` is `[k, n]` and the result is `[m, n]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GemmParams {
    /// The rows of the result, usually tokens.
    pub m: usize,
    /// The columns of the result.
    pub n: usize,
    /// The length of the sums.
    pub k: usize,
    /// `true` if A is stored as `[k, m]`.
    pub transpose_a: bool,
    /// `true` if B is stored as `[n, k]`.
    pub transpose_b: bool,
    /// `true` if a vector `[n]` is added to each row of the result.
    pub bias: bool,
    /// The type of all elements.
    pub dtype: Dtype,
}

/// The bucket of the rows, and all else as it is: `n` and `k` are a model's own sizes, `m` is what varies from call to call.
/// The exact `m`, the number of products, their factors and where the operands lie are given with each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "portable", derive(serde::Serialize, serde::Deserialize))]
pub struct GemmKey {
    /// The numbers of rows that share the plan.
    pub m: RowBucket,
    /// The columns of the result.
    pub n: usize,
    /// The length of the sums.
    pub k: usize,
    /// `true` if A is stored as `[k, m]`.
    pub transpose_a: bool,
    /// `true` if B is stored as `[n, k]`.
    pub transpose_b: bool,
    /// `true` if a vector `[n]` is added to each row of the result.
    pub bias: bool,
    /// The type of all elements.
    pub dtype: Dtype,
}

impl From<&GemmParams> for GemmKey {
    fn from(params: &GemmParams) -> Self {
        let &GemmParams { m, n, k, transpose_a, transpose_b, bias, dtype } = params;
        Self { m: RowBucket::of(m), n, k, transpose_a, transpose_b, bias, dtype }
    }
}
