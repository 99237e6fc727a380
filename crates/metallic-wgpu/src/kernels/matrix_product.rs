//! Matrix products, as operations of their own and as parts of others.

use metallic::Dtype;
use metallic::error::MetalError;
use metallic::tensor::{MatrixLayout, MatrixMut, MatrixRef};

use super::grid;
use crate::arguments::Argument;
use crate::descriptors::WgpuPipeline;
use crate::device::WgpuDevice;
use crate::shader::Shader;
use crate::tensor::WgpuTensor;

/// Up to so many rows each element of B is read once, by an invocation that has sums for all rows.
const FEW_ROWS: usize = 8;

/// What a product's pipeline depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Product {
    /// The rows of the result, at most.
    pub(super) rows: usize,
    pub(super) transpose_a: bool,
    pub(super) transpose_b: bool,
    pub(super) bias: bool,
    pub(super) a: Dtype,
    pub(super) b: Dtype,
    pub(super) c: Dtype,
}

/// Which operands can be loaded as vectors of four: those whose rows along k all begin at a multiple of four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vectors {
    pub(super) a: bool,
    pub(super) b: bool,
}

/// A product and the pipeline for the operands it expects.
#[derive(Clone, Debug)]
pub(super) struct PlannedProduct {
    product: Product,
    expected: Vectors,
    pipeline: WgpuPipeline,
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
        let expected = Vectors { a: expected.a && !self.transpose_a, b: expected.b && self.transpose_b };
        let pipeline = self.compile(device, expected)?;
        Ok(PlannedProduct { product: self, expected, pipeline })
    }

    fn compile(&self, device: &WgpuDevice, vectors: Vectors) -> Result<WgpuPipeline, MetalError> {
        let shader = Shader::default()
            .element("A", self.a)
            .element("B", self.b)
            .element("C", self.c)
            .flag("TRANSPOSE_A", self.transpose_a)
            .flag("TRANSPOSE_B", self.transpose_b)
            .flag("BIAS", self.bias)
            .flag("A_VECTORS", vectors.a)
            .flag("B_VECTORS", vectors.b);
        let operands = include_str!("matrix_product.wgsl");
        let reads = 2 + u8::from(self.bias);
        if self.has_few_rows() {
            let shader = shader
                .constant("ROWS", self.rows as u32)
                .constant("COLUMNS", self.columns() as u32)
                .constant("LANES", (64 / self.columns()) as u32);
            let source = shader.source(&[operands, include_str!("few_rows.wgsl")]);
            return device.compile(&shader.variant("few_rows"), &source, reads, 1);
        }
        let shader = shader.constant("HEIGHT", self.height() as u32).constant("FOUR", 4);
        let source = shader.source(&[operands, include_str!("many_rows.wgsl")]);
        device.compile(&shader.variant("many_rows"), &source, reads, 1)
    }

    fn has_few_rows(&self) -> bool {
        self.rows <= FEW_ROWS
    }

    /// The columns of a workgroup of `few_rows.wgsl`. Invocations side by side read along k if that is how B lies, else along n.
    fn columns(&self) -> usize {
        if self.transpose_b { 4 } else { 16 }
    }

    /// The invocations in a column of a workgroup of `many_rows.wgsl`, each of which has four rows.
    fn height(&self) -> usize {
        (self.rows / 4).next_power_of_two().min(16)
    }

    fn workgroups(&self, [m, n, _]: [usize; 3]) -> [usize; 2] {
        if self.has_few_rows() {
            let [x, y, _] = grid::line(n.div_ceil(self.columns()));
            return [x, y];
        }
        [n.div_ceil(64), m.div_ceil(4 * self.height())]
    }
}

impl PlannedProduct {
    pub(super) fn run(&self, device: &WgpuDevice, call: ProductCall<'_>) -> Result<(), MetalError> {
        let ProductCall { batch, sharing, shape: [m, n, k], alpha, beta, a, b, bias, c } = call;
        let Product { transpose_a, transpose_b, .. } = self.product;
        let a_at = reach(a.layout, batch, if transpose_a { k } else { m });
        let b_at = reach(b.layout, batch.div_ceil(sharing.max(1)), if transpose_b { n } else { k });
        let c_at = reach(c.layout, batch, m);
        let vectors =
            Vectors { a: self.expected.a && is_aligned(&a_at), b: self.expected.b && is_aligned(&b_at) };
        let other;
        let pipeline = if vectors == self.expected {
            &self.pipeline
        } else {
            other = self.product.compile(device, vectors)?;
            &other
        };
        let [x, y] = self.product.workgroups([m, n, k]);
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

/// A layout without the strides that lead nowhere, which may be any number.
pub(super) fn reach(layout: MatrixLayout, batch: usize, rows: usize) -> MatrixLayout {
    MatrixLayout {
        offset: layout.offset,
        row_stride: if rows > 1 { layout.row_stride } else { 0 },
        batch_stride: if batch > 1 { layout.batch_stride } else { 0 },
    }
}

/// Whether all rows begin at a multiple of four.
fn is_aligned(layout: &MatrixLayout) -> bool {
    let MatrixLayout { offset, row_stride, batch_stride } = layout;
    [offset, row_stride, batch_stride].iter().all(|place| place.is_multiple_of(4))
}
