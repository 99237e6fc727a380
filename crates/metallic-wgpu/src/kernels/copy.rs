//! Copies that begin or end inside a word, which the device's own copies cannot do.

use std::sync::OnceLock;

use metallic::Dtype;
use metallic::error::MetalError;
use metallic::tensor::Tensor;

use super::grid;
use crate::descriptors::WgpuPipeline;
use crate::device::WgpuDevice;
use crate::tensor::WgpuTensor;

/// The pipelines of such copies, which a device keeps from the first one on.
#[derive(Debug, Default)]
pub(crate) struct CopyPipelines {
    f32: OnceLock<WgpuPipeline>,
    f16: OnceLock<WgpuPipeline>,
}

impl CopyPipelines {
    fn get(&self, device: &WgpuDevice, dtype: Dtype) -> Result<&WgpuPipeline, MetalError> {
        // A tensor has no other type.
        let kept = if dtype == Dtype::F16 { &self.f16 } else { &self.f32 };
        if let Some(pipeline) = kept.get() {
            return Ok(pipeline);
        }
        let shader = grid::element_shader(dtype);
        let source = shader.source(&[include_str!("copy.wgsl")]);
        let pipeline = device.compile(&shader.variant("copy"), &source, 1, 1)?;
        Ok(kept.get_or_init(|| pipeline))
    }
}

/// Copies elements between tensors of one type. The ranges lie in their tensors.
pub(crate) fn copy_elements(
    device: &WgpuDevice,
    from: &WgpuTensor,
    from_offset: usize,
    to: &mut WgpuTensor,
    to_offset: usize,
    elements: usize,
) -> Result<(), MetalError> {
    let pipeline = device.copy_pipelines().get(device, from.dtype())?;
    let arguments = [elements.into(), from_offset.into(), to_offset.into()];
    device.dispatch(pipeline, &[from], &mut [to], &arguments, grid::elements(elements))
}
