//! What all kernels have to say about how much they do, and where.

use metallic::Dtype;
use metallic::error::MetalError;
use metallic::tensor::MatrixLayout;

use crate::device::{Tuning, WgpuDevice};
use crate::shader::Shader;

/// What every device can run in one direction.
pub(super) const MOST_IN_A_LINE: usize = 65_535;

/// The invocations of a workgroup of a kernel that looks at each element by itself.
const ELEMENT_THREADS: usize = 256;

/// So many workgroups or a few more, of which each finds its number as `y * width + x`.
pub(super) fn line(workgroups: usize) -> [usize; 3] {
    if workgroups <= MOST_IN_A_LINE {
        return [workgroups, 1, 1];
    }
    let lines = workgroups.div_ceil(MOST_IN_A_LINE);
    [workgroups.div_ceil(lines), lines, 1]
}

/// Workgroups for so many elements, one for each invocation.
pub(super) fn elements(count: usize) -> [usize; 3] {
    line(count.div_ceil(ELEMENT_THREADS))
}

/// The beginning of the shader of a kernel that looks at each element by itself.
pub(super) fn element_shader(dtype: Dtype) -> Shader {
    Shader::default().element("Element", dtype).constant("THREADS", ELEMENT_THREADS as u32)
}

/// The beginning of the shader of a kernel whose workgroups have a row each. What the invocations found is added up by each of
/// them, which on a processor costs as much as the row itself if they are many.
pub(super) fn row_shader(device: &WgpuDevice, dtype: Dtype) -> Shader {
    let threads = match device.tuning() {
        Tuning::Gpu => 64,
        Tuning::Processor => 8,
    };
    Shader::default().element("Element", dtype).constant("THREADS", threads)
}

/// That a device has a type, so that no shader is compiled in vain.
pub(super) fn check_type(device: &WgpuDevice, dtype: Dtype) -> Result<(), MetalError> {
    if device.has_type(dtype) {
        return Ok(());
    }
    Err(MetalError::invalid_params(format!(
        "kernels of {dtype} are not to be had on {}",
        device.adapter().name
    )))
}

/// A layout without the strides that lead nowhere, which may be any number.
pub(super) fn reach(layout: MatrixLayout, batch: usize, rows: usize) -> MatrixLayout {
    MatrixLayout {
        offset: layout.offset,
        row_stride: if rows > 1 { layout.row_stride } else { 0 },
        batch_stride: if batch > 1 { layout.batch_stride } else { 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_folded() {
        assert_eq!(line(0), [0, 1, 1]);
        assert_eq!(line(65_535), [65_535, 1, 1]);
        assert_eq!(line(65_536), [32_768, 2, 1]);
        for workgroups in [65_537, 131_071, 1_000_003] {
            let [width, lines, _] = line(workgroups);
            assert!(width <= MOST_IN_A_LINE && (workgroups..workgroups + lines).contains(&(width * lines)));
        }
    }
}
