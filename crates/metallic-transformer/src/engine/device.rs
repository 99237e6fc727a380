//! The operations that a device must run.

use metallic::kernels::Runs;
use metallic::kernels::add::AddKernel;
use metallic::kernels::gelu::GeluKernel;
use metallic::kernels::gemm::GemmKernel;
use metallic::kernels::kv_cache_write::KvCacheWriteKernel;
use metallic::kernels::layer_norm::LayerNormKernel;
use metallic::kernels::scaled_dot_product_attention::ScaledDotProductAttentionKernel;

/// A device that runs every operation of a transformer. It is a handle: its clones are the same device.
pub trait TransformerDevice:
    Clone
    + Runs<AddKernel>
    + Runs<GeluKernel>
    + Runs<GemmKernel>
    + Runs<KvCacheWriteKernel>
    + Runs<LayerNormKernel>
    + Runs<ScaledDotProductAttentionKernel>
{
}

impl<D> TransformerDevice for D where
    D: Clone
        + Runs<AddKernel>
        + Runs<GeluKernel>
        + Runs<GemmKernel>
        + Runs<KvCacheWriteKernel>
        + Runs<LayerNormKernel>
        + Runs<ScaledDotProductAttentionKernel>
{
}
