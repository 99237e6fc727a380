//! The parts of a transformer, each as one call of a plan out of the registry.

use std::sync::Arc;

use metallic::Dtype;
use metallic::caching::{Registry, ResourceCache};
use metallic::error::MetalError;
use metallic::kernels::Planned;
use metallic::kernels::add::AddCall;
use metallic::kernels::gelu::GeluCall;
use metallic::kernels::gemm::GemmCall;
use metallic::kernels::kv_cache_write::KvCacheWriteKernel;
use metallic::kernels::layer_norm::LayerNormCall;
use metallic::kernels::scaled_dot_product_attention::ScaledDotProductAttentionKernel;
use metallic::slots::PreparedForm;
use metallic::tensor::{MatrixLayout, MatrixMut, MatrixRef};

use super::device::TransformerDevice;
use super::plans;
use super::steps::Step;
use crate::model::parts::{Layout, Linear, Norm};
use crate::model::{Activation, Shape, Weight};

/// A device, the registry of what was made for it, and the type of all numbers.
pub(super) struct Layers<D: TransformerDevice, G> {
    pub(super) device: D,
    pub(super) cache: ResourceCache<D, G>,
    pub(super) dtype: Dtype,
}

impl<D: TransformerDevice, G: Registry<D>> Layers<D, G> {
    /// `output = layer(input) + factor * output`, for dense rows.
    pub(super) fn linear(
        &mut self,
        layer: &Linear,
        rows: usize,
        input: &D::Tensor,
        factor: f32,
        output: &mut D::Tensor,
    ) -> Result<(), MetalError> {
        let (k, n) = (layer.inputs(), layer.outputs());
        let weight = self.prepared(&layer.weight, layer.layout)?;
        let bias = self.prepared(&layer.bias, Layout::OutIn)?;
        let input = MatrixRef::dense(input, rows, k);
        self.product(rows, [n, k], input, &weight, Some(&bias), factor, MatrixMut::dense(output, rows, n))
    }

    /// The product of one row with each row of a table.
    pub(super) fn scores(
        &mut self,
        table: &Weight,
        row: MatrixRef<'_, D::Tensor>,
        output: &mut D::Tensor,
    ) -> Result<(), MetalError> {
        let (n, k) = (table.shape()[0], table.shape()[1]);
        let table = self.prepared(table, Layout::OutIn)?;
        self.product(1, [n, k], row, &table, None, 0.0, MatrixMut::dense(output, 1, n))
    }

    #[expect(clippy::too_many_arguments, reason = "a product has as many operands")]
    fn product(
        &mut self,
        m: usize,
        [n, k]: [usize; 2],
        a: MatrixRef<'_, D::Tensor>,
        weight: &D::Tensor,
        bias: Option<&D::Tensor>,
        beta: f32,
        c: MatrixMut<'_, D::Tensor>,
    ) -> Result<(), MetalError> {
        let params = plans::product(m, [n, k], bias.is_some(), self.dtype);
        let b = MatrixRef::dense(weight, n, k);
        let call = GemmCall { batch: 1, m, alpha: 1.0, beta, a, b, bias, c };
        self.cache.get_or_create_gemm(&params, Some(&self.device))?.run(&self.device, call)
    }

    /// Layer norm of dense rows of which the first is row `from`; the results are dense from the beginning.
    pub(super) fn norm(
        &mut self,
        norm: &Norm,
        epsilon: f32,
        (from, rows): (usize, usize),
        input: &D::Tensor,
        output: &mut D::Tensor,
    ) -> Result<(), MetalError> {
        let width = norm.gain.data().len();
        let gamma = self.prepared(&norm.gain, Layout::OutIn)?;
        let beta = self.prepared(&norm.bias, Layout::OutIn)?;
        let params = plans::norm(width, self.dtype);
        let call = LayerNormCall {
            rows,
            epsilon,
            input: MatrixRef { tensor: input, layout: MatrixLayout::dense(rows, width).at(from * width) },
            gamma: &gamma,
            beta: &beta,
            output: MatrixMut::dense(output, rows, width),
        };
        self.cache.get_or_create_layer_norm(&params, Some(&self.device))?.run(&self.device, call)
    }

    pub(super) fn activate(
        &mut self,
        activation: Activation,
        elements: usize,
        input: &D::Tensor,
        output: &mut D::Tensor,
    ) -> Result<(), MetalError> {
        let params = plans::activation(activation, self.dtype);
        let call = GeluCall { elements, input, output };
        self.cache.get_or_create_gelu(&params, Some(&self.device))?.run(&self.device, call)
    }

    /// `output = a + b`, element by element.
    pub(super) fn add(
        &mut self,
        elements: usize,
        a: &D::Tensor,
        b: &D::Tensor,
        output: &mut D::Tensor,
    ) -> Result<(), MetalError> {
        let params = plans::add(self.dtype);
        let call = AddCall { elements, period: elements, a, b, output };
        self.cache.get_or_create_add(&params, Some(&self.device))?.run(&self.device, call)
    }

    /// The plan of the attention of a step. A separate handle, since the keys may be in the same
    /// registry as the plan.
    pub(super) fn attention(
        &mut self,
        shape: &Shape,
        step: Step,
        causal: bool,
    ) -> Result<Planned<ScaledDotProductAttentionKernel, D>, MetalError> {
        let params = plans::attention(shape, step, causal, self.dtype);
        self.cache.get_or_create_scaled_dot_product_attention(&params, Some(&self.device)).cloned()
    }

    /// The plan of a write into the KV cache, as a handle of its own for the same reason.
    pub(super) fn kv_cache_write(
        &mut self,
        shape: &Shape,
    ) -> Result<Planned<KvCacheWriteKernel, D>, MetalError> {
        let params = plans::kv_cache_write(shape, self.dtype);
        self.cache.get_or_create_kv_cache_write(&params, Some(&self.device)).cloned()
    }

    /// The tensor on the device; a matrix with a row for each output.
    fn prepared(&mut self, weight: &Weight, layout: Layout) -> Result<Arc<D::Tensor>, MetalError> {
        let dtype = self.dtype;
        let form = match layout {
            Layout::OutIn => PreparedForm::as_is(dtype),
            Layout::InOut => PreparedForm::transposed(dtype),
        };
        self.cache.get_or_prepare(weight.version(), form, Some(&self.device), |device| {
            let uploaded = match layout {
                Layout::OutIn => device.upload(weight.data(), dtype),
                Layout::InOut => device.upload(&transposed(weight), dtype),
            };
            // The device knows how large a tensor is, but not which one it is.
            uploaded.map_err(|error| MetalError::device(format!("upload of `{}`", weight.name()), error))
        })
    }
}

/// The columns of a matrix as rows. Block by block, so that what is read and what is written stay in the processor's caches.
fn transposed(weight: &Weight) -> Vec<f32> {
    const BLOCK: usize = 32;
    let (rows, columns) = (weight.shape()[0], weight.shape()[1]);
    let mut turned = vec![0.0; rows * columns];
    for first_row in (0..rows).step_by(BLOCK) {
        for first in (0..columns).step_by(BLOCK) {
            for row in first_row..rows.min(first_row + BLOCK) {
                for (column, element) in weight.row(row).iter().enumerate().take(first + BLOCK).skip(first) {
                    turned[column * rows + row] = *element;
                }
            }
        }
    }
    turned
}
