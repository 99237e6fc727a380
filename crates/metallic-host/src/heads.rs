//! The products of an attention of one query.

use pulp::{Simd, WithSimd};

use crate::element::Element;
use crate::reduction::{ROWS, Rows, inner, weighted};

/// One query's heads beside the keys or values that they share.
#[derive(Clone, Copy)]
pub(crate) struct Heads {
    /// The size of a head.
    pub(crate) size: usize,
    /// How many there are.
    pub(crate) count: usize,
    /// How many of them share a head of keys and values.
    pub(crate) group: usize,
}

impl Heads {
    /// The elements of all heads of keys or values.
    pub(crate) fn width(&self) -> usize {
        self.count / self.group * self.size
    }

    /// A head.
    #[inline(always)]
    fn of<'a>(&self, elements: &'a [f32], head: usize) -> &'a [f32] {
        &elements[head * self.size..][..self.size]
    }

    /// The part shared with its group.
    #[inline(always)]
    fn shared<'a>(&self, elements: &'a [f32], head: usize) -> &'a [f32] {
        self.of(elements, head / self.group)
    }
}

/// The inner products of each head of `q` with its part of each row of `k`, one head's after the other's. The rows are read from
/// their beginning to their end, as they come from memory. The scratch is of [`rows_scratch`](crate::reduction::rows_scratch) for
/// the heads' width.
pub(crate) fn head_products<E: Element>(
    heads: Heads,
    q: &[f32],
    k: Rows<'_, E>,
    scratch: &mut [f32],
    products: &mut [f32],
) {
    pulp::Arch::new().dispatch(HeadProducts { heads, q, k, scratch, products });
}

struct HeadProducts<'a, E> {
    heads: Heads,
    q: &'a [f32],
    k: Rows<'a, E>,
    scratch: &'a mut [f32],
    products: &'a mut [f32],
}

impl<E: Element> WithSimd for HeadProducts<'_, E> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { heads, q, k, scratch, products } = self;
        let keys = products.len() / heads.count;
        let whole = keys / ROWS * ROWS;
        for key in (0..whole).step_by(ROWS) {
            let rows = k.four(key, heads.width(), scratch);
            for head in 0..heads.count {
                let rows = rows.map(|row| heads.shared(row, head));
                let block = inner::<S, ROWS>(simd, heads.of(q, head), rows);
                products[head * keys + key..][..ROWS].copy_from_slice(&block);
            }
        }
        for key in whole..keys {
            let row = E::widen(k.row(key, heads.width()), scratch);
            for head in 0..heads.count {
                [products[head * keys + key]] =
                    inner::<S, 1>(simd, heads.of(q, head), [heads.shared(row, head)]);
            }
        }
    }
}

/// Adds to each head of `sums` its part of each row of `v`, times the row's weight for this head; one head's weights stand after
/// the other's. The scratch is of [`rows_scratch`](crate::reduction::rows_scratch) for the heads' width.
pub(crate) fn head_sums<E: Element>(
    heads: Heads,
    weights: &[f32],
    v: Rows<'_, E>,
    scratch: &mut [f32],
    sums: &mut [f32],
) {
    pulp::Arch::new().dispatch(HeadSums { heads, weights, v, scratch, sums });
}

struct HeadSums<'a, E> {
    heads: Heads,
    weights: &'a [f32],
    v: Rows<'a, E>,
    scratch: &'a mut [f32],
    sums: &'a mut [f32],
}

impl<E: Element> WithSimd for HeadSums<'_, E> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { heads, weights, v, scratch, sums } = self;
        let keys = weights.len() / heads.count;
        let whole = keys / ROWS * ROWS;
        for key in (0..whole).step_by(ROWS) {
            let rows = v.four(key, heads.width(), scratch);
            for (head, sums) in sums.chunks_mut(heads.size).enumerate() {
                let rows = rows.map(|row| heads.shared(row, head));
                let weights = &weights[head * keys + key..][..ROWS];
                weighted(simd, [weights[0], weights[1], weights[2], weights[3]], rows, sums);
            }
        }
        for key in whole..keys {
            let row = E::widen(v.row(key, heads.width()), scratch);
            for (head, sums) in sums.chunks_mut(heads.size).enumerate() {
                weighted(simd, [weights[head * keys + key]], [heads.shared(row, head)], sums);
            }
        }
    }
}
