//! Products in the ways this device has of its own: pipelines by rows, vectors and single elements, grids in parts.

use metallic::Dtype;
use metallic::caching::ResourceCache;
use metallic::device::ComputeDevice;
use metallic::kernels::gemm::{GemmCall, GemmParams};
use metallic::kernels::softmax::{SoftmaxCall, SoftmaxParams};
use metallic::tensor::{MatrixLayout, MatrixMut, MatrixRef};
use metallic_conformance::reference;
use metallic_wgpu::{PipelineKernel, Tuning, WgpuDevice};

use crate::software::{device, open, open_with};

/// Numbers from -1 to 1 that repeat after 2^32.
pub(crate) fn noise(seed: u32, elements: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..elements).map(|_| next()).collect()
}

struct Case {
    batch: usize,
    shape: [usize; 3],
    transpose: [bool; 2],
    bias: bool,
    /// Added to the strides of rows and matrices, and the offset of all operands.
    slack: [usize; 3],
    beta: f32,
}

fn check(device: &WgpuDevice, cache: &mut ResourceCache<WgpuDevice>, case: &Case) {
    let &Case { batch, shape: [m, n, k], transpose: [transpose_a, transpose_b], bias, slack, beta } = case;
    let layout = |[rows, columns]: [usize; 2]| {
        let row_stride = columns + slack[0];
        MatrixLayout { offset: slack[2], row_stride, batch_stride: rows * row_stride + slack[1] }
    };
    let a_shape = if transpose_a { [k, m] } else { [m, k] };
    let b_shape = if transpose_b { [n, k] } else { [k, n] };
    let (a_at, b_at, c_at) = (layout(a_shape), layout(b_shape), layout([m, n]));
    let elements = |at: &MatrixLayout| at.offset + batch * at.batch_stride;
    let (a, b) = (noise(1, elements(&a_at)), noise(2, elements(&b_at)));
    let (c, vector) = (noise(3, elements(&c_at)), noise(4, n));
    let alpha = 0.75;

    let mut expected = c.clone();
    let at = |at: &MatrixLayout, z: usize, row: usize, column: usize| {
        at.offset + z * at.batch_stride + row * at.row_stride + column
    };
    for z in 0..batch {
        for i in 0..m {
            for (j, &bias_of_column) in vector.iter().enumerate() {
                let term = |l: usize| {
                    let (ai, aj) = if transpose_a { (l, i) } else { (i, l) };
                    let (bi, bj) = if transpose_b { (j, l) } else { (l, j) };
                    f64::from(a[at(&a_at, z, ai, aj)]) * f64::from(b[at(&b_at, z, bi, bj)])
                };
                let place = at(&c_at, z, i, j);
                let mut sum =
                    f64::from(alpha) * (0..k).map(term).sum::<f64>() + f64::from(beta) * f64::from(c[place]);
                sum += if bias { f64::from(bias_of_column) } else { 0.0 };
                expected[place] = sum as f32;
            }
        }
    }

    let upload = |values: &[f32]| device.upload(values, Dtype::F32).expect("there is memory");
    let (a, b, vector) = (upload(&a), upload(&b), upload(&vector));
    // With beta 0 what is there must not matter.
    let mut before = c;
    if beta == 0.0 {
        for z in 0..batch {
            for i in 0..m {
                let start = at(&c_at, z, i, 0);
                before[start..start + n].fill(f32::NAN);
            }
        }
    }
    let mut c = upload(&before);
    let params = GemmParams { m, n, k, transpose_a, transpose_b, bias, dtype: Dtype::F32 };
    let plan = cache.get_or_create_gemm(&params, None).expect("the shader compiles");
    let call = GemmCall {
        batch,
        m,
        alpha,
        beta,
        a: MatrixRef { tensor: &a, layout: a_at },
        b: MatrixRef { tensor: &b, layout: b_at },
        bias: bias.then_some(&vector),
        c: MatrixMut { tensor: &mut c, layout: c_at },
    };
    plan.run(device, call).expect("the call fits");
    let found = device.read(&c, 0..expected.len()).expect("the device works");
    for (place, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let tolerance = 1e-6 * (k as f32).max(4.0).sqrt() * 2.0;
        assert!(
            (found - expected).abs() <= tolerance,
            "{found} for {expected} at {place}: {batch} x {m}x{n}x{k}, {transpose_a} {transpose_b} {bias} {slack:?}"
        );
    }
}

