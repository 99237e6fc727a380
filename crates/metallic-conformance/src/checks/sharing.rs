//! Which calls share a plan.

use std::fmt::Debug;

use metallic::caching::CacheRegistry;
use metallic::kernels::Operation;
use metallic::kernels::Runs;
use metallic::kernels::RunsAll;
use metallic::kernels::add::{AddKernel, AddParams};
use metallic::kernels::gelu::{GeluApproximation, GeluKernel, GeluParams};
use metallic::kernels::gemm::{GemmKernel, GemmParams};
use metallic::kernels::kv_cache_write::{KvCacheWriteKernel, KvCacheWriteParams};
use metallic::kernels::layer_norm::{LayerNormKernel, LayerNormParams};
use metallic::kernels::scaled_dot_product_attention::{AttentionParams, ScaledDotProductAttentionKernel};
use metallic::kernels::softmax::{SoftmaxKernel, SoftmaxParams};
use metallic::tensor::Dtype;

/// Checks that parameters of one bucket share a plan, and those of different buckets or with anything else different do not.
///
/// # Panics
/// If not.
pub fn check_sharing<D: RunsAll>(device: &D) {
    let dtype = Dtype::F32;
    let gemm = |m| GemmParams { m, n: 4, k: 5, transpose_a: false, transpose_b: true, bias: true, dtype };
    plans::<GemmKernel, D>(device, [33, 40, 63, 64].map(gemm), 1);
    plans::<GemmKernel, D>(device, [1, 2, 3, 4, 5, 8].map(gemm), 4);
    let other = [
        gemm(8),
        GemmParams { n: 5, ..gemm(8) },
        GemmParams { k: 4, ..gemm(8) },
        GemmParams { transpose_a: true, ..gemm(8) },
        GemmParams { transpose_b: false, ..gemm(8) },
        GemmParams { bias: false, ..gemm(8) },
    ];
    plans::<GemmKernel, D>(device, other, 6);

    let softmax = |seq_k| SoftmaxParams { seq_k, causal: false, dtype };
    plans::<SoftmaxKernel, D>(device, [257, 300, 511, 512].map(softmax), 1);
    plans::<SoftmaxKernel, D>(device, [1, 2, 256, 257, 513].map(softmax), 5);
    plans::<SoftmaxKernel, D>(device, [softmax(7), SoftmaxParams { causal: true, ..softmax(7) }], 2);

    let attention = |(seq_q, seq_k)| AttentionParams {
        heads: 4,
        kv_heads: 2,
        head_dim: 8,
        seq_q,
        seq_k,
        causal: true,
        dtype,
    };
    plans::<ScaledDotProductAttentionKernel, D>(device, [(1, 129), (1, 200), (1, 256)].map(attention), 1);
    plans::<ScaledDotProductAttentionKernel, D>(device, [(5, 9), (8, 16), (7, 13)].map(attention), 1);
    plans::<ScaledDotProductAttentionKernel, D>(device, [(1, 16), (2, 16), (1, 17)].map(attention), 3);

    plans::<LayerNormKernel, D>(device, [8, 8, 9].map(|width| LayerNormParams { width, dtype }), 2);
    plans::<KvCacheWriteKernel, D>(device, [8, 8, 9].map(|width| KvCacheWriteParams { width, dtype }), 2);
    let forms = [GeluApproximation::None, GeluApproximation::Tanh, GeluApproximation::None];
    plans::<GeluKernel, D>(device, forms.map(|approximation| GeluParams { approximation, dtype }), 2);
    plans::<AddKernel, D>(device, [AddParams { dtype }, AddParams { dtype }], 1);
}

/// Asks a registry for plans for all of these, and compares how many it makes.
fn plans<O: Operation<Params: Debug>, D: Runs<O>>(
    device: &D,
    all: impl IntoIterator<Item = O::Params> + Debug,
    wanted: u64,
) {
    let mut registry = CacheRegistry::<D>::default();
    let text = format!("{}: {all:?}", O::NAME);
    for params in all {
        let plan = registry.get_or_create::<O>(&params, Some(device));
        plan.unwrap_or_else(|error| panic!("{}: {params:?}: {error}", O::NAME));
    }
    let metrics = registry.metrics::<O>().unwrap_or_else(|| panic!("{text}: a cache in use has metrics"));
    assert_eq!(metrics.misses, wanted, "plans made for {text}");
}
