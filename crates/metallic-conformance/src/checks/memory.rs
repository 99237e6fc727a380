//! The device's memory.

use std::ops::Range;

use half::f16;
use metallic::device::ComputeDevice;
use metallic::error::MetalError;
use metallic::tensor::{Dtype, Tensor};
use proptest::prelude::*;

use super::cases::{Numbers, Outcome, done, size, try_cases};

#[derive(Debug)]
struct Case {
    lengths: [usize; 2],
    /// Two offsets and a length, as fractions of what there is, some beyond it.
    places: [f64; 3],
    seed: u64,
}

fn case() -> impl Strategy<Value = Case> {
    (size(300), size(300), [0.0..1.2_f64, 0.0..1.2, 0.0..1.2], any::<u64>())
        .prop_map(|(from, to, places, seed)| Case { lengths: [from, to], places, seed })
}

/// Checks that zeros are zeros, that values come back as they went in, rounded to the nearest of the type, that copies and writes
/// arrive where they should and nowhere else, and that what goes beyond an end is an error that changes nothing.
///
/// # Panics
/// If not.
pub fn check_memory<D: ComputeDevice>(device: &D, cases: usize) {
    assert!(device.supports(Dtype::F32), "a device has tensors of f32");
    for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::U32, Dtype::I8, Dtype::U8] {
        let made = device.zeros(3, dtype);
        if device.supports(dtype) {
            let made = made.unwrap_or_else(|error| panic!("three zeros of {dtype}: {error}"));
            assert_eq!((made.dtype(), made.elements()), (dtype, 3), "three zeros of {dtype}");
        } else {
            let error = made.err();
            assert!(
                matches!(error, Some(MetalError::InvalidParams { .. })),
                "zeros of {dtype}, which the device does not support: {error:?}"
            );
        }
    }
    for elements in [usize::MAX, isize::MAX as usize / 4 + 1] {
        assert!(device.zeros(elements, Dtype::F32).is_err(), "{elements} zeros cannot be had");
    }
    try_cases("memory", device, cases, case(), check);
    done("synchronize", device.synchronize()).unwrap_or_else(|error| panic!("{error}"));
}

fn rounded(dtype: Dtype, value: f32) -> f32 {
    if dtype == Dtype::F16 { f16::from_f32(value).to_f32() } else { value }
}

fn check<D: ComputeDevice>(device: &D, dtype: Dtype, case: &Case) -> Outcome {
    let [length_from, length_to] = case.lengths;
    let mut numbers = Numbers(case.seed);
    let values = numbers.around(0.0, 70.0, length_from);
    let from = done("upload", device.upload(&values, dtype))?;
    let mut to = done("zeros", device.zeros(length_to, dtype))?;
    let mut want_from: Vec<f32> = values.iter().map(|value| rounded(dtype, *value)).collect();
    let mut want_to = vec![0.0; length_to];
    compare(device, "an upload", &from, &want_from)?;
    compare(device, "zeros", &to, &want_to)?;

    let [from_offset, to_offset, elements] = [
        (length_from as f64 * case.places[0]) as usize,
        (length_to as f64 * case.places[1]) as usize,
        (length_from.min(length_to) as f64 * case.places[2]) as usize,
    ];
    let fits = from_offset + elements <= length_from && to_offset + elements <= length_to;
    let copied = device.copy(&from, from_offset, &mut to, to_offset, elements);
    expect(&format!("a copy of {elements} from {from_offset} to {to_offset}"), fits, copied)?;
    if fits {
        want_to[to_offset..][..elements].copy_from_slice(&want_from[from_offset..][..elements]);
    }
    compare(device, "the target of a copy", &to, &want_to)?;
    compare(device, "the source of a copy", &from, &want_from)?;

    let mut from = from;
    let fits = from_offset + elements <= length_from;
    let values = numbers.around(0.0, 1.0, elements);
    let written = device.write(&mut from, from_offset, &values);
    expect(&format!("a write of {elements} to {from_offset}"), fits, written)?;
    if fits {
        for (want, value) in want_from[from_offset..].iter_mut().zip(&values) {
            *want = rounded(dtype, *value);
        }
    }
    compare(device, "the target of a write", &from, &want_from)?;

    let range = from_offset..from_offset + elements;
    let read = device.read(&from, range.clone());
    if fits && read.as_ref().is_ok_and(|read| read != &want_from[range.clone()]) {
        return Err(format!("a read of {range:?} is not what a read of all has there"));
    }
    expect(&format!("a read of {range:?}"), fits, read)?;
    for range in [usize::MAX - 1..usize::MAX, Range { start: 1, end: 0 }, 0..usize::MAX] {
        expect(&format!("a read of {range:?}"), false, device.read(&from, range))?;
    }
    expect("a write beyond all numbers", false, device.write(&mut from, usize::MAX, &[1.0]))?;
    let other = if dtype == Dtype::F32 { Dtype::F16 } else { Dtype::F32 };
    if device.supports(other) {
        let mut other = done("zeros", device.zeros(length_from, other))?;
        expect("a copy to another type", false, device.copy(&from, 0, &mut other, 0, 1))?;
    }
    compare(device, "a tensor after wrong calls", &from, &want_from)
}

fn expect<T>(what: &str, fits: bool, result: Result<T, MetalError>) -> Outcome {
    match result {
        Ok(_) if fits => Ok(()),
        Err(MetalError::InvalidParams { .. }) if !fits => Ok(()),
        Ok(_) => Err(format!("{what} beyond an end worked")),
        Err(error) => Err(format!("{what}: {error}")),
    }
}

fn compare<D: ComputeDevice>(device: &D, what: &str, tensor: &D::Tensor, wanted: &[f32]) -> Outcome {
    let got = done("read", device.read(tensor, 0..wanted.len()))?;
    match got.iter().zip(wanted).position(|(got, wanted)| got.to_bits() != wanted.to_bits()) {
        None => Ok(()),
        Some(at) => Err(format!("element {at} of {what} is {:e}, not {:e}", got[at], wanted[at])),
    }
}
