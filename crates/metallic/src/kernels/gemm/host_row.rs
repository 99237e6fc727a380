//! Products with one row: a vector times a matrix.

use super::{GemmCall, GemmKey};
use crate::device::host::element::Element;
use crate::device::host::reduction::{inner_products, inner_scratch, weighted_rows, weighted_scratch};
use crate::device::host::rows::row_blocks;
use crate::device::host::scratch::with_scratch;
use crate::device::{HostDevice, HostTensor};
use crate::error::MetalError;

/// How many columns of the result a thread makes at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    columns: usize,
}

impl Plan {
    pub(super) fn new(device: &HostDevice, key: &GemmKey) -> Self {
        // Several parts for each thread, so that one that was held up takes fewer.
        let parts = 4 * device.threads().get();
        let columns = key.n.div_ceil(parts).next_multiple_of(64);
        Self { columns: columns.clamp(64, 1024) }
    }
}

/// How many elements of B a thread takes from memory in a nanosecond, about.
const ELEMENTS_A_NANOSECOND: usize = 3;

pub(super) fn run<E: Element>(
    device: &HostDevice,
    Plan { columns }: Plan,
    key: &GemmKey,
    call: GemmCall<'_, HostTensor>,
) -> Result<(), MetalError> {
    let GemmCall { batch, m, alpha, beta, a, b, bias, c } = call;
    let &GemmKey { n, k, .. } = key;
    let crew = device.crew((batch.saturating_mul(n).saturating_mul(k) / ELEMENTS_A_NANOSECOND) as u64)?;
    let bias = bias.map(|bias| &E::of(bias)[..n]);
    let (from_a, from_b) = (E::of(a.tensor), E::of(b.tensor));
    let blocks = row_blocks(E::of_mut(c.tensor), &c.layout, [batch, m, n], 1);
    let parts = blocks.flat_map(|block| {
        let matrix = block.matrix;
        block.elements.chunks_mut(columns).enumerate().map(move |(index, c)| (matrix, index * columns, c))
    });
    crew.share(parts, |(matrix, column, c)| {
        let width = c.len();
        let a_begin = a.layout.offset + matrix * a.layout.batch_stride;
        let b_begin = b.layout.offset + matrix * b.layout.batch_stride;
        let products = if key.transpose_b { inner_scratch::<E>(k) } else { weighted_scratch::<E>(width) };
        with_scratch(k + 3 * width + products, |scratch| {
            let (a_row, scratch) = scratch.split_at_mut(k);
            let (sums, scratch) = scratch.split_at_mut(width);
            let (bias_part, scratch) = scratch.split_at_mut(width);
            let (c_part, scratch) = scratch.split_at_mut(width);
            let a_row = if key.transpose_a {
                for (index, element) in a_row.iter_mut().enumerate() {
                    *element = from_a[a_begin + index * a.layout.row_stride].to_f32();
                }
                a_row
            } else {
                E::widen(&from_a[a_begin..][..k], a_row)
            };
            sums.fill(0.0);
            if key.transpose_b {
                let stride = if n > 1 { b.layout.row_stride } else { k };
                inner_products(a_row, &from_b[b_begin + column * stride..], stride, scratch, sums);
            } else {
                let stride = if k > 1 { b.layout.row_stride } else { n };
                weighted_rows(a_row, &from_b[b_begin + column..], stride, scratch, sums);
            }
            let bias = bias.map(|bias| E::widen(&bias[column..][..width], bias_part));
            E::narrow(c, beta != 0.0, c_part, |c| finish(sums, alpha, beta, bias, c));
        });
    });
    Ok(())
}

/// `c = alpha sums + beta c + bias`; with a `beta` of 0, `c` is only written.
fn finish(sums: &[f32], alpha: f32, beta: f32, bias: Option<&[f32]>, c: &mut [f32]) {
    for (c, sum) in c.iter_mut().zip(sums) {
        *c = if beta == 0.0 { alpha * sum } else { alpha * sum + beta * *c };
    }
    if let Some(bias) = bias {
        add(bias, c);
    }
}

/// Adds a bias to a row.
pub(super) fn add(bias: &[f32], row: &mut [f32]) {
    for (element, bias) in row.iter_mut().zip(bias) {
        *element += bias;
    }
}
