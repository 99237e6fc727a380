//! Matrix products, as operations of their own and as parts of others.

use std::sync::{Arc, OnceLock};

use metallic::Dtype;
use metallic::error::MetalError;
use metallic::tensor::{MatrixLayout, MatrixMut, MatrixRef};

use super::grid;
use crate::arguments::Argument;
use crate::descriptors::WgpuPipeline;
use crate::device::{Tuning, WgpuDevice};
use crate::shader::Shader;
use crate::tensor::WgpuTensor;

/// Up to so many rows each element of B is read once, by an invocation that has sums for all rows.
const MOST_FEW_ROWS: usize = 8;

/// What a product's pipeline depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Product {
    /// The rows of the result, at most.
    pub(super) rows: usize,
    pub(super) transpose_a: bool,
    pub(super) transpose_b: bool,
    pub(super) bias: bool,
    /// Whether `k` is always a multiple of four.
    pub(super) whole_vectors: bool,
    pub(super) a: Dtype,
    pub(super) b: Dtype,
    pub(super) c: Dtype,
}

/// Which operands can be loaded as vectors of four: those whose rows in memory all begin at a multiple of four.
#[derive(Clone, Copy, Debug)]
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
    /// The pipelines by what they load as vectors. That for the expected operands is there from the beginning, the others from
    /// the first call that needs them, for all clones.
    compiled: Arc<[OnceLock<Compiled>; 4]>,
}

/// A pipeline, and the rows and columns of its workgroups.
#[derive(Clone, Debug)]
struct Compiled {
    pipeline: WgpuPipeline,
    tile: [usize; 2],
}

/// One run of a product: of `batch` matrices, where `sharing` matrices of A after each other meet the same one of B.
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
    /// With the pipeline for operands whose rows along k are dense, or begin at a multiple of four, if `k` is one.
    pub(super) fn plan(self, device: &WgpuDevice, expected: Vectors) -> Result<PlannedProduct, MetalError> {
        // Only the shape for a processor takes vectors of B along n.
        let b_can = self.transpose_b || device.tuning() == Tuning::Processor;
        let expected = Vectors { a: expected.a && !self.transpose_a, b: expected.b && b_can };
        let planned = PlannedProduct { product: self, expected, compiled: Arc::default() };
        planned.compiled(device, expected)?;
        Ok(planned)
    }

    fn compile(&self, device: &WgpuDevice, vectors: Vectors) -> Result<Compiled, MetalError> {
        let shape = self.shape(device, vectors);
        let shader = Shader::default()
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
        let (name, shader, template) = match shape {
            Shape::Few { rows, columns, lanes, streams } => {
                let shader = shader.constant("ROWS", rows).constant("COLUMNS", columns);
                let shader = shader.constant("LANES", lanes).constant("STREAMS", streams);
                ("few_rows", shader, include_str!("few_rows.wgsl"))
            }
            Shape::Many { height } => {
                let shader = shader.constant("HEIGHT", height).constant("FOUR", 4);
                ("many_rows", shader, include_str!("many_rows.wgsl"))
            }
        };
        let source = shader.source(&[include_str!("matrix_product.wgsl"), template]);
        let pipeline = device.compile(&shader.variant(name), &source, 2 + u8::from(self.bias), 1)?;
        Ok(Compiled { pipeline, tile: shape.tile() })
    }

    fn shape(&self, device: &WgpuDevice, vectors: Vectors) -> Shape {
        let tuning = device.tuning();
        if tuning == Tuning::Gpu && self.rows > MOST_FEW_ROWS {
            return Shape::Many { height: (self.rows / 4).next_power_of_two().min(16) as u32 };
        }
        // Invocations side by side read along k if that is how B lies, else along n.
        let (columns, lanes) = if self.transpose_b { (8, 8) } else { (16, 4) };
        // On a processor shared memory is no nearer than any other, and what was loaded should be used as often as registers
        // allow; single elements take so many instructions that the compiler would need long. A GPU would have too few
        // invocations for the product of a single row.
        let (most, streams) = match (tuning, vectors) {
            (Tuning::Processor, Vectors { a: true, b: true }) => (2 * MOST_FEW_ROWS, 4),
            // Four columns are what a vector along n has.
            (Tuning::Processor, Vectors { b: true, .. }) if !self.transpose_b => (MOST_FEW_ROWS, 4),
            (Tuning::Processor, _) => (MOST_FEW_ROWS, 2),
            (Tuning::Gpu, _) => (MOST_FEW_ROWS, 1),
        };
        Shape::Few { rows: self.rows.min(most) as u32, columns, lanes, streams }
    }
}

impl Shape {
    /// The rows and columns of a workgroup.
    fn tile(&self) -> [usize; 2] {
        match *self {
            Self::Few { rows, columns, streams, .. } => [rows as usize, (columns * streams) as usize],
            Self::Many { height } => [4 * height as usize, 64],
        }
    }
}

impl PlannedProduct {
    /// The pipeline for these operands, which is compiled once.
    fn compiled(&self, device: &WgpuDevice, vectors: Vectors) -> Result<&Compiled, MetalError> {
        let compiled = &self.compiled[usize::from(vectors.a) + 2 * usize::from(vectors.b)];
        if let Some(compiled) = compiled.get() {
            return Ok(compiled);
        }
        let new = self.product.compile(device, vectors)?;
        // Two threads may have come here: the device compiled for one of them, and the other found that.
        Ok(compiled.get_or_init(|| new))
    }

    pub(super) fn run(&self, device: &WgpuDevice, call: ProductCall<'_>) -> Result<(), MetalError> {
        let ProductCall { batch, sharing, shape: [m, n, k], alpha, beta, a, b, bias, c } = call;
        let Product { transpose_a, transpose_b, .. } = self.product;
        let a_at = grid::reach(a.layout, batch, if transpose_a { k } else { m });
        let b_at = grid::reach(b.layout, batch.div_ceil(sharing.max(1)), if transpose_b { n } else { k });
        let c_at = grid::reach(c.layout, batch, m);
        let vectors =
            Vectors { a: self.expected.a && is_aligned(&a_at), b: self.expected.b && is_aligned(&b_at) };
        let Compiled { pipeline, tile: [rows, columns] } = self.compiled(device, vectors)?;
        let [x, y] = [n.div_ceil(*columns), m.div_ceil(*rows)];
        let both = [a.tensor, b.tensor];
        let three = bias.map(|bias| [a.tensor, b.tensor, bias]);
        let reads = three.as_ref().map_or(&both[..], |three| &three[..]);
        // More matrices than a grid is deep are run in parts, each of which begins with a matrix of B of its own.
        let part = grid::MOST_IN_A_LINE / sharing * sharing;
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

/// Whether all rows begin at a multiple of four.
fn is_aligned(layout: &MatrixLayout) -> bool {
    let MatrixLayout { offset, row_stride, batch_stride } = layout;
    [offset, row_stride, batch_stride].iter().all(|place| place.is_multiple_of(4))
}
