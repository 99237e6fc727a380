//! Sums of products over rows, in the widest registers that the processor has.

use pulp::{Simd, WithSimd};

use crate::element::Element;

/// Rows, each beginning `stride` after the one before; where there is only one, at any distance.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, E> {
    pub(crate) elements: &'a [E],
    pub(crate) stride: usize,
}

impl<'a, E> Rows<'a, E> {
    /// The first `columns` elements of a row.
    #[inline(always)]
    pub(super) fn row(&self, row: usize, columns: usize) -> &'a [E] {
        &self.elements[row * self.stride..][..columns]
    }
}

impl<'a, E: Element> Rows<'a, E> {
    /// Four rows from a first on, as `f32`. The scratch is of [`rows_scratch`].
    #[inline(always)]
    pub(super) fn four<'b>(&self, first: usize, columns: usize, scratch: &'b mut [f32]) -> [&'b [f32]; ROWS]
    where
        'a: 'b,
    {
        let part = if E::WIDENS { columns } else { 0 };
        let (scratch_0, scratch) = scratch.split_at_mut(part);
        let (scratch_1, scratch) = scratch.split_at_mut(part);
        let (scratch_2, scratch_3) = scratch.split_at_mut(part);
        [
            E::widen(self.row(first, columns), scratch_0),
            E::widen(self.row(first + 1, columns), scratch_1),
            E::widen(self.row(first + 2, columns), scratch_2),
            E::widen(self.row(first + 3, columns), scratch_3),
        ]
    }
}

/// How many rows are multiplied at once.
pub(super) const ROWS: usize = 4;

/// The scratch that the functions below need for rows of so many elements.
pub(crate) fn rows_scratch<E: Element>(columns: usize) -> usize {
    if E::WIDENS { ROWS * columns } else { 0 }
}

/// `products[i][j]` is the inner product of row `i` of `a` and row `j` of `b`, both of `k` elements. There are as many rows of
/// `products` as begin every `width` elements. The scratch is of [`rows_scratch`] for `k`.
pub(crate) fn inner_products<E: Element>(
    k: usize,
    a: Rows<'_, f32>,
    b: Rows<'_, E>,
    scratch: &mut [f32],
    width: usize,
    products: &mut [f32],
) {
    pulp::Arch::new().dispatch(InnerProducts { k, a, b, scratch, width, products });
}

struct InnerProducts<'a, E> {
    k: usize,
    a: Rows<'a, f32>,
    b: Rows<'a, E>,
    scratch: &'a mut [f32],
    width: usize,
    products: &'a mut [f32],
}

impl<E: Element> WithSimd for InnerProducts<'_, E> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { k, a, b, scratch, width, products } = self;
        let rows = products.len() / width;
        let whole = width / ROWS * ROWS;
        for column in (0..whole).step_by(ROWS) {
            let b = b.four(column, k, scratch);
            // Where there are registers for sixteen sums: the 32 of AVX-512 and of NEON.
            let quads = if S::F32_LANES == 8 { 0 } else { rows / 4 * 4 };
            for row in (0..quads).step_by(4) {
                let a = [a.row(row, k), a.row(row + 1, k), a.row(row + 2, k), a.row(row + 3, k)];
                let block = inner_block::<S, 4, ROWS>(simd, a, b);
                for (row, block) in (row..).zip(block) {
                    products[row * width + column..][..ROWS].copy_from_slice(&block);
                }
            }
            let pairs = rows / 2 * 2;
            for row in (quads..pairs).step_by(2) {
                let block = inner_block::<S, 2, ROWS>(simd, [a.row(row, k), a.row(row + 1, k)], b);
                for (row, block) in (row..).zip(block) {
                    products[row * width + column..][..ROWS].copy_from_slice(&block);
                }
            }
            if pairs < rows {
                let block = inner::<S, ROWS>(simd, a.row(pairs, k), b);
                products[pairs * width + column..][..ROWS].copy_from_slice(&block);
            }
        }
        for column in whole..width {
            let b = E::widen(b.row(column, k), scratch);
            for row in 0..rows {
                [products[row * width + column]] = inner::<S, 1>(simd, a.row(row, k), [b]);
            }
        }
    }
}

