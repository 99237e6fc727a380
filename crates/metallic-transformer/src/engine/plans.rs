//! The parameters of the plans that a model of some shape asks for.

use metallic::Dtype;
use metallic::kernels::add::AddParams;
use metallic::kernels::gelu::{GeluApproximation, GeluParams};
use metallic::kernels::gemm::GemmParams;
use metallic::kernels::kv_cache_write::KvCacheWriteParams;
use metallic::kernels::layer_norm::LayerNormParams;
use metallic::kernels::scaled_dot_product_attention::AttentionParams;

use super::steps::Step;
use crate::model::{Activation, Shape};

/// A product of `m` rows with a weight that has a row for each of `n` outputs.
pub(super) fn product(m: usize, [n, k]: [usize; 2], bias: bool, dtype: Dtype) -> GemmParams {
    GemmParams { m, n, k, transpose_a: false, transpose_b: true, bias, dtype }
}

pub(super) fn norm(width: usize, dtype: Dtype) -> LayerNormParams {
    LayerNormParams { width, dtype }
}

pub(super) fn activation(activation: Activation, dtype: Dtype) -> GeluParams {
    let approximation = match activation {
        Activation::GeluErf => GeluApproximation::None,
        Activation::GeluTanh => GeluApproximation::Tanh,
    };
    GeluParams { approximation, dtype }
}

pub(super) fn add(dtype: Dtype) -> AddParams {
    AddParams { dtype }
}

pub(super) fn attention(shape: &Shape, step: Step, causal: bool, dtype: Dtype) -> AttentionParams {
    let (heads, head_dim) = (shape.heads, shape.head_width());
    AttentionParams { heads, kv_heads: heads, head_dim, seq_q: step.rows, seq_k: step.seen(), causal, dtype }
}

pub(super) fn kv_cache_write(shape: &Shape, dtype: Dtype) -> KvCacheWriteParams {
    KvCacheWriteParams { width: shape.width, dtype }
}
