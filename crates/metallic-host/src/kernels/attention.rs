//! Attention on the host: scores, softmax and the sum of values of one head and some queries at a time, so that only their
//! scores are ever in memory.

use metallic::caching::Composition;
use metallic::error::MetalError;
use metallic::kernels::Runs;
use metallic::kernels::scaled_dot_product_attention::{
    AttentionCall, AttentionKey, ScaledDotProductAttentionKernel,
};
use metallic::tensor::MatrixRef;

use super::composition;
use crate::device::HostDevice;
use crate::element::{Element, with_element};
use crate::function::softmax;
use crate::heads::{Heads, head_products, head_sums};
use crate::reduction::{Rows, rows_scratch};
use crate::rows::row_blocks;
use crate::scratch::with_scratch;
use crate::tensor::HostTensor;
use crate::tile::{Factor, Tile};

/// How many queries a thread answers at a time, for all heads; a single query is divided by heads.
#[derive(Clone, Copy, Debug)]
pub struct AttentionPlan {
    queries: usize,
    heads: usize,
}

impl Runs<ScaledDotProductAttentionKernel> for HostDevice {
    type Plan = AttentionPlan;

    /// Also starts the device's threads, if an attention is worth them.
    fn plan(&self, key: &AttentionKey) -> Result<AttentionPlan, MetalError> {
        self.workers(nanoseconds(key, 1, key.seq_q.max(), key.seq_k.max()))?;
        let (threads, queries) = (self.threads().get(), key.seq_q.max());
        // Two parts for each thread, so that one that was held up takes fewer.
        let parts = if threads == 1 { 1 } else { 2 * threads };
        Ok(if queries == 1 {
            AttentionPlan { queries: 1, heads: key.kv_heads.div_ceil(parts) * key.group() }
        } else {
            let most = (SCORES / key.seq_k.max()).clamp(4, 64);
            AttentionPlan { queries: queries.div_ceil(parts).min(most), heads: key.heads }
        })
    }

    fn run(
        &self,
        plan: &AttentionPlan,
        key: &AttentionKey,
        call: AttentionCall<'_, HostTensor>,
    ) -> Result<(), MetalError> {
        with_element!(key.dtype, attention(self, *plan, key, call))
    }

    fn plan_composition(plan: &AttentionPlan) -> Option<Composition> {
        composition(plan)
    }
}

/// About how many scores of one head are made at a time: what a processor's second cache holds of them.
const SCORES: usize = 1 << 17;

/// How many products of an element of a query with one of a key, and of a score with one of a value, a thread does in a
/// nanosecond, about.
const PRODUCTS_A_NANOSECOND: usize = 10;

/// How long so many sequences take one thread, about.
fn nanoseconds(key: &AttentionKey, batch: usize, seq_q: usize, seq_k: usize) -> u64 {
    let scores = batch.saturating_mul(seq_q).saturating_mul(seq_k);
    (scores.saturating_mul(2 * key.query_width()) / PRODUCTS_A_NANOSECOND) as u64
}

fn attention<E: Element>(
    device: &HostDevice,
    plan: AttentionPlan,
    key: &AttentionKey,
    call: AttentionCall<'_, HostTensor>,
) -> Result<(), MetalError> {
    let AttentionCall { batch, seq_q, seq_k, scale, q, k, v, output } = call;
    let workers = device.workers(nanoseconds(key, batch, seq_q, seq_k))?;
    let shape = [batch, seq_q, key.query_width()];
    let blocks = row_blocks(E::of_mut(output.tensor), &output.layout, shape, plan.queries);
    let sequences = Sequences { key, seq_q, seq_k, scale, q, k, v };
    let head_dim = key.head_dim;
    let parts = blocks.flat_map(|block| {
        let (matrix, first, count, stride) = (block.matrix, block.first, block.count(), block.row_stride);
        // With one query a part is some of its heads, with more it is all of them.
        let width = if plan.queries == 1 { plan.heads * head_dim } else { block.elements.len() };
        block.elements.chunks_mut(width).enumerate().map(move |(index, output)| {
            let head = index * plan.heads;
            let heads = plan.heads.min(key.heads - head);
            (Part { sequence: matrix, first, count, head, heads }, stride, output)
        })
    });
    workers.share(parts, |(part, stride, output)| sequences.attend::<E>(&part, stride, output));
    Ok(())
}

/// All but the output of a call.
struct Sequences<'a> {
    key: &'a AttentionKey,
    seq_q: usize,
    seq_k: usize,
    scale: f32,
    q: MatrixRef<'a, HostTensor>,
    k: MatrixRef<'a, HostTensor>,
    v: MatrixRef<'a, HostTensor>,
}

/// Some queries and heads.
struct Part {
    sequence: usize,
    first: usize,
    count: usize,
    head: usize,
    heads: usize,
}

impl<'a> Sequences<'a> {
    /// How many keys a query attends to.
    fn seen(&self, query: usize) -> usize {
        if self.key.causal { self.seq_k - self.seq_q + query + 1 } else { self.seq_k }
    }

