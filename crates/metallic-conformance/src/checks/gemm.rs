//! Matrix products.

use metallic::caching::CacheableKernel;
use metallic::kernels::gemm::{GemmCall, GemmKernel, GemmParams};
use metallic::kernels::{Operation, Runs};
use metallic::tensor::{Dtype, MatrixMut, MatrixRef};
use proptest::prelude::*;

use super::cases::{Numbers, Outcome, done, factor, size, try_cases};
use super::checked::Checked;
use super::deviation::U;
use super::inputs::{Found, check_inputs, compare_inputs};
use super::operand::{Matrices, Spread, spread};
use super::refusals::{define_wrong, must_plan, no_plan, of_f16, refused, tensor, unchanged};
use super::sharing::check_plans;
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

/// Right parameters.
const GEMM: GemmParams =
    GemmParams { m: 3, n: 4, k: 5, transpose_a: false, transpose_b: false, bias: true, dtype: Dtype::F32 };

impl Checked for GemmKernel {
    /// Compares products with the reference: batches, transposes, factors, bias, one matrix for all, C of NaNs where it is only
    /// written.
    fn compare<D: Runs<Self>>(device: &D, cases: usize) {
        try_cases(Self::NAME, device, cases, case(), check);
    }

    fn refuse<D: Runs<Self>>(device: &D) {
        for params in [
            GemmParams { m: 0, ..GEMM },
            GemmParams { n: 0, ..GEMM },
            GemmParams { k: 0, ..GEMM },
            GemmParams { n: usize::MAX / 2, ..GEMM },
            GemmParams { dtype: Dtype::U8, ..GEMM },
        ] {
            no_plan::<Self, D>(device, &params);
        }
        if !device.supports(Dtype::F16) {
            no_plan::<Self, D>(device, &GemmParams { dtype: Dtype::F16, ..GEMM });
        }
        let plan = must_plan::<Self, D>(device, &GEMM);
        let [a, b, bias, short] = [15, 20, 4, 3].map(|elements| tensor(device, elements));
        define_wrong!(device, plan, [output: 12], GemmCall {
            batch: 1,
            m: 3,
            alpha: 1.0,
            beta: 0.0,
            a: MatrixRef::dense(&a, 3, 5),
            b: MatrixRef::dense(&b, 5, 4),
            bias: Some(&bias),
            c: MatrixMut::dense(&mut output, 3, 4),
        }, $);
        wrong!("gemm of no rows", |call| call.m = 0);
        wrong!("gemm of more rows than the bucket", |call| call.m = 5);
        wrong!("gemm with a NaN for alpha", |call| call.alpha = f32::NAN);
        wrong!("gemm with an infinite beta", |call| call.beta = f32::INFINITY);
        wrong!("gemm without its bias", |call| call.bias = None);
        wrong!("gemm with a bias too short", |call| call.bias = Some(&short));
        wrong!("gemm of more products than there are", |call| call.batch = 2);
        wrong!("gemm of an A beyond its end", |call| call.a.layout.offset = 1);
        wrong!("gemm of a B of overlapping rows", |call| call.b.layout.row_stride = 3);
        wrong!("gemm into a C beyond its end", |call| call.c.layout.offset = 1);
        wrong!("gemm into results that overlap", |call| {
            call.batch = 2;
            call.a.layout.batch_stride = 0;
            call.b.layout.batch_stride = 0;
            call.c.layout.batch_stride = 0;
        });
        let other = of_f16(device, 20);
        if let Some(other) = &other {
            wrong!("gemm with a B of f16", |call| call.b.tensor = other);
            wrong!("gemm with a bias of f16", |call| call.bias = Some(other));
        }
        let plan = must_plan::<Self, D>(device, &GemmParams { bias: false, ..GEMM });
        let mut output = tensor(device, 12);
        let call = GemmCall {
            batch: 1,
            m: 3,
            alpha: 1.0,
            beta: 0.0,
            a: MatrixRef::dense(&a, 3, 5),
            b: MatrixRef::dense(&b, 5, 4),
            bias: Some(&bias),
            c: MatrixMut::dense(&mut output, 3, 4),
        };
        refused("gemm with a bias that the plan lacks", plan.run(device, call));
        unchanged(device, "gemm with a bias that the plan lacks", &output, 12);
    }

    fn share<D: Runs<Self>>(device: &D) {
        let gemm = |m| GemmParams { m, transpose_b: true, ..GEMM };
        check_plans::<Self, D>(device, [33, 40, 63, 64].map(gemm), 1);
        check_plans::<Self, D>(device, [1, 2, 3, 4, 5, 8].map(gemm), 4);
        let other = [
            gemm(8),
            GemmParams { n: 5, ..gemm(8) },
            GemmParams { k: 4, ..gemm(8) },
            GemmParams { transpose_a: true, ..gemm(8) },
            GemmParams { transpose_b: false, ..gemm(8) },
            GemmParams { bias: false, ..gemm(8) },
        ];
        check_plans::<Self, D>(device, other, 6);
    }

    fn change_inputs<D: Runs<Self>>(device: &D) -> Found {
        // Other lengths within the bucket, without whole vectors, and beyond what goes another way.
        let inputs = [
            GEMM,
            GemmParams { m: GEMM.m + 64, ..GEMM },
            GemmParams { n: GEMM.n + 1, ..GEMM },
            GemmParams { k: GEMM.k + 1, ..GEMM },
            GemmParams { transpose_a: !GEMM.transpose_a, ..GEMM },
            GemmParams { transpose_b: !GEMM.transpose_b, ..GEMM },
            GemmParams { bias: !GEMM.bias, ..GEMM },
            GemmParams { dtype: Dtype::F16, ..GEMM },
        ];
        let found = check_inputs::<Self, D>(device, inputs);
        let long = |m| GemmParams { m, n: 1024, k: 1024, ..GEMM };
        found.and(compare_inputs::<Self, D>(device, [33, 64, 40, 65, 1].map(long)))
    }
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