/// The inner products of `a` with rows of its length. Two sums for each row hide the latency of an addition.
#[inline(always)]
pub(super) fn inner<S: Simd, const N: usize>(simd: S, a: &[f32], rows: [&[f32]; N]) -> [f32; N] {
    let (a_vectors, a_rest) = S::as_simd_f32s(a);
    let (a_pairs, a_last) = a_vectors.as_chunks::<2>();
    let vectors = rows.map(|row| &S::as_simd_f32s(row).0[..a_vectors.len()]);
    let rests = rows.map(|row| S::as_simd_f32s(row).1);
    let mut even = [simd.splat_f32s(0.0); N];
    let mut odd = even;
    let pairs = vectors.map(|vectors| &vectors.as_chunks::<2>().0[..a_pairs.len()]);
    for (at, a) in a_pairs.iter().enumerate() {
        for index in 0..N {
            even[index] = simd.mul_add_e_f32s(a[0], pairs[index][at][0], even[index]);
            odd[index] = simd.mul_add_e_f32s(a[1], pairs[index][at][1], odd[index]);
        }
    }
    if let [a] = a_last {
        for index in 0..N {
            even[index] = simd.mul_add_e_f32s(*a, vectors[index][a_vectors.len() - 1], even[index]);
        }
    }
    let mut sums = [0.0; N];
    for (index, sum) in sums.iter_mut().enumerate() {
        let rest: f32 = a_rest.iter().zip(rests[index]).map(|(a, b)| a * b).sum();
        *sum = simd.reduce_sum_f32s(simd.add_f32s(even[index], odd[index])) + rest;
    }
    sums
}

/// The inner products of `M` rows with `N` rows of the same length: every vector that is loaded is used several times.
#[inline(always)]
fn inner_block<S: Simd, const M: usize, const N: usize>(
    simd: S,
    a: [&[f32]; M],
    b: [&[f32]; N],
) -> [[f32; N]; M] {
    let count = S::as_simd_f32s(a[0]).0.len();
    let a_vectors = a.map(|row| &S::as_simd_f32s(row).0[..count]);
    let b_vectors = b.map(|row| &S::as_simd_f32s(row).0[..count]);
    let mut sums = [[simd.splat_f32s(0.0); N]; M];
    for at in 0..count {
        for (sums, a) in sums.iter_mut().zip(&a_vectors) {
            for (sum, b) in sums.iter_mut().zip(&b_vectors) {
                *sum = simd.mul_add_e_f32s(a[at], b[at], *sum);
            }
        }
    }
    let mut products = [[0.0; N]; M];
    for (row, products) in products.iter_mut().enumerate() {
        for (column, product) in products.iter_mut().enumerate() {
            let rests = S::as_simd_f32s(a[row]).1.iter().zip(S::as_simd_f32s(b[column]).1);
            let rest: f32 = rests.map(|(a, b)| a * b).sum();
            *product = simd.reduce_sum_f32s(sums[row][column]) + rest;
        }
    }
    products
}

/// `sums += the sum over p of a[p] times row p of b`. The scratch is of [`rows_scratch`] for as many elements as there are sums.
pub(crate) fn weighted_rows<E: Element>(a: &[f32], b: Rows<'_, E>, scratch: &mut [f32], sums: &mut [f32]) {
    pulp::Arch::new().dispatch(WeightedRows { a, b, scratch, sums });
}

struct WeightedRows<'a, E> {
    a: &'a [f32],
    b: Rows<'a, E>,
    scratch: &'a mut [f32],
    sums: &'a mut [f32],
}

impl<E: Element> WithSimd for WeightedRows<'_, E> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { a, b, scratch, sums } = self;
        let n = sums.len();
        let (blocks, rest) = a.as_chunks::<ROWS>();
        for (block, a) in blocks.iter().enumerate() {
            let rows = b.four(block * ROWS, n, scratch);
            weighted(simd, *a, rows, sums);
        }
        for (index, a) in rest.iter().enumerate() {
            let row = E::widen(b.row(blocks.len() * ROWS + index, n), scratch);
            weighted(simd, [*a], [row], sums);
        }
    }
}

/// Adds to each sum what stands in its column, each row times its weight.
#[inline(always)]
pub(super) fn weighted<S: Simd, const N: usize>(
    simd: S,
    weights: [f32; N],
    rows: [&[f32]; N],
    sums: &mut [f32],
) {
    let factors = weights.map(|weight| simd.splat_f32s(weight));
    let (vectors, rest) = S::as_mut_simd_f32s(sums);
    let row_vectors = rows.map(|row| &S::as_simd_f32s(row).0[..vectors.len()]);
    let row_rests = rows.map(|row| S::as_simd_f32s(row).1);
    for (at, sum) in vectors.iter_mut().enumerate() {
        for (factor, row) in factors.iter().zip(&row_vectors) {
            *sum = simd.mul_add_e_f32s(*factor, row[at], *sum);
        }
    }
    for (at, sum) in rest.iter_mut().enumerate() {
        for (weight, row) in weights.iter().zip(&row_rests) {
            *sum += weight * row[at];
        }
    }
}