#[test]
fn products_at_the_edges_of_tiles_buckets_and_vectors_are_right() {
    for tuning in [Tuning::Gpu, Tuning::Processor] {
        let Some(device) = open_with(|selection| WgpuDevice::with_tuning(selection, tuning)) else { return };
        check_edges(&device);
    }
}

fn check_edges(device: &WgpuDevice) {
    let mut cache = ResourceCache::with_device(device.clone());
    let shapes = [
        [1, 1, 1],
        [1, 65, 3],
        [1, 130, 260],
        [2, 5, 4],
        [3, 17, 66],
        [8, 4, 64],
        [9, 64, 16],
        [15, 63, 17],
        [16, 64, 64],
        [31, 65, 33],
        [64, 66, 15],
        [65, 129, 20],
    ];
    for (index, shape) in shapes.into_iter().enumerate() {
        // Conformance covers the rest: here each shape with two of the transposes.
        let transposes = [[false, true], [false, false], [true, true], [true, false]];
        for transpose in [transposes[0], transposes[1 + index % 3]] {
            // Every other case with another type of slack, so that vectors and single elements both occur.
            let slack = [[0, 0, 0], [4, 8, 4], [1, 3, 5]][(index + usize::from(transpose[0])) % 3];
            let (bias, beta) = (index % 2 == 0, [0.0, 0.5][usize::from(transpose[1])]);
            check(device, &mut cache, &Case { batch: 1 + index % 3, shape, transpose, bias, slack, beta });
        }
    }
}

#[test]
fn operands_that_are_not_aligned_take_a_pipeline_that_the_device_compiles_once() {
    let Some(device) = open() else { return };
    let mut cache = ResourceCache::with_device(device.clone());
    let mut multiply = |slack| {
        let case =
            Case { batch: 1, shape: [4, 12, 36], transpose: [false, true], bias: true, slack, beta: 0.0 };
        check(&device, &mut cache, &case);
        let metrics = device.descriptors().metrics::<PipelineKernel>().unwrap();
        (metrics.misses, metrics.hits)
    };
    assert_eq!(multiply([0, 0, 0]), (1, 0));
    assert_eq!(multiply([4, 0, 8]), (1, 0), "all rows begin at a multiple of four");
    assert_eq!(multiply([0, 0, 1]), (2, 0));
    assert_eq!(multiply([3, 0, 0]), (2, 1));
    assert_eq!(multiply([0, 0, 0]), (2, 1), "a plan keeps the pipeline of the operands it expects");
    device.descriptors().clear_cache::<PipelineKernel>();
    assert_eq!(multiply([0, 0, 1]), (3, 1), "and no other, so that the registry sees every creation");
}

#[test]
fn an_infinity_at_the_end_of_a_sum_stays_one() {
    for tuning in [Tuning::Gpu, Tuning::Processor] {
        let Some(device) = open_with(|selection| WgpuDevice::with_tuning(selection, tuning)) else { return };
        // Few rows and many, with a last vector that is whole or not, and in a slice that is whole or not.
        for (m, k) in [(3, 20), (3, 18), (20, 20), (20, 18), (20, 3), (20, 32)] {
            for transpose in [[false, true], [false, false], [true, true], [true, false]] {
                check_infinity(&device, [m, 8, k], transpose);
            }
        }
    }
}

