//! Attention.

use metallic::caching::CacheableKernel;
use metallic::kernels::scaled_dot_product_attention::{
    AttentionCall, AttentionParams, ScaledDotProductAttentionKernel,
};
use metallic::kernels::{Operation, Runs};
use metallic::tensor::{Dtype, MatrixMut, MatrixRef};
use proptest::prelude::*;

use super::cases::{Numbers, Outcome, done, size, try_cases};
use super::checked::Checked;
use super::deviation::U;
use super::inputs::{Found, check_inputs};
use super::operand::{Matrices, Spread, spread};
use super::refusals::{define_wrong, must_plan, no_plan, of_f16, tensor};
use super::sharing::check_plans;
use crate::reference::{self, AttentionShape};

#[derive(Debug)]
struct Case {
    batch: usize,
    shape: AttentionShape,
    /// How large queries are: 30 makes scores beyond what a bare `exp` can do.
    spread: f32,
    scale: f32,
    spreads: [Spread; 4],
    seed: u64,
}

fn case() -> impl Strategy<Value = Case> {
    let heads = (1..4_usize, 1..4_usize, prop_oneof![Just(1_usize), Just(64), size(40)]);
    let lengths = prop_oneof![
        3 => (size(20), size(70)),
        2 => (Just(1), size(300)),
        1 => (size(70), size(70)),
    ];
    let spread_of_values = prop_oneof![Just(1.0_f32), Just(30.0)];
    let spreads = [spread(true).boxed(), spread(true).boxed(), spread(true).boxed(), spread(false).boxed()];
    (1..3_usize, heads, lengths, any::<bool>(), spread_of_values, any::<bool>(), spreads, any::<u64>())
        .prop_map(
            |(batch, (kv_heads, group, head_dim), (seq_q, seq_k), causal, spread, scaled, spreads, seed)| {
                // A causal query sees itself.
                let seq_q = if causal { seq_q.min(seq_k) } else { seq_q };
                let heads = kv_heads * group;
                let scale = if scaled { 1.0 / (head_dim as f32).sqrt() } else { 1.0 };
                let shape = AttentionShape { heads, kv_heads, head_dim, seq_q, seq_k, causal };
                Case { batch, shape, spread, scale, spreads, seed }
            },
        )
}

/// Right parameters.
const ATTENTION: AttentionParams = AttentionParams {
    heads: 4,
    kv_heads: 2,
    head_dim: 3,
    seq_q: 3,
    seq_k: 7,
    causal: true,
    dtype: Dtype::F32,
};

impl Checked for ScaledDotProductAttentionKernel {
    /// Compares attentions with the reference: causal and not, heads that share keys, caches with room behind the last key,
    /// scores whose powers of e are beyond all numbers.
    fn compare<D: Runs<Self>>(device: &D, cases: usize) {
        try_cases(Self::NAME, device, cases, case(), check);
    }

    fn refuse<D: Runs<Self>>(device: &D) {
        for params in [
            AttentionParams { heads: 3, ..ATTENTION },
            AttentionParams { heads: 0, ..ATTENTION },
            AttentionParams { kv_heads: 0, ..ATTENTION },
            AttentionParams { head_dim: 0, ..ATTENTION },
            AttentionParams { seq_q: 0, ..ATTENTION },
            AttentionParams { seq_k: 0, ..ATTENTION },
            AttentionParams { dtype: Dtype::BF16, ..ATTENTION },
        ] {
            no_plan::<Self, D>(device, &params);
        }
        let plan = must_plan::<Self, D>(device, &ATTENTION);
        let [q, k, v] = [36, 42, 42].map(|elements| tensor(device, elements));
        define_wrong!(device, plan, [output: 36], AttentionCall {
            batch: 1,
            seq_q: 3,
            seq_k: 7,
            scale: 1.0,
            q: MatrixRef::dense(&q, 3, 12),
            k: MatrixRef::dense(&k, 7, 6),
            v: MatrixRef::dense(&v, 7, 6),
            output: MatrixMut::dense(&mut output, 3, 12),
        }, $);
        wrong!("attention of no queries", |call| call.seq_q = 0);
        wrong!("attention of more queries than the bucket", |call| call.seq_q = 5);
        wrong!("attention to more keys than the bucket", |call| call.seq_k = 9);
        wrong!("causal attention to fewer keys than queries", |call| call.seq_k = 2);
        wrong!("attention with an infinite scale", |call| call.scale = f32::INFINITY);
        wrong!("attention of a Q beyond its end", |call| call.q.layout.offset = 1);
        wrong!("attention to keys beyond their end", |call| call.k.layout.offset = 1);
        wrong!("attention to overlapping values", |call| call.v.layout.row_stride = 5);
        wrong!("attention into an output beyond its end", |call| call.output.layout.offset = 1);
        wrong!("attention of more sequences than there are", |call| call.batch = 2);
        let other = of_f16(device, 42);
        if let Some(other) = &other {
            wrong!("attention to values of f16", |call| call.v.tensor = other);
        }
    }

