//! Sums.

use metallic::caching::CacheableKernel;
use metallic::kernels::add::{AddCall, AddKernel, AddParams};
use metallic::kernels::{Operation, Runs};
use metallic::tensor::Dtype;
use proptest::prelude::*;

use super::cases::{Numbers, Outcome, done, size, try_cases};
use super::deviation::U;
use super::operand::{Matrices, Spread};
use crate::reference;

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

/// Compares sums with the reference: one row added to each, and periods beyond the end.
///
/// # Panics
/// If one is wrong.
pub fn check_add<D: Runs<AddKernel>>(device: &D, cases: usize) {
    try_cases("add", device, cases, case(), check);
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

    let sums = reference::add(&a.matrix(0), &b.matrix(0), period);
    let wanted = sums.into_iter().map(|sum| (sum, U * sum.abs())).collect();
    output.compare(device, dtype, &[wanted])
}
