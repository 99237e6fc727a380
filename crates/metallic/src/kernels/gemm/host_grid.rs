//! Products with several rows: tiles of the result, each made by the crate `gemm` on one thread.

use super::host_row::add;
use super::{GemmCall, GemmKey};
use crate::device::host::element::Element;
use crate::device::host::scratch::with_scratch;
use crate::device::host::tile::{Factor, Place, tiles};
use crate::device::{HostDevice, HostTensor};
use crate::error::MetalError;
use crate::tensor::MatrixLayout;

/// The size of a tile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    rows: usize,
    columns: usize,
}

impl Plan {
    pub(super) fn new(device: &HostDevice, key: &GemmKey) -> Self {
        let threads = device.threads().get();
        let columns = key.n.div_ceil(threads).next_multiple_of(64).min(key.n);
        Self { rows: key.m.most(), columns }
    }
}

/// How many multiplications a thread does in a nanosecond, about.
const PRODUCTS_A_NANOSECOND: usize = 30;

pub(super) fn run<E: Element>(
    device: &HostDevice,
    Plan { rows, columns }: Plan,
    key: &GemmKey,
    call: GemmCall<'_, HostTensor>,
) -> Result<(), MetalError> {
    let GemmCall { batch, m, alpha, beta, a, b, bias, c } = call;
    let &GemmKey { n, k, transpose_a, transpose_b, .. } = key;
    let products = batch.saturating_mul(m).saturating_mul(n).saturating_mul(k);
    let crew = device.crew((products / PRODUCTS_A_NANOSECOND) as u64)?;
    let bias = bias.map(|bias| &E::of(bias)[..n]);
    let (a, b) = (
        Operand { elements: E::of(a.tensor), layout: a.layout, transposed: transpose_a },
        Operand { elements: E::of(b.tensor), layout: b.layout, transposed: transpose_b },
    );
    let parts = tiles(E::of_mut(c.tensor), &c.layout, [batch, m, n], [rows, columns]);
    crew.share(parts, |(place, mut tile)| {
        let Place { matrix, row, column } = place;
        let (height, width) = (tile.rows(), tile.columns());
        let (part_a, part_b, part_c) =
            if E::WIDENS { (height * k, k * width, height * width) } else { (0, 0, 0) };
        with_scratch(part_a + part_b + part_c + width, |scratch| {
            let (part_a, scratch) = scratch.split_at_mut(part_a);
            let (part_b, scratch) = scratch.split_at_mut(part_b);
            let (part_c, bias_part) = scratch.split_at_mut(part_c);
            let a = a.part(matrix, [row, 0], [height, k], part_a);
            let b = b.part(matrix, [0, column], [k, width], part_b);
            let bias = bias.map(|bias| E::widen(&bias[column..][..width], bias_part));
            E::narrow_tile(&mut tile, beta != 0.0, part_c, |tile| {
                tile.product(alpha, beta, k, a, b);
                if let Some(bias) = bias {
                    (0..height).for_each(|row| add(bias, tile.row(row)));
                }
            });
        });
    });
    Ok(())
}

/// Matrices that are multiplied.
struct Operand<'a, E> {
    elements: &'a [E],
    layout: MatrixLayout,
    transposed: bool,
}

impl<E: Element> Operand<'_, E> {
    /// A part of `op` of one of them, as `f32`.
    fn part<'a>(
        &'a self,
        matrix: usize,
        first: [usize; 2],
        size: [usize; 2],
        scratch: &'a mut [f32],
    ) -> Factor<'a> {
        let stored =
            |[rows, columns]: [usize; 2]| if self.transposed { [columns, rows] } else { [rows, columns] };
        let ([row, column], [rows, columns]) = (stored(first), stored(size));
        let layout = &self.layout;
        let elements =
            &self.elements[layout.offset + matrix * layout.batch_stride + row * layout.row_stride + column..];
        let (elements, stride) = E::widen_rows(elements, layout.row_stride, [rows, columns], scratch);
        let [row_stride, column_stride] = if self.transposed { [1, stride] } else { [stride, 1] };
        Factor { elements, row_stride, column_stride }
    }
}
