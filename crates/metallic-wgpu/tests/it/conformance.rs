//! All operations against their references.

use metallic_wgpu::{Tuning, WgpuDevice};

use crate::software::{device, open_with};

#[test]
fn memory_holds_what_was_written() {
    let Some(device) = device() else { return };
    metallic_conformance::check_memory(device, 32);
}

#[test]
fn gemm_multiplies() {
    let Some(device) = device() else { return };
    metallic_conformance::check_gemm(device, 48);
}

#[test]
fn softmax_weighs() {
    let Some(device) = device() else { return };
    metallic_conformance::check_softmax(device, 64);
}

#[test]
fn attention_attends() {
    let Some(device) = device() else { return };
    metallic_conformance::check_scaled_dot_product_attention(device, 48);
}

#[test]
fn layer_norm_normalises() {
    let Some(device) = device() else { return };
    metallic_conformance::check_layer_norm(device, 64);
}

#[test]
fn gelu_is_gelu() {
    let Some(device) = device() else { return };
    metallic_conformance::check_gelu(device, 64);
}

#[test]
fn add_adds() {
    let Some(device) = device() else { return };
    metallic_conformance::check_add(device, 64);
}

#[test]
fn kv_cache_write_writes() {
    let Some(device) = device() else { return };
    metallic_conformance::check_kv_cache_write(device, 64);
}

#[test]
fn wrong_calls_are_refused_and_change_nothing() {
    let Some(device) = device() else { return };
    metallic_conformance::check_refusals(device);
}

#[test]
fn calls_of_one_bucket_share_a_plan() {
    let Some(device) = device() else { return };
    metallic_conformance::check_sharing(device);
}

#[test]
fn kernels_are_right_whatever_they_are_tuned_for() {
    for tuning in [Tuning::Gpu, Tuning::Processor] {
        let Some(device) = open_with(|selection| WgpuDevice::with_tuning(selection, tuning)) else { return };
        if Some(tuning) != self::device().map(WgpuDevice::tuning) {
            metallic_conformance::check_gemm(&device, 24);
            metallic_conformance::check_scaled_dot_product_attention(&device, 16);
            metallic_conformance::check_softmax(&device, 16);
            metallic_conformance::check_layer_norm(&device, 16);
        }
    }
}
