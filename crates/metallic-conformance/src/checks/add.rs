//! Sums.

use metallic::caching::CacheableKernel;
use metallic::kernels::add::{AddCall, AddKernel, AddParams};
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

#[derive(Debug)]
struct Case {
    elements: usize,
    period: usize,
    /// More that the tensors have.
    tail: usize,
    seed: u64,
}

fn case() -> impl Strategy<Value = Case> {
    let elements = prop_oneof![8 => size(5000), 1 => Just(200_001)];
    let period = prop_oneof![size(20), size(6000), Just(usize::MAX)];
    (elements, period, 0..20_usize, any::<u64>()).prop_map(|(elements, period, tail, seed)| Case {
        elements,
        period,
        tail,
        seed,
    })
}

impl Checked for AddKernel {
    /// Compares sums with the reference: one row added to each, and periods beyond the end.
    fn compare<D: Runs<Self>>(device: &D, cases: usize) {
        try_cases(Self::NAME, device, cases, case(), check);
    }

    fn refuse<D: Runs<Self>>(device: &D) {
        no_plan::<Self, D>(device, &AddParams { dtype: Dtype::U32 });
        if !device.supports(Dtype::F16) {
            no_plan::<Self, D>(device, &AddParams { dtype: Dtype::F16 });
        }
        let [input, short] = [9, 4].map(|elements| tensor(device, elements));
        let other = of_f16(device, 9);
        let plan = must_plan::<Self, D>(device, &AddParams { dtype: Dtype::F32 });
        define_wrong!(device, plan, [output: 9], AddCall {
            elements: 9,
            period: 4,
            a: &input,
            b: &short,
            output: &mut output,
        }, $);
        wrong!("add with a period of 0", |call| call.period = 0);
        wrong!("add with a period beyond b", |call| call.period = 5);
        wrong!("add of more elements than there are", |call| call.elements = 10);
        wrong!("add of an a too short", |call| call.a = &short);
        if let Some(other) = &other {
            wrong!("add of a b of f16", |call| call.b = other);
        }
    }

    fn share<D: Runs<Self>>(device: &D) {
        let add = AddParams { dtype: Dtype::F32 };
        check_plans::<Self, D>(device, [add, add], 1);
    }

    fn change_inputs<D: Runs<Self>>(device: &D) -> Found {
        let add = |dtype| AddParams { dtype };
        check_inputs::<Self, D>(device, [Dtype::F32, Dtype::F16].map(add))
    }
}

fn check<D: Runs<AddKernel>>(device: &D, dtype: Dtype, case: &Case) -> Outcome {
    let &Case { elements, period, tail, seed } = case;
    let mut numbers = Numbers(seed);
    let flat = Spread::with_tail(tail);
    let upload = |count: usize, values: &[f32]| Matrices::upload(device, dtype, &flat, [1, 1, count], values);
    let a = upload(elements, &numbers.around(0.0, 1.0, elements + tail))?;
    let repeated = period.min(elements);
    let b = upload(repeated, &numbers.around(0.0, 1.0, repeated + tail))?;
    let mut output = upload(elements, &vec![f32::NAN; elements + tail])?;

    let key = AddKernel::key(&AddParams { dtype });
    let plan = done("plan", AddKernel::create_cached_resource(&key, Some(device)))?;
    let call = AddCall { elements, period, a: &a.tensor, b: &b.tensor, output: &mut output.tensor };
    done("run", plan.run(device, call))?;

    let (a, b) = (a.matrix(0), b.matrix(0));
    let sums = a.iter().enumerate().map(|(index, a)| a + b[index % period]);
    let wanted = sums.map(|sum| (sum, U * sum.abs())).collect();
    output.compare(device, dtype, &[wanted])
}
