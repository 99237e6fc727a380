//! Products with one row, or a few: B is used too seldom to be worth packing, so that what counts is how fast it comes from
//! memory.

use metallic::error::MetalError;
use metallic::kernels::gemm::{GemmCall, GemmKey};

use crate::device::HostDevice;
use crate::element::Element;
use crate::reduction::{Rows, inner_products, rows_scratch, weighted_rows};
use crate::scratch::with_scratch;
use crate::tensor::HostTensor;
use crate::tile::tiles;

/// How many columns of the result a thread makes at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    rows: usize,
    columns: usize,
}

impl Plan {
    /// The most rows of a product that goes this way, if A and B lie so that its elements are inner products of rows.
    const INNER_ROWS: usize = 32;

    /// Returns `true` if this is the way for a product.
    pub(super) fn is_for(key: &GemmKey) -> bool {
        let rows = key.m.max();
        rows == 1 || rows <= Self::INNER_ROWS && key.transpose_b && !key.transpose_a
    }

    /// Also starts the device's threads, if a product is worth them.
    pub(super) fn new(device: &HostDevice, key: &GemmKey) -> Result<Self, MetalError> {
        device.workers(nanoseconds(key, 1))?;
        // Several parts for each thread, so that one that was held up takes fewer; but not so many that the runs of memory
        // become short, where a part of the result is a part of each row of B.
        let parts = if device.threads().get() == 1 { 1 } else { 4 * device.threads().get() };
        let columns = key.n.div_ceil(parts).next_multiple_of(64);
        Ok(Self { rows: key.m.max(), columns: columns.clamp(64, 2048) })
    }
}

/// How many elements of B a thread takes from memory in a nanosecond, about.
const ELEMENTS_A_NANOSECOND: usize = 4;

/// How long so many products take one thread, about.
fn nanoseconds(key: &GemmKey, batch: usize) -> u64 {
    (batch.saturating_mul(key.n).saturating_mul(key.k) / ELEMENTS_A_NANOSECOND) as u64
}

pub(super) fn run<E: Element>(
    device: &HostDevice,
    Plan { rows, columns }: Plan,
    key: &GemmKey,
    call: GemmCall<'_, HostTensor>,
) -> Result<(), MetalError> {
    let GemmCall { batch, m, alpha, beta, a, b, bias, c } = call;
    let &GemmKey { n, k, .. } = key;
    let workers = device.workers(nanoseconds(key, batch))?;
    let bias = bias.map(|bias| &E::of(bias)[..n]);
    let (from_a, from_b) = (E::of(a.tensor), E::of(b.tensor));
    let parts = tiles(E::of_mut(c.tensor), &c.layout, [batch, m, n], [rows, columns]);
    workers.share(parts, |(place, mut tile)| {
        let (column, width) = (place.column, tile.columns());
        let from_a = &from_a[a.layout.offset + place.matrix * a.layout.batch_stride..];
        let from_b = &from_b[b.layout.offset + place.matrix * b.layout.batch_stride..];
        let part_a = if E::WIDENS || key.transpose_a { m * k } else { 0 };
        let part_b = rows_scratch::<E>(if key.transpose_b { k } else { width });
        with_scratch(part_a + part_b + (m + 2) * width, |scratch| {
            let (part_a, scratch) = scratch.split_at_mut(part_a);
            let (part_b, scratch) = scratch.split_at_mut(part_b);
            let (products, scratch) = scratch.split_at_mut(m * width);
            let (part_bias, part_c) = scratch.split_at_mut(width);
            let (elements, stride) = if key.transpose_a {
                for (index, element) in part_a.iter_mut().enumerate() {
                    *element = from_a[index * a.layout.row_stride].to_f32();
                }
                (&*part_a, k)
            } else {
                E::widen_rows(from_a, a.layout.row_stride, [m, k], part_a)
            };
            if key.transpose_b {
                let first = if column > 0 { column * b.layout.row_stride } else { 0 };
                let b = Rows { elements: &from_b[first..], stride: b.layout.row_stride };
                inner_products(k, Rows { elements, stride }, b, part_b, width, products);
            } else {
                products.fill(0.0);
                let b = Rows { elements: &from_b[column..], stride: b.layout.row_stride };
                weighted_rows(&elements[..k], b, part_b, products);
            }
            let bias = bias.map(|bias| E::widen(&bias[column..][..width], part_bias));
            for (row, products) in products.chunks(width).enumerate() {
                E::narrow(tile.row(row), beta != 0.0, part_c, |c| finish(products, alpha, beta, bias, c));
            }
        });
    });
    Ok(())
}

/// `c = alpha products + beta c + bias`; with a `beta` of 0, `c` is only written.
fn finish(products: &[f32], alpha: f32, beta: f32, bias: Option<&[f32]>, c: &mut [f32]) {
    for (c, product) in c.iter_mut().zip(products) {
        *c = if beta == 0.0 { alpha * product } else { alpha * product + beta * *c };
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
