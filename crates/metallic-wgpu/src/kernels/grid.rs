//! How many workgroups a kernel takes, and where its operands lie.

use metallic::Dtype;
use metallic::error::MetalError;
use metallic::tensor::MatrixLayout;

use crate::device::{Tuning, WgpuDevice};
use crate::shader::Shader;

/// The most workgroups that every device runs in one direction.
pub(super) const MAX_IN_A_LINE: usize = 65_535;

/// The invocations of a workgroup of a kernel that works on single elements.
const ELEMENT_THREADS: usize = 256;

/// A grid of at least `workgroups` workgroups, folded into lines. A workgroup finds its number as `y * width + x`.
pub(super) fn line(workgroups: usize) -> [usize; 3] {
    if workgroups <= MAX_IN_A_LINE {
        return [workgroups, 1, 1];
    }
    let lines = workgroups.div_ceil(MAX_IN_A_LINE);
    [workgroups.div_ceil(lines), lines, 1]
}

/// A grid with an invocation for each of `count` elements.
pub(super) fn elements(count: usize) -> [usize; 3] {
    line(count.div_ceil(ELEMENT_THREADS))
}

/// The shader of a kernel that works on single elements.
pub(super) fn element_shader(name: &'static str, templates: &'static [&'static str], dtype: Dtype) -> Shader {
    Shader::new(name, templates).element("Element", dtype).constant("THREADS", ELEMENT_THREADS as u32)
}

/// The shader of a kernel with one row per workgroup. Each invocation adds up what all of them found, which on a processor
/// costs as much as the row itself if they are many.
pub(super) fn row_shader(
    device: &WgpuDevice,
    name: &'static str,
    templates: &'static [&'static str],
    dtype: Dtype,
) -> Shader {
    let threads = match device.tuning() {
        Tuning::Gpu => 64,
        Tuning::Processor => 8,
    };
    Shader::new(name, templates).element("Element", dtype).constant("THREADS", threads)
}

/// Refuses a type that the device does not support, before a shader is compiled in vain.
pub(super) fn check_type(device: &WgpuDevice, dtype: Dtype) -> Result<(), MetalError> {
    if device.has_type(dtype) {
        return Ok(());
    }
    Err(MetalError::invalid_params(format!(
        "kernels of {dtype} are not supported on {}",
        device.adapter().name
    )))
}

/// A layout with strides of zero along dimensions of one element, where the given ones may be any number.
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
            assert!(width <= MAX_IN_A_LINE && (workgroups..workgroups + lines).contains(&(width * lines)));
        }
    }
}
