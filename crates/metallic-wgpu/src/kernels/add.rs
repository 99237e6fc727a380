//! Sums of two tensors.

use metallic::caching::Composition;
use metallic::error::MetalError;
use metallic::kernels::Runs;
use metallic::kernels::add::{AddCall, AddKernel, AddKey};

use super::grid;
use crate::descriptors::WgpuPipeline;
use crate::device::WgpuDevice;
use crate::tensor::WgpuTensor;

impl Runs<AddKernel> for WgpuDevice {
    type Plan = WgpuPipeline;

    fn plan(&self, key: &AddKey) -> Result<WgpuPipeline, MetalError> {
        grid::check_type(self, key.dtype)?;
        let shader = grid::element_shader("add", &[include_str!("add.wgsl")], key.dtype);
        self.built_in(shader, 2, 1)
    }

    fn run(
        &self,
        plan: &WgpuPipeline,
        _key: &AddKey,
        call: AddCall<'_, WgpuTensor>,
    ) -> Result<(), MetalError> {
        let AddCall { elements, period, a, b, output } = call;
        let period = period.min(elements);
        let arguments = [elements.into(), period.into()];
        self.dispatch(plan, &[a, b], &mut [output], &arguments, grid::elements(elements))
    }

    fn plan_composition(plan: &WgpuPipeline) -> Option<Composition> {
        Some(plan.composition())
    }
}
