//! Matrix products, as operations and as parts of operations.

use metallic::Dtype;
use metallic::caching::Composition;
use metallic::error::MetalError;
use metallic::tensor::{MatrixLayout, MatrixMut, MatrixRef};

use super::grid;
use crate::arguments::Argument;
use crate::descriptors::WgpuPipeline;
use crate::device::{Tuning, WgpuDevice};
use crate::shader::Shader;
use crate::tensor::WgpuTensor;

/// The most rows for which an invocation has sums for all rows, so that each element of B is read once.
const MAX_FEW_ROWS: usize = 8;

/// The properties of a product that its pipelines depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Product {
    /// The most rows of the result.
    pub(super) rows: usize,
    pub(super) transpose_a: bool,
    pub(super) transpose_b: bool,
    pub(super) bias: bool,
    /// `true` if `k` is always a multiple of four.
    pub(super) whole_vectors: bool,
    pub(super) a: Dtype,
    pub(super) b: Dtype,
    pub(super) c: Dtype,
}

/// `true` if operands are loaded as vectors of four: possible if all their rows in memory begin at a multiple of four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vectors {
    pub(super) a: bool,
    pub(super) b: bool,
}

/// How a product is spread over workgroups and invocations.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// By `few_rows.wgsl`: each invocation has sums for `rows` rows and `streams` columns.
    Few { rows: u32, columns: u32, lanes: u32, streams: u32 },
    /// By `many_rows.wgsl`.
    Many { height: u32 },
}

/// A product and the pipeline for the operands it expects.
#[derive(Clone, Debug)]
pub(super) struct PlannedProduct {
    product: Product,
    expected: Vectors,
    pipeline: WgpuPipeline,
}

impl PlannedProduct {
    pub(super) fn composition(&self) -> Composition {
        let Self { product, expected, pipeline } = self;
        pipeline
            .composition()
            .with("product", format_args!("{product:?}"))
            .with("expected", format_args!("{expected:?}"))
    }
}

/// One run of `batch` products, in which each matrix of B is shared by `sharing` consecutive matrices of A.
#[derive(Debug)]
pub(super) struct ProductCall<'a> {
    pub(super) batch: usize,
    pub(super) sharing: usize,
    pub(super) shape: [usize; 3],
    pub(super) alpha: f32,
    pub(super) beta: f32,
    pub(super) a: MatrixRef<'a, WgpuTensor>,
    pub(super) b: MatrixRef<'a, WgpuTensor>,
    pub(super) bias: Option<&'a WgpuTensor>,
    pub(super) c: MatrixMut<'a, WgpuTensor>,
}

impl Product {
    /// Plans the product with the pipeline for the operands that can be expected.
    pub(super) fn plan(self, device: &WgpuDevice, expected: Vectors) -> Result<PlannedProduct, MetalError> {
        // Only the shape for a processor takes vectors of B along n.
        let b_can = self.transpose_b || device.tuning() == Tuning::Processor;
        let expected = Vectors { a: expected.a && !self.transpose_a, b: expected.b && b_can };
        let shape = self.shape(device, expected);
        let pipeline = self.pipeline(device, shape, expected)?;
        Ok(PlannedProduct { product: self, expected, pipeline })
    }

    fn pipeline(
        &self,
        device: &WgpuDevice,
        shape: Shape,
        vectors: Vectors,
    ) -> Result<WgpuPipeline, MetalError> {
        let (name, templates): (_, &[_]) = match shape {
            Shape::Few { .. } => {
                ("few_rows", &[include_str!("matrix_product.wgsl"), include_str!("few_rows.wgsl")])
            }
            Shape::Many { .. } => {
                ("many_rows", &[include_str!("matrix_product.wgsl"), include_str!("many_rows.wgsl")])
            }
        };
        let shader = Shader::new(name, templates)
            .element("A", self.a)
            .element("B", self.b)
            .element("C", self.c)
            .flag("TRANSPOSE_A", self.transpose_a)
            .flag("TRANSPOSE_B", self.transpose_b)
            .flag("BIAS", self.bias)
            .flag("WHOLE_VECTORS", self.whole_vectors)
            .flag("A_VECTORS", vectors.a)
            .flag("B_VECTORS", vectors.b)
            .flag("B_ALONG_N", vectors.b && !self.transpose_b);
        let shader = match shape {
            Shape::Few { rows, columns, lanes, streams } => shader
                .constant("ROWS", rows)
                .constant("COLUMNS", columns)
                .constant("LANES", lanes)
                .constant("STREAMS", streams),
            Shape::Many { height } => shader.constant("HEIGHT", height).constant("FOUR", 4),
        };
        device.built_in(shader, 2 + u8::from(self.bias), 1)
    }

