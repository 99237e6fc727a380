//! Sizes beyond what one dispatch does: grids that are folded, and attentions that are split by queries.

use metallic::Dtype;
use metallic::caching::ResourceCache;
use metallic::device::ComputeDevice;
use metallic::kernels::add::{AddCall, AddParams};
use metallic::kernels::layer_norm::{LayerNormCall, LayerNormParams};
use metallic::kernels::scaled_dot_product_attention::{AttentionCall, AttentionParams};
use metallic::kernels::softmax::{SoftmaxCall, SoftmaxParams};
use metallic::tensor::{MatrixMut, MatrixRef};
use metallic_conformance::reference::{self, AttentionShape};
use metallic_wgpu::WgpuDevice;

use crate::products::noise;
use crate::software::device;

/// One more than every device can run in a line. Folded into two lines, there is one workgroup too many in the second.
const ROWS: usize = 65_537;

fn double(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

#[track_caller]
fn assert_near(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((f64::from(*found) - expected).abs() <= 1e-5, "{found} for {expected} at {place}");
    }
}

#[test]
fn sums_of_more_workgroups_than_a_line_has_reach_all_elements_and_no_others() {
    let Some(device) = device() else { return };
    // 256 elements a workgroup; the last has a single one.
    let (elements, period) = ((ROWS - 1) * 256 + 1, 1000);
    let values: Vec<f32> = (0..period).map(|i| i as f32).collect();
    let a = device.zeros(elements, Dtype::F32).expect("there is memory");
    let b = device.upload(&values, Dtype::F32).expect("there is memory");
    let mut output = device.zeros(elements + 256, Dtype::F32).expect("there is memory");
    let mut cache = ResourceCache::with_device(device.clone());
    let plan = cache.get_or_create_add(&AddParams { dtype: Dtype::F32 }, None).expect("the shader compiles");
    plan.run(device, AddCall { elements, period, a: &a, b: &b, output: &mut output }).expect("the call fits");
    let fold = ROWS.div_ceil(2) * 256;
    for range in [0..2000, fold - 2000..fold + 2000, elements - 2000..elements + 256] {
        let expected: Vec<_> =
            range.clone().map(|i| if i < elements { (i % period) as f32 } else { 0.0 }).collect();
        assert_eq!(device.read(&output, range).expect("the device works"), expected);
    }
}

#[test]
fn softmaxes_of_more_rows_than_a_line_has_reach_all_of_them() {
    let Some(device) = device() else { return };
    let length = 2;
    let values = noise(1, ROWS * length);
    let input = device.upload(&values, Dtype::F32).expect("there is memory");
    let mut output = device.upload(&vec![7.0; (ROWS + 1) * length], Dtype::F32).expect("there is memory");
    let mut cache = ResourceCache::with_device(device.clone());
    let params = SoftmaxParams { seq_k: length, causal: false, dtype: Dtype::F32 };
    let call = SoftmaxCall {
        batch: 1,
        rows: ROWS,
        seq_k: length,
        past: 0,
        scale: 2.0,
        input: MatrixRef::dense(&input, ROWS, length),
        output: MatrixMut::dense(&mut output, ROWS, length),
    };
    cache.get_or_create_softmax(&params, None).and_then(|plan| plan.run(device, call)).expect("it fits");
    let mut expected: Vec<f64> =
        double(&values).chunks(length).flat_map(|row| reference::softmax(row, 2.0)).collect();
    expected.extend([7.0; 2]);
    assert_near(&device.read(&output, 0..expected.len()).expect("the device works"), &expected);
}

#[test]
fn layer_norms_of_more_rows_than_a_line_has_reach_all_of_them() {
    let Some(device) = device() else { return };
    let width = 3;
    let (values, gamma, beta) = (noise(2, ROWS * width), noise(3, width), noise(4, width));
    let upload = |values: &[f32]| device.upload(values, Dtype::F32).expect("there is memory");
    let (input, gamma_there, beta_there) = (upload(&values), upload(&gamma), upload(&beta));
    let mut output = upload(&vec![7.0; (ROWS + 1) * width]);
    let mut cache = ResourceCache::with_device(device.clone());
    let params = LayerNormParams { width, dtype: Dtype::F32 };
    let call = LayerNormCall {
        rows: ROWS,
        epsilon: 0.1,
        input: MatrixRef::dense(&input, ROWS, width),
        gamma: &gamma_there,
        beta: &beta_there,
        output: MatrixMut::dense(&mut output, ROWS, width),
    };
    cache.get_or_create_layer_norm(&params, None).and_then(|plan| plan.run(device, call)).expect("it fits");
    let (gamma, beta) = (double(&gamma), double(&beta));
    let mut expected: Vec<f64> = double(&values)
        .chunks(width)
        .flat_map(|row| reference::layer_norm(row, f64::from(0.1_f32), &gamma, &beta))
        .collect();
    expected.extend([7.0; 3]);
    assert_near(&device.read(&output, 0..expected.len()).expect("the device works"), &expected);
}

#[test]
fn attention_with_more_scores_than_one_dispatch_has_is_split_by_queries() {
    let Some(device) = device() else { return };
    for causal in [true, false] {
        check_split(device, causal);
    }
}

fn check_split(device: &WgpuDevice, causal: bool) {
    // A query has 256 KiB of scores, as 890 keys are padded to 1024: 128 queries are what one dispatch serves.
    let (heads, kv_heads, head_dim, seq_q, seq_k, scale) = (64, 2, 4, 131, 890, 1.5);
    let q = noise(5, seq_q * heads * head_dim);
    let [k, v] = [6, 7].map(|seed| noise(seed, seq_k * kv_heads * head_dim));
    let upload = |values: &[f32]| device.upload(values, Dtype::F32).expect("there is memory");
    let (q_there, k_there, v_there) = (upload(&q), upload(&k), upload(&v));
    let mut output = device.zeros(q.len(), Dtype::F32).expect("there is memory");
    let params = AttentionParams { heads, kv_heads, head_dim, seq_q, seq_k, causal, dtype: Dtype::F32 };
    let mut cache = ResourceCache::with_device(device.clone());
    let plan = cache.get_or_create_scaled_dot_product_attention(&params, None).expect("the shaders compile");
    let call = AttentionCall {
        batch: 1,
        seq_q,
        seq_k,
        scale,
        q: MatrixRef::dense(&q_there, seq_q, heads * head_dim),
        k: MatrixRef::dense(&k_there, seq_k, kv_heads * head_dim),
        v: MatrixRef::dense(&v_there, seq_k, kv_heads * head_dim),
        output: MatrixMut::dense(&mut output, seq_q, heads * head_dim),
    };
    plan.run(device, call).expect("the call fits");
    let found = device.read(&output, 0..q.len()).expect("the device works");
    // The reference takes long: a few heads, of which two share their keys.
    for head in [0, 40, 63] {
        let of_head = |values: &[f32], heads: usize, head: usize| -> Vec<f32> {
            values
                .chunks(heads * head_dim)
                .flat_map(|row| &row[head * head_dim..][..head_dim])
                .copied()
                .collect()
        };
        let kv_head = head / (heads / kv_heads);
        let [k, v] = [&k, &v].map(|values| double(&of_head(values, kv_heads, kv_head)));
        let q = double(&of_head(&q, heads, head));
        let shape = AttentionShape { heads: 1, kv_heads: 1, head_dim, seq_q, seq_k, causal };
        let expected = reference::attention(&shape, f64::from(scale), &q, &k, &v);
        assert_near(&of_head(&found, heads, head), &expected);
    }
}
