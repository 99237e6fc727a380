//! Attention as three dispatches for each sequence: scores, softmax, values.

use std::sync::{Arc, Mutex, PoisonError};

use metallic::Dtype;
use metallic::caching::Composition;
use metallic::device::ComputeDevice;
use metallic::error::MetalError;
use metallic::kernels::Runs;
use metallic::kernels::scaled_dot_product_attention::{
    AttentionCall, AttentionKey, ScaledDotProductAttentionKernel,
};
use metallic::tensor::{MatrixLayout, MatrixMut, MatrixRef, Tensor};

use super::matrix_product::{PlannedProduct, Product, ProductCall, Vectors};
use super::{grid, softmax};
use crate::descriptors::WgpuPipeline;
use crate::device::WgpuDevice;
use crate::tensor::WgpuTensor;

/// The most bytes of scores in one dispatch. Longer sequences of queries are split.
const MAX_SCORE_BYTES: usize = 32 << 20;

/// Three pipelines, and memory for the scores of all heads. The scores are `f32`, whatever the type of the operands.
#[derive(Clone, Debug)]
pub struct AttentionPlan {
    scores: PlannedProduct,
    softmax: WgpuPipeline,
    values: PlannedProduct,
    /// Shared by clones. Locked while the dispatches of a call are recorded, so that those of other calls come after them.
    scratch: Arc<Mutex<WgpuTensor>>,
    scratch_bytes: u64,
    /// The most queries in one dispatch.
    queries: usize,
}

impl Runs<ScaledDotProductAttentionKernel> for WgpuDevice {
    type Plan = AttentionPlan;

    fn plan(&self, key: &AttentionKey) -> Result<AttentionPlan, MetalError> {
        let &AttentionKey { heads, head_dim, causal, dtype, .. } = key;
        grid::check_type(self, dtype)?;
        let score_row = heads.saturating_mul(score_stride(key));
        let queries = (MAX_SCORE_BYTES / 4 / score_row.max(1)).clamp(1, key.seq_q.max());
        let scratch = self.zeros(score_row.saturating_mul(queries), Dtype::F32)?;
        let product = |transpose_b, whole_vectors, a, b, c| {
            let (transpose_a, bias) = (false, false);
            Product { rows: key.seq_q.max(), transpose_a, transpose_b, bias, whole_vectors, a, b, c }
        };
        let dense = head_dim.is_multiple_of(4);
        let scores = product(true, dense, dtype, dtype, Dtype::F32);
        let values = product(false, false, Dtype::F32, dtype, dtype);
        Ok(AttentionPlan {
            scores: scores.plan(self, Vectors { a: dense, b: dense })?,
            softmax: softmax::compile(self, Dtype::F32, causal, true)?,
            values: values.plan(self, Vectors { a: true, b: dense })?,
            scratch_bytes: scratch.bytes(),
            scratch: Arc::new(Mutex::new(scratch)),
            queries,
        })
    }

    fn run(
        &self,
        plan: &AttentionPlan,
        key: &AttentionKey,
        call: AttentionCall<'_, WgpuTensor>,
    ) -> Result<(), MetalError> {
        let AttentionCall { batch, seq_q, seq_k, scale, q, k, v, output } = call;
        let heads = |layout: MatrixLayout, sequence: usize, row: usize| {
            // The heads of a position lie side by side: each is a matrix, `head_dim` after the one before.
            let sequence = if batch > 1 { sequence * layout.batch_stride } else { 0 };
            let row = if row > 0 { row * layout.row_stride } else { 0 };
            layout.at(layout.offset + sequence + row).with_batch_stride(key.head_dim)
        };
        let mut scratch = plan.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        for sequence in 0..batch {
            for first in (0..seq_q).step_by(plan.queries) {
                let rows = plan.queries.min(seq_q - first);
                let at = MatrixLayout::dense(rows, score_stride(key));
                plan.scores.run(
                    self,
                    ProductCall {
                        batch: key.heads,
                        sharing: key.group(),
                        shape: [rows, seq_k, key.head_dim],
                        alpha: scale,
                        beta: 0.0,
                        a: MatrixRef { layout: heads(q.layout, sequence, first), ..q },
                        b: MatrixRef { layout: heads(k.layout, sequence, 0), ..k },
                        bias: None,
                        c: MatrixMut { tensor: &mut scratch, layout: at },
                    },
                )?;
                // The first query of all sees the keys before the queries, and itself.
                let past = if key.causal { seq_k - seq_q + first } else { 0 };
                let arguments = softmax::arguments([key.heads, rows, seq_k], past, 1.0, &at, &at);
                let lines = grid::line(key.heads * rows);
                self.dispatch(&plan.softmax, &[], &mut [&mut *scratch], &arguments, lines)?;
                plan.values.run(
                    self,
                    ProductCall {
                        batch: key.heads,
                        sharing: key.group(),
                        shape: [rows, key.head_dim, seq_k],
                        alpha: 1.0,
                        beta: 0.0,
                        a: MatrixRef { tensor: &scratch, layout: at },
                        b: MatrixRef { layout: heads(v.layout, sequence, 0), ..v },
                        bias: None,
                        c: MatrixMut {
                            tensor: &mut *output.tensor,
                            layout: heads(output.layout, sequence, first),
                        },
                    },
                )?;
            }
        }
        Ok(())
    }

    fn plan_composition(plan: &AttentionPlan) -> Option<Composition> {
        Some(
            Composition::new()
                .with("scores", plan.scores.composition())
                .with("softmax", plan.softmax.composition())
                .with("values", plan.values.composition())
                .with("scratch", plan.scratch_bytes)
                .with("queries", plan.queries),
        )
    }

    fn plan_bytes(plan: &AttentionPlan) -> u64 {
        plan.scratch_bytes
    }
}

/// The distance from the scores of one query to those of the next: a multiple of four, for vectors.
fn score_stride(key: &AttentionKey) -> usize {
    key.seq_k.max().next_multiple_of(4)
}