    /// Where a head of a row of one of the operands begins.
    fn at(&self, part: &Part, matrices: &MatrixRef<'_, HostTensor>, row: usize, head: usize) -> usize {
        let layout = &matrices.layout;
        layout.offset
            + part.sequence * layout.batch_stride
            + row * layout.row_stride
            + head * self.key.head_dim
    }

    /// Answers the queries of a part. The output begins with the first query's first head.
    fn attend<E: Element>(&self, part: &Part, stride: usize, output: &mut [E]) {
        if part.count == 1 {
            return self.one_query(part, output);
        }
        for head in part.head..part.head + part.heads {
            let output = &mut output[(head - part.head) * self.key.head_dim..];
            let kv_head = head / self.key.group();
            let q = &E::of(self.q.tensor)[self.at(part, &self.q, part.first, head)..];
            let k = &E::of(self.k.tensor)[self.at(part, &self.k, 0, kv_head)..];
            let v = &E::of(self.v.tensor)[self.at(part, &self.v, 0, kv_head)..];
            self.queries(part, q, k, v, stride, output);
        }
    }

    /// One query, all its heads at once.
    fn one_query<E: Element>(&self, part: &Part, output: &mut [E]) {
        let heads = Heads { size: self.key.head_dim, count: part.heads, group: self.key.group() };
        let (seen, width) = (self.seen(part.first), heads.count * heads.size);
        let kv_head = part.head / self.key.group();
        let q = &E::of(self.q.tensor)[self.at(part, &self.q, part.first, part.head)..][..width];
        let rows = |matrices: &MatrixRef<'a, HostTensor>| Rows {
            elements: &E::of(matrices.tensor)[self.at(part, matrices, 0, kv_head)..],
            stride: matrices.layout.row_stride,
        };
        with_scratch(2 * heads.count * seen + 2 * width + rows_scratch::<E>(heads.width()), |scratch| {
            let (scores, scratch) = scratch.split_at_mut(heads.count * seen);
            let (weights, scratch) = scratch.split_at_mut(heads.count * seen);
            let (q_part, scratch) = scratch.split_at_mut(width);
            let (output_part, scratch) = scratch.split_at_mut(width);
            head_products(heads, E::widen(q, q_part), rows(&self.k), scratch, scores);
            for (scores, weights) in scores.chunks(seen).zip(weights.chunks_mut(seen)) {
                softmax(scores, self.scale, weights);
            }
            E::narrow(&mut output[..width], false, output_part, |output| {
                output.fill(0.0);
                head_sums(heads, weights, rows(&self.v), scratch, output);
            });
        });
    }

    /// The same for some queries, by the crate `gemm`.
    fn queries<E: Element>(&self, part: &Part, q: &[E], k: &[E], v: &[E], stride: usize, output: &mut [E]) {
        let (head_dim, count) = (self.key.head_dim, part.count);
        // The last query sees the most keys.
        let seen = self.seen(part.first + count - 1);
        let widened = if E::WIDENS { 2 * (count + seen) * head_dim } else { 0 };
        with_scratch(2 * count * seen + widened, |scratch| {
            let (scores, scratch) = scratch.split_at_mut(count * seen);
            let (weights, scratch) = scratch.split_at_mut(count * seen);
            let part_of = |elements: usize| if E::WIDENS { elements } else { 0 };
            let (q_part, scratch) = scratch.split_at_mut(part_of(count * head_dim));
            let (output_part, scratch) = scratch.split_at_mut(part_of(count * head_dim));
            let (k_part, v_part) = scratch.split_at_mut(part_of(seen * head_dim));
            let (q, q_stride) = E::widen_rows(q, self.q.layout.row_stride, [count, head_dim], q_part);
            let (k, k_stride) = E::widen_rows(k, self.k.layout.row_stride, [seen, head_dim], k_part);
            let (v, v_stride) = E::widen_rows(v, self.v.layout.row_stride, [seen, head_dim], v_part);
            let q = Factor { elements: q, row_stride: q_stride, column_stride: 1 };
            let k = Factor { elements: k, row_stride: 1, column_stride: k_stride };
            let v = Factor { elements: v, row_stride: v_stride, column_stride: 1 };
            Tile::of(scores, seen, count, seen).product(1.0, 0.0, head_dim, q, k);
            let rows = scores.chunks(seen).zip(weights.chunks_mut(seen));
            for (query, (scores, weights)) in (part.first..).zip(rows) {
                let (weights, unseen) = weights.split_at_mut(self.seen(query));
                softmax(&scores[..weights.len()], self.scale, weights);
                unseen.fill(0.0);
            }
            let weights = Factor { elements: weights, row_stride: seen, column_stride: 1 };
            let mut tile = Tile::of(output, stride, count, head_dim);
            E::narrow_tile(&mut tile, false, output_part, |output| {
                output.product(1.0, 0.0, seen, weights, v)
            });
        });
    }
}
