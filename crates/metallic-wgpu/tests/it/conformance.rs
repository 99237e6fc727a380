//! All operations against their references.

use metallic::kernels::gemm::GemmKernel;
use metallic::kernels::layer_norm::LayerNormKernel;
use metallic::kernels::scaled_dot_product_attention::ScaledDotProductAttentionKernel;
use metallic::kernels::softmax::SoftmaxKernel;
use metallic_conformance::Checked;
use metallic_wgpu::{Tuning, WgpuDevice};

use crate::software::{device, open_with};

#[test]
fn every_operation_is_what_it_is_defined_to_be() {
    let Some(device) = device() else { return };
    metallic_conformance::check_all(device, 56);
}

#[test]
fn kernels_are_right_whatever_they_are_tuned_for() {
    for tuning in [Tuning::Gpu, Tuning::Processor] {
        let Some(device) = open_with(|selection| WgpuDevice::with_tuning(selection, tuning)) else { return };
        if Some(tuning) != self::device().map(WgpuDevice::tuning) {
            GemmKernel::compare(&device, 24);
            ScaledDotProductAttentionKernel::compare(&device, 16);
            SoftmaxKernel::compare(&device, 16);
            LayerNormKernel::compare(&device, 16);
        }
    }
}