fn check_infinity(device: &WgpuDevice, [m, n, k]: [usize; 3], [transpose_a, transpose_b]: [bool; 2]) {
    let positive = |seed, elements| noise(seed, elements).iter().map(|x| 0.5 + x.abs()).collect();
    let (mut a, mut b): (Vec<f32>, Vec<f32>) = (positive(1, m * k), positive(2, k * n));
    a[2 * k + k - 1] = f32::INFINITY;
    b[(k - 1) * n + 5] = f32::INFINITY;
    let double = |values: &[f32]| values.iter().copied().map(f64::from).collect::<Vec<_>>();
    let expected = reference::gemm([m, n, k], [1.0, 0.0], &double(&a), &double(&b), None, &[]);
    let upload = |values: &[f32], [rows, columns]: [usize; 2], transpose: bool| {
        let at = |at: usize| (at % rows) * columns + at / rows;
        let lain: Vec<_> =
            (0..rows * columns).map(|to| values[if transpose { at(to) } else { to }]).collect();
        device.upload(&lain, Dtype::F32).expect("there is memory")
    };
    let (a, b) = (upload(&a, [m, k], transpose_a), upload(&b, [k, n], transpose_b));
    let mut c = device.zeros(m * n, Dtype::F32).expect("there is memory");
    let params = GemmParams { m, n, k, transpose_a, transpose_b, bias: false, dtype: Dtype::F32 };
    let call = GemmCall {
        batch: 1,
        m,
        alpha: 1.0,
        beta: 0.0,
        a: if transpose_a { MatrixRef::dense(&a, k, m) } else { MatrixRef::dense(&a, m, k) },
        b: if transpose_b { MatrixRef::dense(&b, n, k) } else { MatrixRef::dense(&b, k, n) },
        bias: None,
        c: MatrixMut::dense(&mut c, m, n),
    };
    let mut cache = ResourceCache::with_device(device.clone());
    cache.get_or_create_gemm(&params, None).and_then(|plan| plan.run(device, call)).expect("it fits");
    let found = device.read(&c, 0..m * n).expect("the device works");
    assert_eq!(expected.iter().filter(|x| x.is_infinite()).count(), m + n - 1);
    for (place, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let same = f64::from(*found) == *expected || (f64::from(*found) - expected).abs() <= 1e-5 * expected;
        assert!(same, "{found} for {expected} at {place}: {m}x{n}x{k}, {transpose_a} {transpose_b}");
    }
}

#[test]
fn more_matrices_than_a_grid_is_deep_are_multiplied_in_parts() {
    let Some(device) = device() else { return };
    let mut cache = ResourceCache::with_device(device.clone());
    let case = Case {
        batch: 65_537,
        shape: [1, 1, 2],
        transpose: [false, true],
        bias: false,
        slack: [0; 3],
        beta: 0.0,
    };
    check(device, &mut cache, &case);
}

#[test]
fn strides_that_lead_nowhere_may_be_any_number() {
    let Some(device) = device() else { return };
    let mut cache = ResourceCache::with_device(device.clone());
    let layout = MatrixLayout { offset: 1, row_stride: usize::MAX, batch_stride: usize::MAX };
    let a = device.upload(&[9.0, 1.0, 2.0, 3.0], Dtype::F32).expect("there is memory");
    let mut c = device.zeros(4, Dtype::F32).expect("there is memory");
    let params = GemmParams {
        m: 1,
        n: 1,
        k: 3,
        transpose_a: false,
        transpose_b: true,
        bias: false,
        dtype: Dtype::F32,
    };
    let call = GemmCall {
        batch: 1,
        m: 1,
        alpha: 1.0,
        beta: 0.0,
        a: MatrixRef { tensor: &a, layout },
        b: MatrixRef { tensor: &a, layout },
        bias: None,
        c: MatrixMut { tensor: &mut c, layout },
    };
    cache.get_or_create_gemm(&params, None).and_then(|plan| plan.run(device, call)).expect("it fits");
    let params = SoftmaxParams { seq_k: 2, causal: false, dtype: Dtype::F32 };
    let call = SoftmaxCall {
        batch: 1,
        rows: 1,
        seq_k: 2,
        past: usize::MAX,
        scale: 1.0,
        input: MatrixRef { tensor: &a, layout: layout.at(0) },
        output: MatrixMut { tensor: &mut c, layout: layout.at(2) },
    };
    cache.get_or_create_softmax(&params, None).and_then(|plan| plan.run(device, call)).expect("it fits");
    let found = device.read(&c, 0..4).expect("the device works");
    assert_eq!(found[..2], [0.0, 14.0]);
    assert!((found[2] - 0.999_664_6).abs() < 1e-6 && (found[2] + found[3] - 1.0).abs() < 1e-6, "{found:?}");
}
