//! The Gaussian error linear unit.

use metallic::caching::Composition;
use metallic::error::MetalError;
use metallic::kernels::Runs;
use metallic::kernels::gelu::{GeluApproximation, GeluCall, GeluKernel, GeluKey};

use super::grid;
use crate::descriptors::WgpuPipeline;
use crate::device::WgpuDevice;
use crate::tensor::WgpuTensor;

impl Runs<GeluKernel> for WgpuDevice {
    type Plan = WgpuPipeline;

    fn plan(&self, key: &GeluKey) -> Result<WgpuPipeline, MetalError> {
        grid::check_type(self, key.dtype)?;
        let tanh = key.approximation == GeluApproximation::Tanh;
        let shader = grid::element_shader("gelu", &[include_str!("gelu.wgsl")], key.dtype).flag("TANH", tanh);
        self.built_in(shader, 1, 1)
    }

    fn run(
        &self,
        plan: &WgpuPipeline,
        _key: &GeluKey,
        call: GeluCall<'_, WgpuTensor>,
    ) -> Result<(), MetalError> {
        let GeluCall { elements, input, output } = call;
        self.dispatch(plan, &[input], &mut [output], &[elements.into()], grid::elements(elements))
    }

    fn plan_composition(plan: &WgpuPipeline) -> Option<Composition> {
        Some(plan.composition())
    }
}
