//! Layer normalisation.

use metallic::caching::CacheableKernel;
use metallic::kernels::layer_norm::{LayerNormCall, LayerNormKernel, LayerNormParams};
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
    rows: usize,
    width: usize,
    /// The mean of the inputs: far from 0, it is lost in a variance that is computed in one pass.
    center: f32,
    epsilon: f32,
    spreads: [Spread; 2],
    seed: u64,
}

fn case() -> impl Strategy<Value = Case> {
    let sizes =
        prop_oneof![6 => (size(20), size(300)), 2 => (size(5), size(2100)), 1 => (Just(110), Just(400))];
    let center = prop_oneof![Just(0.0_f32), Just(-3.0), Just(100.0)];
    let epsilon = prop_oneof![Just(1e-5_f32), Just(1e-12), Just(0.1)];
    let spreads = [spread(true).boxed(), spread(false).boxed()];
    (sizes, center, epsilon, spreads, any::<u64>()).prop_map(
        |((rows, width), center, epsilon, spreads, seed)| Case {
            rows,
            width,
            center,
            epsilon,
            spreads,
            seed,
        },
    )
}

impl Checked for LayerNormKernel {
    /// Compares normalisations with the reference, those of rows with a mean far from 0 included.
    fn compare<D: Runs<Self>>(device: &D, cases: usize) {
        try_cases(Self::NAME, device, cases, case(), check);
    }

    fn refuse<D: Runs<Self>>(device: &D) {
        for (width, dtype) in [(0, Dtype::F32), (3, Dtype::I8)] {
            no_plan::<Self, D>(device, &LayerNormParams { width, dtype });
        }
        let params = LayerNormParams { width: 6, dtype: Dtype::F32 };
        let plan = must_plan::<Self, D>(device, &params);
        let [input, gamma, beta, short] = [12, 6, 6, 5].map(|elements| tensor(device, elements));
        define_wrong!(device, plan, [output: 12], LayerNormCall {
            rows: 2,
            epsilon: 1e-5,
            input: MatrixRef::dense(&input, 2, 6),
            gamma: &gamma,
            beta: &beta,
            output: MatrixMut::dense(&mut output, 2, 6),
        }, $);
        wrong!("layer norm with an epsilon of 0", |call| call.epsilon = 0.0);
        wrong!("layer norm with a NaN for epsilon", |call| call.epsilon = f32::NAN);
        wrong!("layer norm with a gamma too short", |call| call.gamma = &short);
        wrong!("layer norm with a beta too short", |call| call.beta = &short);
        wrong!("layer norm of more rows than there are", |call| call.rows = 3);
        wrong!("layer norm of overlapping rows", |call| call.input.layout.row_stride = 5);
        wrong!("layer norm into an output beyond its end", |call| call.output.layout.offset = 1);
        let other = of_f16(device, 12);
        if let Some(other) = &other {
            wrong!("layer norm of an input of f16", |call| call.input.tensor = other);
        }
    }

    fn share<D: Runs<Self>>(device: &D) {
        let layer_norm = |width| LayerNormParams { width, dtype: Dtype::F32 };
        check_plans::<Self, D>(device, [8, 8, 9].map(layer_norm), 2);
    }

    fn change_inputs<D: Runs<Self>>(device: &D) -> Found {
        let layer_norm = |(width, dtype)| LayerNormParams { width, dtype };
        let inputs = [(8, Dtype::F32), (9, Dtype::F32), (4096, Dtype::F32), (8, Dtype::F16)];
        check_inputs::<Self, D>(device, inputs.map(layer_norm))
    }
}

fn check<D: Runs<LayerNormKernel>>(device: &D, dtype: Dtype, case: &Case) -> Outcome {
    let &Case { rows, width, center, epsilon, spreads: [from, to], seed } = case;
    let mut numbers = Numbers(seed);
    let shape = [1, rows, width];
    let values = numbers.around(center, 1.0, from.elements(shape));
    let input = Matrices::upload(device, dtype, &from, shape, &values)?;
    let values = numbers.around(1.0, 0.5, width);
    let gamma = Matrices::upload(device, dtype, &Spread::DENSE, [1, 1, width], &values)?;
    let values = numbers.around(0.0, 0.5, width);
    let beta = Matrices::upload(device, dtype, &Spread::DENSE, [1, 1, width], &values)?;
    let values = vec![f32::NAN; to.elements(shape)];
    let mut output = Matrices::upload(device, dtype, &to, shape, &values)?;

    let key = LayerNormKernel::key(&LayerNormParams { width, dtype });
    let plan = done("plan", LayerNormKernel::create_cached_resource(&key, Some(device)))?;
    let call = LayerNormCall {
        rows,
        epsilon,
        input: input.as_ref(),
        gamma: &gamma.tensor,
        beta: &beta.tensor,
        output: output.as_mut(),
    };
    done("run", plan.run(device, call))?;

    let (gamma, beta, epsilon) = (gamma.matrix(0), beta.matrix(0), f64::from(epsilon));
    let wanted = input
        .matrix(0)
        .chunks(width)
        .flat_map(|row| {
            let (_, variance) = reference::moments(row);
            let largest = row.iter().map(|x| x.abs()).fold(0.0, f64::max) / (variance + epsilon).sqrt();
            let results = reference::layer_norm(row, epsilon, &gamma, &beta);
            let affine: Vec<_> = gamma.iter().zip(&beta).collect();
            let units = results.iter().zip(affine).map(move |(result, (gamma, beta))| {
                let scaled = (result - beta).abs();
                gamma.abs() * largest * (8.0 + (width as f64).sqrt()) + 16.0 * (scaled + beta.abs())
            });
            results.iter().copied().zip(units.map(|units| units * U)).collect::<Vec<_>>()
        })
        .collect();
    output.compare(device, dtype, &[wanted])
}
