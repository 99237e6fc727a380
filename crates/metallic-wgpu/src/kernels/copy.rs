//! Copies that begin or end inside a word, which the device's copy command cannot do.

use metallic::error::MetalError;
use metallic::tensor::Tensor;

use super::grid;
use crate::device::WgpuDevice;
use crate::tensor::WgpuTensor;

/// Copies elements between tensors of one type. The ranges lie in their tensors.
pub(crate) fn copy_elements(
    device: &WgpuDevice,
    from: &WgpuTensor,
    from_offset: usize,
    to: &mut WgpuTensor,
    to_offset: usize,
    elements: usize,
) -> Result<(), MetalError> {
    let shader = grid::element_shader("copy", &[include_str!("copy.wgsl")], from.dtype());
    let pipeline = device.built_in(shader, 1, 1)?;
    let arguments = [elements.into(), from_offset.into(), to_offset.into()];
    device.dispatch(&pipeline, &[from], &mut [to], &arguments, grid::elements(elements))
}
