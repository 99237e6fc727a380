//! Softmax.

use metallic::caching::CacheableKernel;
use metallic::kernels::softmax::{SoftmaxCall, SoftmaxKernel, SoftmaxParams};
use metallic::kernels::{Operation, Runs};
use metallic::tensor::{Dtype, MatrixMut, MatrixRef};
use proptest::prelude::*;

use super::cases::{Numbers, Outcome, done, size, try_cases};
use super::checked::Checked;
use super::deviation::U;
use super::inputs::{Found, check_inputs};
use super::operand::{Matrices, Spread, spread};
use super::refusals::{define_wrong, must_plan, no_plan, of_f16, tensor};
use super::sharing::check_plans;
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

/// Right parameters.
const SOFTMAX: SoftmaxParams = SoftmaxParams { seq_k: 7, causal: true, dtype: Dtype::F32 };

impl Checked for SoftmaxKernel {
    /// Compares softmaxes with the reference: causal and not, inputs whose powers of e are beyond all numbers.
    fn compare<D: Runs<Self>>(device: &D, cases: usize) {
        try_cases(Self::NAME, device, cases, case(), check);
    }

    fn refuse<D: Runs<Self>>(device: &D) {
        no_plan::<Self, D>(device, &SoftmaxParams { seq_k: 0, ..SOFTMAX });
        no_plan::<Self, D>(device, &SoftmaxParams { dtype: Dtype::U32, ..SOFTMAX });
        let plan = must_plan::<Self, D>(device, &SOFTMAX);
        let input = tensor(device, 21);
        define_wrong!(device, plan, [output: 21], SoftmaxCall {
            batch: 1,
            rows: 3,
            seq_k: 7,
            past: 4,
            scale: 1.0,
            input: MatrixRef::dense(&input, 3, 7),
            output: MatrixMut::dense(&mut output, 3, 7),
        }, $);
        wrong!("softmax of longer rows than the bucket", |call| call.seq_k = 9);
        wrong!("softmax of empty rows", |call| call.seq_k = 0);
        wrong!("softmax that sees beyond the end", |call| call.past = 5);
        wrong!("softmax that sees beyond all numbers", |call| call.past = usize::MAX);
        wrong!("softmax with a NaN for the scale", |call| call.scale = f32::NAN);
        wrong!("softmax of an input beyond its end", |call| call.input.layout.offset = 1);
        wrong!("softmax into an output beyond its end", |call| call.output.layout.row_stride = 8);
        wrong!("softmax of more matrices than there are", |call| call.batch = 2);
        let other = of_f16(device, 21);
        if let Some(other) = &other {
            wrong!("softmax of an input of f16", |call| call.input.tensor = other);
        }
    }

    fn share<D: Runs<Self>>(device: &D) {
        let softmax = |seq_k| SoftmaxParams { seq_k, causal: false, dtype: Dtype::F32 };
        check_plans::<Self, D>(device, [257, 300, 511, 512].map(softmax), 1);
        check_plans::<Self, D>(device, [1, 2, 256, 257, 513].map(softmax), 5);
        check_plans::<Self, D>(device, [softmax(7), SoftmaxParams { causal: true, ..softmax(7) }], 2);
    }

    fn change_inputs<D: Runs<Self>>(device: &D) -> Found {
        let inputs = [
            SOFTMAX,
            SoftmaxParams { seq_k: SOFTMAX.seq_k + 1, ..SOFTMAX },
            SoftmaxParams { seq_k: 4096, ..SOFTMAX },
            SoftmaxParams { causal: !SOFTMAX.causal, ..SOFTMAX },
            SoftmaxParams { dtype: Dtype::F16, ..SOFTMAX },
        ];
        check_inputs::<Self, D>(device, inputs)
    }
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
