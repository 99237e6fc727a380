//! GELU.

use metallic::caching::CacheableKernel;
use metallic::kernels::gelu::{GeluApproximation, GeluCall, GeluKernel, GeluParams};
use metallic::kernels::{Operation, Runs};
use metallic::tensor::Dtype;
use proptest::prelude::*;

use super::cases::{Numbers, Outcome, done, size, try_cases};
use super::checked::Checked;
use super::deviation::U;
use super::inputs::{Found, check_inputs};
use super::operand::{Matrices, Spread};
use super::refusals::{define_wrong, must_plan, no_plan, of_f16, tensor};
use super::sharing::check_plans;
use crate::reference;

#[derive(Debug)]
struct Case {
    elements: usize,
    /// More that the tensors have.
    tail: usize,
    tanh: bool,
    /// How far inputs are from 0.
    spread: f32,
    seed: u64,
}

fn case() -> impl Strategy<Value = Case> {
    let elements = prop_oneof![8 => size(5000), 1 => Just(50_001)];
    let spread = prop_oneof![Just(0.1_f32), Just(3.0), Just(10.0), Just(10_000.0)];
    (elements, 0..20_usize, any::<bool>(), spread, any::<u64>())
        .prop_map(|(elements, tail, tanh, spread, seed)| Case { elements, tail, tanh, spread, seed })
}

/// Right parameters.
const GELU: GeluParams = GeluParams { approximation: GeluApproximation::Tanh, dtype: Dtype::F32 };

impl Checked for GeluKernel {
    /// Compares both forms with the reference, from inputs near 0 to those whose cube is beyond what `exp` can do.
    fn compare<D: Runs<Self>>(device: &D, cases: usize) {
        try_cases(Self::NAME, device, cases, case(), check);
    }

    fn refuse<D: Runs<Self>>(device: &D) {
        no_plan::<Self, D>(device, &GeluParams { dtype: Dtype::U32, ..GELU });
        let [input, short] = [9, 4].map(|elements| tensor(device, elements));
        let other = of_f16(device, 9);
        let plan = must_plan::<Self, D>(device, &GELU);
        define_wrong!(device, plan, [output: 9], GeluCall {
            elements: 9,
            input: &input,
            output: &mut output,
        }, $);
        wrong!("gelu of more elements than there are", |call| call.elements = 10);
        wrong!("gelu of an input too short", |call| call.input = &short);
        if let Some(other) = &other {
            wrong!("gelu of an input of f16", |call| call.input = other);
        }
    }

    fn share<D: Runs<Self>>(device: &D) {
        let forms = [GeluApproximation::None, GeluApproximation::Tanh, GeluApproximation::None];
        check_plans::<Self, D>(device, forms.map(|approximation| GeluParams { approximation, ..GELU }), 2);
    }

    fn change_inputs<D: Runs<Self>>(device: &D) -> Found {
        let erf = GeluParams { approximation: GeluApproximation::None, ..GELU };
        check_inputs::<Self, D>(device, [GELU, erf, GeluParams { dtype: Dtype::F16, ..GELU }])
    }
}

fn check<D: Runs<GeluKernel>>(device: &D, dtype: Dtype, case: &Case) -> Outcome {
    let &Case { elements, tail, tanh, spread, seed } = case;
    let shape = [1, 1, elements];
    let flat = Spread::with_tail(tail);
    let values = Numbers(seed).around(0.0, spread, elements + tail);
    let input = Matrices::upload(device, dtype, &flat, shape, &values)?;
    let mut output = Matrices::upload(device, dtype, &flat, shape, &vec![f32::NAN; elements + tail])?;

    let approximation = if tanh { GeluApproximation::Tanh } else { GeluApproximation::None };
    let key = GeluKernel::key(&GeluParams { approximation, dtype });
    let plan = done("plan", GeluKernel::create_cached_resource(&key, Some(device)))?;
    let call = GeluCall { elements, input: &input.tensor, output: &mut output.tensor };
    done("run", plan.run(device, call))?;

    let function = if tanh { reference::gelu_tanh } else { reference::gelu_erf };
    let wanted = input.matrix(0).into_iter().map(|x| (function(x), 16.0 * U * x.abs())).collect();
    output.compare(device, dtype, &[wanted])
}
