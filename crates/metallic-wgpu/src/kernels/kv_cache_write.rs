//! Writing new keys and values behind those of earlier positions.

use metallic::error::MetalError;
use metallic::kernels::Runs;
use metallic::kernels::kv_cache_write::{KvCacheWriteCall, KvCacheWriteKernel, KvCacheWriteKey};

use super::grid;
use crate::descriptors::WgpuPipeline;
use crate::device::WgpuDevice;
use crate::tensor::WgpuTensor;

impl Runs<KvCacheWriteKernel> for WgpuDevice {
    type Plan = WgpuPipeline;

    fn plan(&self, key: &KvCacheWriteKey) -> Result<WgpuPipeline, MetalError> {
        grid::check_type(self, key.dtype)?;
        let shader = grid::element_shader(key.dtype);
        let source = shader.source(&[include_str!("kv_cache_write.wgsl")]);
        self.compile(&shader.variant("kv_cache_write"), &source, 2, 2)
    }

    fn run(
        &self,
        plan: &WgpuPipeline,
        key: &KvCacheWriteKey,
        call: KvCacheWriteCall<'_, WgpuTensor>,
    ) -> Result<(), MetalError> {
        let KvCacheWriteCall { batch, positions, position, capacity, k, v, keys, values } = call;
        let width = key.width;
        let elements = batch * positions * width;
        let arguments = [
            elements.into(),
            (positions * width).into(),
            width.into(),
            (position * width).into(),
            (capacity * width).into(),
            k.layout.offset.into(),
            k.layout.row_stride.into(),
            k.layout.batch_stride.into(),
            v.layout.offset.into(),
            v.layout.row_stride.into(),
            v.layout.batch_stride.into(),
        ];
        let grid = grid::elements(elements);
        self.dispatch(plan, &[k.tensor, v.tensor], &mut [keys, values], &arguments, grid)
    }
}