    fn share<D: Runs<Self>>(device: &D) {
        let attention = |(seq_q, seq_k)| AttentionParams { head_dim: 8, seq_q, seq_k, ..ATTENTION };
        check_plans::<Self, D>(device, [(1, 129), (1, 200), (1, 256)].map(attention), 1);
        check_plans::<Self, D>(device, [(5, 9), (8, 16), (7, 13)].map(attention), 1);
        check_plans::<Self, D>(device, [(1, 16), (2, 16), (1, 17)].map(attention), 3);
    }

    fn change_inputs<D: Runs<Self>>(device: &D) -> Found {
        let attention =
            AttentionParams { heads: 4, kv_heads: 4, head_dim: 8, seq_q: 5, seq_k: 9, ..ATTENTION };
        let inputs = [
            AttentionParams { ..attention },
            AttentionParams { heads: 8, ..attention },
            AttentionParams { kv_heads: 2, ..attention },
            AttentionParams { head_dim: 9, ..attention },
            AttentionParams { seq_q: 7, ..attention },
            AttentionParams { seq_q: 64, seq_k: 512, ..attention },
            AttentionParams { seq_k: 13, ..attention },
            AttentionParams { seq_k: 512, ..attention },
            AttentionParams { causal: !attention.causal, ..attention },
            AttentionParams { dtype: Dtype::F16, ..attention },
        ];
        check_inputs::<Self, D>(device, inputs)
    }
}

fn check<D: Runs<ScaledDotProductAttentionKernel>>(device: &D, dtype: Dtype, case: &Case) -> Outcome {
    let &Case { batch, shape, spread, scale, spreads: [spread_q, spread_k, spread_v, to], seed } = case;
    let AttentionShape { heads, kv_heads, head_dim, seq_q, seq_k, causal } = shape;
    let mut numbers = Numbers(seed);
    let (queries, keys) = ([batch, seq_q, heads * head_dim], [batch, seq_k, kv_heads * head_dim]);
    let values = numbers.around(0.0, spread, spread_q.elements(queries));
    let q = Matrices::upload(device, dtype, &spread_q, queries, &values)?;
    let values = numbers.around(0.0, 1.0, spread_k.elements(keys));
    let k = Matrices::upload(device, dtype, &spread_k, keys, &values)?;
    let values = numbers.around(0.2, 1.0, spread_v.elements(keys));
    let v = Matrices::upload(device, dtype, &spread_v, keys, &values)?;
    let values = vec![f32::NAN; to.elements(queries)];
    let mut output = Matrices::upload(device, dtype, &to, queries, &values)?;

    let params = AttentionParams { heads, kv_heads, head_dim, seq_q, seq_k, causal, dtype };
    let key = ScaledDotProductAttentionKernel::key(&params);
    let plan = done("plan", ScaledDotProductAttentionKernel::create_cached_resource(&key, Some(device)))?;
    let call = AttentionCall {
        batch,
        seq_q,
        seq_k,
        scale,
        q: q.as_ref(),
        k: k.as_ref(),
        v: v.as_ref(),
        output: output.as_mut(),
    };
    done("run", plan.run(device, call))?;

    let wanted: Vec<Vec<_>> = (0..batch)
        .map(|sequence| {
            let (q, k, v) = (q.matrix(sequence), k.matrix(sequence), v.matrix(sequence));
            let results = reference::attention(&shape, f64::from(scale), &q, &k, &v);
            let allowed = allowed(&shape, f64::from(scale), &q, &k, &v);
            results.into_iter().zip(allowed).collect()
        })
        .collect();
    output.compare(device, dtype, &wanted)
}

/// How far each element of a result may be off.
fn allowed(shape: &AttentionShape, scale: f64, q: &[f64], k: &[f64], v: &[f64]) -> Vec<f64> {
    let &AttentionShape { heads, kv_heads, head_dim, seq_q, .. } = shape;
    let magnitudes = |values: &[f64]| values.iter().map(|x| x.abs()).collect::<Vec<_>>();
    let (q_magnitudes, k_magnitudes) = (magnitudes(q), magnitudes(k));
    let mut allowed = Vec::with_capacity(seq_q * heads * head_dim);
    for query in 0..seq_q {
        for head in 0..heads {
            let scores = shape.scores(scale, q, k, query, head);
            let terms = shape.scores(scale.abs(), &q_magnitudes, &k_magnitudes, query, head);
            let terms = terms.into_iter().fold(0.0, f64::max);
            let score_units = (8.0 + 2.0 * (head_dim as f64).sqrt()) * terms;
            let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let largest = scores.iter().map(|score| score.abs()).fold(0.0, f64::max);
            let weights = reference::softmax(&scores, 1.0);
            allowed.extend((0..head_dim).map(|at| {
                let per_key = weights.iter().zip(&scores).enumerate().map(|(key, (weight, score))| {
                    let value = v[(key * kv_heads + head / (heads / kv_heads)) * head_dim + at].abs();
                    let units =
                        32.0 + 2.0 * (scores.len() as f64).sqrt() + 2.0 * (most - score) + 2.0 * largest;
                    (units + 2.0 * score_units) * U * weight * value
                });
                per_key.sum::<f64>()
            }));
        }
    }
    allowed
}