    fn shape(&self, device: &WgpuDevice, vectors: Vectors) -> Shape {
        let tuning = device.tuning();
        if tuning == Tuning::Gpu && self.rows > MAX_FEW_ROWS {
            return Shape::Many { height: (self.rows / 4).next_power_of_two().min(16) as u32 };
        }
        // Neighbouring invocations read along k if B lies that way, otherwise along n.
        let (columns, lanes) = if self.transpose_b { (8, 8) } else { (16, 4) };
        // On a processor shared memory is no nearer than any other, and what was loaded should be used as often as registers
        // allow; single elements take so many instructions that the compiler would need long. A GPU would have too few
        // invocations for the product of a single row.
        let (most, streams) = match (tuning, vectors) {
            (Tuning::Processor, Vectors { a: true, b: true }) => (2 * MAX_FEW_ROWS, 4),
            // Four columns are what a vector along n has.
            (Tuning::Processor, Vectors { b: true, .. }) if !self.transpose_b => (MAX_FEW_ROWS, 4),
            (Tuning::Processor, _) => (MAX_FEW_ROWS, 2),
            (Tuning::Gpu, _) => (MAX_FEW_ROWS, 1),
        };
        Shape::Few { rows: self.rows.min(most) as u32, columns, lanes, streams }
    }
}

impl Shape {
    /// The number of rows and columns of a workgroup.
    fn tile(&self) -> [usize; 2] {
        match *self {
            Self::Few { rows, columns, streams, .. } => [rows as usize, (columns * streams) as usize],
            Self::Many { height } => [4 * height as usize, 64],
        }
    }
}

impl PlannedProduct {
    pub(super) fn run(&self, device: &WgpuDevice, call: ProductCall<'_>) -> Result<(), MetalError> {
        let ProductCall { batch, sharing, shape: [m, n, k], alpha, beta, a, b, bias, c } = call;
        let Product { transpose_a, transpose_b, .. } = self.product;
        let a_at = grid::reach(a.layout, batch, if transpose_a { k } else { m });
        let b_at = grid::reach(b.layout, batch.div_ceil(sharing.max(1)), if transpose_b { n } else { k });
        let c_at = grid::reach(c.layout, batch, m);
        let vectors =
            Vectors { a: self.expected.a && is_aligned(&a_at), b: self.expected.b && is_aligned(&b_at) };
        let shape = self.product.shape(device, vectors);
        let unexpected;
        let pipeline = if vectors == self.expected {
            &self.pipeline
        } else {
            unexpected = self.product.pipeline(device, shape, vectors)?;
            &unexpected
        };
        let [rows, columns] = shape.tile();
        let [x, y] = [n.div_ceil(columns), m.div_ceil(rows)];
        let both = [a.tensor, b.tensor];
        let three = bias.map(|bias| [a.tensor, b.tensor, bias]);
        let reads = three.as_ref().map_or(&both[..], |three| &three[..]);
        // More matrices than a grid is deep are run in parts. No two parts share a matrix of B.
        let part = grid::MAX_IN_A_LINE / sharing * sharing;
        for first in (0..batch).step_by(part.max(1)) {
            let arguments: [Argument; 15] = [
                m.into(),
                n.into(),
                k.into(),
                sharing.into(),
                (a_at.offset + first * a_at.batch_stride).into(),
                a_at.row_stride.into(),
                a_at.batch_stride.into(),
                (b_at.offset + first / sharing * b_at.batch_stride).into(),
                b_at.row_stride.into(),
                b_at.batch_stride.into(),
                (c_at.offset + first * c_at.batch_stride).into(),
                c_at.row_stride.into(),
                c_at.batch_stride.into(),
                alpha.into(),
                beta.into(),
            ];
            let workgroups = [x, y, part.min(batch - first)];
            device.dispatch(pipeline, reads, &mut [&mut *c.tensor], &arguments, workgroups)?;
        }
        Ok(())
    }
}

/// Returns `true` if all rows begin at a multiple of four.
fn is_aligned(layout: &MatrixLayout) -> bool {
    let MatrixLayout { offset, row_stride, batch_stride } = layout;
    [offset, row_stride, batch_stride].iter().all(|place| place.is_multiple_of(4))
}
