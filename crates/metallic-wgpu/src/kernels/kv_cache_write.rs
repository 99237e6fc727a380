//! Writing new keys and values behind those of earlier positions.

use metallic::caching::Composition;
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
        let shader =
            grid::element_shader("kv_cache_write", &[include_str!("kv_cache_write.wgsl")], key.dtype);
        self.built_in(shader, 2, 2)
    }

    fn run(
        &self,
        plan: &WgpuPipeline,
        key: &KvCacheWriteKey,
        call: KvCacheWriteCall<'_, WgpuTensor>,
    ) -> Result<(), MetalError> {
        let KvCacheWriteCall { batch, positions, position, capacity, k, v, keys, values } = call;
        let width = key.width;
        let [k_at, v_at] = [k.layout, v.layout].map(|layout| grid::reach(layout, batch, positions));
        let elements = batch * positions * width;
        let arguments = [
            elements.into(),
            (positions * width).into(),
            width.into(),
            (position * width).into(),
            (capacity * width).into(),
            k_at.offset.into(),
            k_at.row_stride.into(),
            k_at.batch_stride.into(),
            v_at.offset.into(),
            v_at.row_stride.into(),
            v_at.batch_stride.into(),
        ];
        let grid = grid::elements(elements);
        self.dispatch(plan, &[k.tensor, v.tensor], &mut [keys, values], &arguments, grid)
    }

    fn plan_composition(plan: &WgpuPipeline) -> Option<Composition> {
        Some(plan.composition())
    }
}
