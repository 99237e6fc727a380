//! Products with several rows: tiles of the result, each made by the crate `gemm` on one thread.

use metallic::error::MetalError;
use metallic::kernels::gemm::{GemmCall, GemmKey};
use metallic::tensor::{Dtype, MatrixLayout};

use super::row::add;
use crate::device::HostDevice;
use crate::element::Element;
use crate::scratch::with_scratch;
use crate::tensor::HostTensor;
use crate::tile::{Factor, Place, tiles};

/// The size of a tile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    rows: usize,
    columns: usize,
}

impl Plan {
    /// Also starts the device's threads, if a product is worth them.
    pub(super) fn new(device: &HostDevice, key: &GemmKey) -> Result<Self, MetalError> {
        device.workers(nanoseconds(key, 1, key.m.max()))?;
        let (m, n, k) = (key.m.max(), key.n, key.k);
        let threads = device.threads().get();
        // Two parts for each thread, so that one that was held up takes fewer; by columns as far as they are wide enough
        // to be worth it, since the parts of a row of tiles pack the same rows of A.
        let parts = if threads == 1 { 1 } else { 2 * threads };
        let parts_of_columns = parts.min(n.div_ceil(Self::WIDTH));
        let rows = m.div_ceil(parts.div_ceil(parts_of_columns)).max(Self::HEIGHT);
        let columns = n.div_ceil(parts_of_columns).next_multiple_of(64);
        // What is not f32 goes through a scratch, which must not push itself out of the cache.
        let narrow = if key.dtype == Dtype::F32 { columns } else { Self::SCRATCH / k / 64 * 64 };
        Ok(Self { rows, columns: columns.min(narrow.max(64)) })
    }

    /// The least width and height of a tile that is one for the sake of another thread.
    const WIDTH: usize = 128;
    const HEIGHT: usize = 32;

    /// How many elements of B are widened at a time, about.
    const SCRATCH: usize = 1 << 18;
}

/// How many multiplications a thread does in a nanosecond, about.
const PRODUCTS_A_NANOSECOND: usize = 30;

/// How long so many products of so many rows take one thread, about.
fn nanoseconds(key: &GemmKey, batch: usize, m: usize) -> u64 {
    (batch.saturating_mul(m).saturating_mul(key.n).saturating_mul(key.k) / PRODUCTS_A_NANOSECOND) as u64
}

pub(super) fn run<E: Element>(
    device: &HostDevice,
    Plan { rows, columns }: Plan,
    key: &GemmKey,
    call: GemmCall<'_, HostTensor>,
) -> Result<(), MetalError> {
    let GemmCall { batch, m, alpha, beta, a, b, bias, c } = call;
    let &GemmKey { n, k, transpose_a, transpose_b, .. } = key;
    let workers = device.workers(nanoseconds(key, batch, m))?;
    let bias = bias.map(|bias| &E::of(bias)[..n]);
    let (a, b) = (
        Operand { elements: E::of(a.tensor), layout: a.layout, transposed: transpose_a },
        Operand { elements: E::of(b.tensor), layout: b.layout, transposed: transpose_b },
    );
    let parts = tiles(E::of_mut(c.tensor), &c.layout, [batch, m, n], [rows, columns]);
    workers.share(parts, |(place, mut tile)| {
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
