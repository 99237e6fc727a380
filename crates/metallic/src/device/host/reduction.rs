//! Sums of products over vectors, in the widest registers that the processor has.

use pulp::{Simd, WithSimd};

use super::element::Element;

/// `sum[j] += the inner product of a and row j of b`, rows being `stride` apart, with `stride >= a.len()` unless there is one.
/// The scratch is of [`inner_scratch`] elements.
pub(crate) fn inner_products<E: Element>(
    a: &[f32],
    b: &[E],
    stride: usize,
    scratch: &mut [f32],
    sums: &mut [f32],
) {
    pulp::Arch::new().dispatch(InnerProducts { a, b, stride, scratch, sums });
}

/// How many rows are multiplied at once.
const ROWS: usize = 4;

/// The scratch that [`inner_products`] over `k` elements needs.
pub(crate) fn inner_scratch<E: Element>(k: usize) -> usize {
    if E::WIDENS { ROWS * k } else { 0 }
}

struct InnerProducts<'a, E> {
    a: &'a [f32],
    b: &'a [E],
    stride: usize,
    scratch: &'a mut [f32],
    sums: &'a mut [f32],
}

impl<E: Element> WithSimd for InnerProducts<'_, E> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { a, b, stride, scratch, sums } = self;
        let k = a.len();
        let part = if E::WIDENS { k } else { 0 };
        for (block, sums) in sums.chunks_mut(ROWS).enumerate() {
            let row = |index: usize| &b[(block * ROWS + index) * stride..][..k];
            if let [first, second, third, fourth] = sums {
                let (scratch_0, rest) = scratch.split_at_mut(part);
                let (scratch_1, rest) = rest.split_at_mut(part);
                let (scratch_2, scratch_3) = rest.split_at_mut(part);
                let rows = [
                    E::widen(row(0), scratch_0),
                    E::widen(row(1), scratch_1),
                    E::widen(row(2), scratch_2),
                    E::widen(row(3), scratch_3),
                ];
                let products = inner::<S, ROWS>(simd, a, rows);
                for (sum, product) in [first, second, third, fourth].into_iter().zip(products) {
                    *sum += product;
                }
            } else {
                for (index, sum) in sums.iter_mut().enumerate() {
                    let [product] = inner::<S, 1>(simd, a, [E::widen(row(index), scratch)]);
                    *sum += product;
                }
            }
        }
    }
}

/// The inner products of `a` with rows of its length. Two sums for each row hide the latency of an addition.
#[inline(always)]
fn inner<S: Simd, const N: usize>(simd: S, a: &[f32], rows: [&[f32]; N]) -> [f32; N] {
    let (a_vectors, a_rest) = S::as_simd_f32s(a);
    let vectors = rows.map(|row| S::as_simd_f32s(row).0);
    let rests = rows.map(|row| S::as_simd_f32s(row).1);
    let mut even = [simd.splat_f32s(0.0); N];
    let mut odd = even;
    let pairs = a_vectors.len() / 2 * 2;
    for at in (0..pairs).step_by(2) {
        for ((even, odd), row) in even.iter_mut().zip(&mut odd).zip(&vectors) {
            *even = simd.mul_add_e_f32s(a_vectors[at], row[at], *even);
            *odd = simd.mul_add_e_f32s(a_vectors[at + 1], row[at + 1], *odd);
        }
    }
    if pairs < a_vectors.len() {
        for (even, row) in even.iter_mut().zip(&vectors) {
            *even = simd.mul_add_e_f32s(a_vectors[pairs], row[pairs], *even);
        }
    }
    let mut sums = [0.0; N];
    for (index, sum) in sums.iter_mut().enumerate() {
        let rest: f32 = a_rest.iter().zip(rests[index]).map(|(a, b)| a * b).sum();
        *sum = simd.reduce_sum_f32s(simd.add_f32s(even[index], odd[index])) + rest;
    }
    sums
}

/// `sums += the sum over p of a[p] times row p of b`, rows being `stride` apart. The scratch is of [`weighted_scratch`] elements.
pub(crate) fn weighted_rows<E: Element>(
    a: &[f32],
    b: &[E],
    stride: usize,
    scratch: &mut [f32],
    sums: &mut [f32],
) {
    pulp::Arch::new().dispatch(WeightedRows { a, b, stride, scratch, sums });
}

/// The scratch that [`weighted_rows`] of `n` elements needs.
pub(crate) fn weighted_scratch<E: Element>(n: usize) -> usize {
    if E::WIDENS { ROWS * n } else { 0 }
}

struct WeightedRows<'a, E> {
    a: &'a [f32],
    b: &'a [E],
    stride: usize,
    scratch: &'a mut [f32],
    sums: &'a mut [f32],
}

impl<E: Element> WithSimd for WeightedRows<'_, E> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { a, b, stride, scratch, sums } = self;
        let n = sums.len();
        let part = if E::WIDENS { n } else { 0 };
        for (block, a) in a.chunks(ROWS).enumerate() {
            let row = |index: usize| &b[(block * ROWS + index) * stride..][..n];
            if let &[a_0, a_1, a_2, a_3] = a {
                let (scratch_0, rest) = scratch.split_at_mut(part);
                let (scratch_1, rest) = rest.split_at_mut(part);
                let (scratch_2, scratch_3) = rest.split_at_mut(part);
                let row_0 = E::widen(row(0), scratch_0);
                let row_1 = E::widen(row(1), scratch_1);
                let row_2 = E::widen(row(2), scratch_2);
                let row_3 = E::widen(row(3), scratch_3);
                let rows = row_0.iter().zip(row_1).zip(row_2).zip(row_3);
                for (sum, (((b_0, b_1), b_2), b_3)) in sums.iter_mut().zip(rows) {
                    *sum += (a_0 * b_0 + a_1 * b_1) + (a_2 * b_2 + a_3 * b_3);
                }
            } else {
                for (index, a) in a.iter().enumerate() {
                    for (sum, b) in sums.iter_mut().zip(E::widen(row(index), scratch)) {
                        *sum += a * b;
                    }
                }
            }
        }
    }
}

/// The mean and the variance of a row, summed in `f64`: a mean far from 0 costs no precision.
pub(crate) fn moments(row: &[f32]) -> (f64, f64) {
    pulp::Arch::new().dispatch(Moments(row))
}

struct Moments<'a>(&'a [f32]);

impl WithSimd for Moments<'_> {
    type Output = (f64, f64);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> (f64, f64) {
        const LANES: usize = 16;
        let count = self.0.len() as f64;
        let mut sums = [0.0_f64; LANES];
        for chunk in self.0.chunks(LANES) {
            for (sum, x) in sums.iter_mut().zip(chunk) {
                *sum += f64::from(*x);
            }
        }
        let mean = sums.iter().sum::<f64>() / count;
        let mut squares = [0.0_f64; LANES];
        for chunk in self.0.chunks(LANES) {
            for (square, x) in squares.iter_mut().zip(chunk) {
                let deviation = f64::from(*x) - mean;
                *square += deviation * deviation;
            }
        }
        (mean, squares.iter().sum::<f64>() / count)
    }
}
