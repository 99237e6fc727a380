//! Softmax over rows.

use metallic::Dtype;
use metallic::caching::Composition;
use metallic::error::MetalError;
use metallic::kernels::Runs;
use metallic::kernels::softmax::{SoftmaxCall, SoftmaxKernel, SoftmaxKey};
use metallic::tensor::MatrixLayout;

use super::grid;
use crate::arguments::Argument;
use crate::descriptors::WgpuPipeline;
use crate::device::WgpuDevice;
use crate::tensor::WgpuTensor;

/// The pipeline of a softmax from one tensor to another, or in place.
pub(super) fn compile(
    device: &WgpuDevice,
    dtype: Dtype,
    causal: bool,
    in_place: bool,
) -> Result<WgpuPipeline, MetalError> {
    let shader = grid::row_shader(device, "softmax", &[include_str!("softmax.wgsl")], dtype)
        .flag("CAUSAL", causal)
        .flag("IN_PLACE", in_place);
    device.built_in(shader, u8::from(!in_place), 1)
}

/// The arguments of a softmax of `batch` matrices of `rows` rows.
pub(super) fn arguments(
    [batch, rows, length]: [usize; 3],
    past: usize,
    scale: f32,
    input: &MatrixLayout,
    output: &MatrixLayout,
) -> [Argument; 11] {
    let [input, output] = [input, output].map(|layout| grid::reach(*layout, batch, rows));
    [
        (batch * rows).into(),
        rows.into(),
        length.into(),
        past.into(),
        input.offset.into(),
        input.row_stride.into(),
        input.batch_stride.into(),
        output.offset.into(),
        output.row_stride.into(),
        output.batch_stride.into(),
        scale.into(),
    ]
}

impl Runs<SoftmaxKernel> for WgpuDevice {
    type Plan = WgpuPipeline;

    fn plan(&self, key: &SoftmaxKey) -> Result<WgpuPipeline, MetalError> {
        grid::check_type(self, key.dtype)?;
        compile(self, key.dtype, key.causal, false)
    }

    fn run(
        &self,
        plan: &WgpuPipeline,
        key: &SoftmaxKey,
        call: SoftmaxCall<'_, WgpuTensor>,
    ) -> Result<(), MetalError> {
        let SoftmaxCall { batch, rows, seq_k, past, scale, input, output } = call;
        let past = if key.causal { past } else { 0 };
        let arguments = arguments([batch, rows, seq_k], past, scale, &input.layout, &output.layout);
        let grid = grid::line(batch * rows);
        self.dispatch(plan, &[input.tensor], &mut [output.tensor], &arguments, grid)
    }

    fn plan_composition(plan: &WgpuPipeline) -> Option<Composition> {
        Some(plan.composition())
    }
}
