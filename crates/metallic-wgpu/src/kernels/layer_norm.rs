//! Layer normalisation.

use metallic::caching::Composition;
use metallic::error::MetalError;
use metallic::kernels::Runs;
use metallic::kernels::layer_norm::{LayerNormCall, LayerNormKernel, LayerNormKey};

use super::grid;
use crate::descriptors::WgpuPipeline;
use crate::device::WgpuDevice;
use crate::tensor::WgpuTensor;

impl Runs<LayerNormKernel> for WgpuDevice {
    type Plan = WgpuPipeline;

    fn plan(&self, key: &LayerNormKey) -> Result<WgpuPipeline, MetalError> {
        grid::check_type(self, key.dtype)?;
        let shader = grid::row_shader(self, "layer_norm", &[include_str!("layer_norm.wgsl")], key.dtype);
        self.built_in(shader, 3, 1)
    }

    fn run(
        &self,
        plan: &WgpuPipeline,
        key: &LayerNormKey,
        call: LayerNormCall<'_, WgpuTensor>,
    ) -> Result<(), MetalError> {
        let LayerNormCall { rows, epsilon, input, gamma, beta, output } = call;
        let [input_at, output_at] = [input.layout, output.layout].map(|layout| grid::reach(layout, 1, rows));
        let arguments = [
            rows.into(),
            key.width.into(),
            input_at.offset.into(),
            input_at.row_stride.into(),
            output_at.offset.into(),
            output_at.row_stride.into(),
            epsilon.into(),
        ];
        let reads = [input.tensor, gamma, beta];
        self.dispatch(plan, &reads, &mut [output.tensor], &arguments, grid::line(rows))
    }

    fn plan_composition(plan: &WgpuPipeline) -> Option<Composition> {
        Some(plan.composition())
    }
}
