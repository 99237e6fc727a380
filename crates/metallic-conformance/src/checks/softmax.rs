//! Softmax.

use metallic::caching::CacheableKernel;
use metallic::kernels::softmax::{SoftmaxCall, SoftmaxKernel, SoftmaxParams};
use metallic::kernels::{Operation, Runs};
use metallic::tensor::Dtype;
use proptest::prelude::*;

use super::cases::{Numbers, Outcome, done, size, try_cases};
use super::deviation::U;
use super::operand::{Matrices, Spread, spread};
use crate::reference;

#[derive(Debug)]
struct Case {
    batch: usize,
    rows: usize,
    seq_k: usize,
    past: usize,
    causal: bool,
    scale: f32,
    /// How far inputs are from 0; 200 is beyond what a bare `exp` can do.
    spread: f32,
    spreads: [Spread; 2],
    seed: u64,
}

fn case() -> impl Strategy<Value = Case> {
    let sizes = prop_oneof![
        8 => (size(40), size(300), 0..40_usize),
        1 => (size(5), size(2100), 0..9_usize),
        1 => (Just(130), Just(400), Just(260_usize)),
    ];
    let spread_of_values = prop_oneof![Just(1.0_f32), Just(20.0), Just(200.0)];
    let scale = prop_oneof![Just(1.0_f32), Just(0.125), Just(0.0), Just(-1.0)];
    let spreads = [spread(true).boxed(), spread(false).boxed()];
    (1..4_usize, sizes, any::<bool>(), scale, spread_of_values, spreads, any::<u64>()).prop_map(
        |(batch, (rows, seq_k, past), causal, scale, spread, spreads, seed)| {
            // Causal rows must not see beyond the row's end.
            let (rows, past) = if causal {
                let rows = rows.min(seq_k);
                (rows, past.min(seq_k - rows))
            } else {
                (rows, past)
            };
            Case { batch, rows, seq_k, past, causal, scale, spread, spreads, seed }
        },
    )
}

/// Compares softmaxes with the reference: causal and not, inputs whose powers of e are beyond all numbers.
///
/// # Panics
/// If one is wrong.
pub fn check_softmax<D: Runs<SoftmaxKernel>>(device: &D, cases: usize) {
    try_cases("softmax", device, cases, case(), check);
}

fn check<D: Runs<SoftmaxKernel>>(device: &D, dtype: Dtype, case: &Case) -> Outcome {
    let &Case { batch, rows, seq_k, past, causal, scale, spread, spreads: [from, to], seed } = case;
    let mut numbers = Numbers(seed);
    let shape = [batch, rows, seq_k];
    let values = numbers.around(0.0, spread, from.elements(shape));
    let input = Matrices::upload(device, dtype, &from, shape, &values)?;
    let values = vec![f32::NAN; to.elements(shape)];
    let mut output = Matrices::upload(device, dtype, &to, shape, &values)?;

    let key = SoftmaxKernel::key(&SoftmaxParams { seq_k, causal, dtype });
    let plan = done("plan", SoftmaxKernel::create_cached_resource(&key, Some(device)))?;
    let call =
        SoftmaxCall { batch, rows, seq_k, past, scale, input: input.as_ref(), output: output.as_mut() };
    done("run", plan.run(device, call))?;

    let scale = f64::from(scale);
    let wanted: Vec<Vec<_>> = (0..batch)
        .map(|matrix| {
            let input = input.matrix(matrix);
            input
                .chunks(seq_k)
                .enumerate()
                .flat_map(|(index, row)| {
                    let seen = if causal { past + index + 1 } else { seq_k };
                    let mut results = softmax_row(&row[..seen], scale);
                    results.resize(seq_k, (0.0, 0.0));
                    results
                })
                .collect()
        })
        .collect();
    output.compare(device, dtype, &wanted)
}

/// A row's softmax, and how far each element may be off.
fn softmax_row(row: &[f64], scale: f64) -> Vec<(f64, f64)> {
    let most = row.iter().map(|x| scale * x).fold(f64::NEG_INFINITY, f64::max);
    let largest = row.iter().map(|x| (scale * x).abs()).fold(0.0, f64::max);
    let wanted = reference::softmax(row, scale);
    let below = row.iter().map(|x| most - scale * x);
    let units = below.map(|below| 16.0 + (row.len() as f64).sqrt() + 2.0 * below + 2.0 * largest);
    wanted.iter().zip(units).map(|(wanted, units)| (*wanted, units * U * wanted)).collect()
}
