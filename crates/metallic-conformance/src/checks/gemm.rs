//! Matrix products.

use metallic::caching::CacheableKernel;
use metallic::kernels::gemm::{GemmCall, GemmKernel, GemmParams};
use metallic::kernels::{Operation, Runs};
use metallic::tensor::Dtype;
use proptest::prelude::*;

use super::cases::{Numbers, Outcome, done, factor, size, try_cases};
use super::deviation::U;
use super::operand::{Matrices, Spread, spread};
use crate::reference;

#[derive(Debug)]
struct Case {
    batch: usize,
    params: [usize; 3],
    transpose: [bool; 2],
    bias: bool,
    factors: [f32; 2],
    spreads: [Spread; 3],
    seed: u64,
}

fn case() -> impl Strategy<Value = Case> {
    // The larger sizes one at a time, so that the reference is done soon.
    let sizes = prop_oneof![
        (size(66), size(70), size(70)),
        (size(5), size(520), size(70)),
        (size(5), size(70), size(1030)),
        (Just(1), size(300), size(300)),
        (size(140), size(130), size(64)),
    ];
    let spreads = [spread(true).boxed(), spread(true).boxed(), spread(false).boxed()];
    (1..4_usize, sizes, any::<[bool; 2]>(), any::<bool>(), [factor(), factor()], spreads, any::<u64>())
        .prop_map(|(batch, (m, n, k), transpose, bias, factors, spreads, seed)| {
            // The larger ones alone.
            let batch = if m * n * k > 1 << 18 { 1 } else { batch };
            Case { batch, params: [m, n, k], transpose, bias, factors, spreads, seed }
        })
}

/// Compares products with the reference: batches, transposes, factors, bias, one matrix for all, C of NaNs where it is only written.
///
/// # Panics
/// If one is wrong.
pub fn check_gemm<D: Runs<GemmKernel>>(device: &D, cases: usize) {
    try_cases("gemm", device, cases, case(), check);
}

fn check<D: Runs<GemmKernel>>(device: &D, dtype: Dtype, case: &Case) -> Outcome {
    let &Case { batch, params: [m, n, k], transpose: [transpose_a, transpose_b], bias, .. } = case;
    let &Case { factors: [alpha, beta], spreads: [spread_a, spread_b, spread_c], .. } = case;
    let mut numbers = Numbers(case.seed);
    let shape_a = if transpose_a { [batch, k, m] } else { [batch, m, k] };
    let shape_b = if transpose_b { [batch, n, k] } else { [batch, k, n] };
    let shape_c = [batch, m, n];
    let values = numbers.around(0.1, 1.0, spread_a.elements(shape_a));
    let a = Matrices::upload(device, dtype, &spread_a, shape_a, &values)?;
    let values = numbers.around(0.0, 1.0, spread_b.elements(shape_b));
    let b = Matrices::upload(device, dtype, &spread_b, shape_b, &values)?;
    let before = if beta == 0.0 { f32::NAN } else { -0.3 };
    let values = numbers.around(before, 1.0, spread_c.elements(shape_c));
    let mut c = Matrices::upload(device, dtype, &spread_c, shape_c, &values)?;
    let flat = Spread::DENSE;
    let values = numbers.around(0.5, 1.0, n);
    let bias = bias.then(|| Matrices::upload(device, dtype, &flat, [1, 1, n], &values)).transpose()?;

    let params = GemmParams { m, n, k, transpose_a, transpose_b, bias: bias.is_some(), dtype };
    let key = GemmKernel::key(&params);
    let plan = done("plan", GemmKernel::create_cached_resource(&key, Some(device)))?;
    let call = GemmCall {
        batch,
        m,
        alpha,
        beta,
        a: a.as_ref(),
        b: b.as_ref(),
        bias: bias.as_ref().map(|bias| &bias.tensor),
        c: c.as_mut(),
    };
    done("run", plan.run(device, call))?;

    let bias = bias.map(|bias| bias.matrix(0));
    let factors = [f64::from(alpha), f64::from(beta)];
    let magnitudes = |values: &[f64]| values.iter().map(|x| x.abs()).collect::<Vec<_>>();
    let wanted: Vec<_> = (0..batch)
        .map(|matrix| {
            let op_a = if transpose_a { a.transposed(matrix) } else { a.matrix(matrix) };
            let op_b = if transpose_b { b.transposed(matrix) } else { b.matrix(matrix) };
            let before = c.matrix(matrix);
            let result = reference::gemm([m, n, k], factors, &op_a, &op_b, bias.as_deref(), &before);
            let terms = reference::gemm(
                [m, n, k],
                factors.map(f64::abs),
                &magnitudes(&op_a),
                &magnitudes(&op_b),
                bias.as_deref().map(magnitudes).as_deref(),
                &magnitudes(&before),
            );
            let allowed = (8.0 + 2.0 * (k as f64).sqrt()) * U;
            result.into_iter().zip(terms.into_iter().map(|terms| allowed * terms)).collect()
        })
        .collect();
    c.compare(device, dtype, &wanted)
}
