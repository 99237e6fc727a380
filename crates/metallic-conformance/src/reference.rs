//! The operations in `f64`, written as they are defined. All matrices are dense, row by row.

/// `alpha A B + beta C + bias`, for `A` of `[m, k]`, `B` of `[k, n]`, `C` of `[m, n]` and a bias of `[n]`. `C` is not read if `beta`
/// is 0.
pub fn gemm(
    [m, n, k]: [usize; 3],
    [alpha, beta]: [f64; 2],
    a: &[f64],
    b: &[f64],
    bias: Option<&[f64]>,
    c: &[f64],
) -> Vec<f64> {
    let mut result = Vec::with_capacity(m * n);
    for row in 0..m {
        for column in 0..n {
            let product: f64 = (0..k).map(|p| a[row * k + p] * b[p * n + column]).sum();
            let before = if beta == 0.0 { 0.0 } else { beta * c[row * n + column] };
            result.push(alpha * product + before + bias.map_or(0.0, |bias| bias[column]));
        }
    }
    result
}

/// `e^(scale x)` over their sum, for the elements of a row.
pub fn softmax(row: &[f64], scale: f64) -> Vec<f64> {
    let scaled: Vec<f64> = row.iter().map(|x| scale * x).collect();
    let most = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scaled.iter().map(|x| libm::exp(x - most)).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// The sizes of an attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionShape {
    /// The heads of the queries.
    pub heads: usize,
    /// The heads of keys and values.
    pub kv_heads: usize,
    /// The size of one query, key or value.
    pub head_dim: usize,
    /// The number of queries.
    pub seq_q: usize,
    /// The number of keys.
    pub seq_k: usize,
    /// `true` if query `i` attends only to keys up to `seq_k - seq_q + i`.
    pub causal: bool,
}

impl AttentionShape {
    /// The scaled scores of a query of one head: the keys that it attends to, and no others.
    pub fn scores(&self, scale: f64, q: &[f64], k: &[f64], query: usize, head: usize) -> Vec<f64> {
        let &Self { heads, kv_heads, head_dim, seq_q, seq_k, causal } = self;
        let seen = if causal { seq_k - seq_q + query + 1 } else { seq_k };
        let kv_head = head / (heads / kv_heads);
        let q = &q[(query * heads + head) * head_dim..][..head_dim];
        let score = |key: usize| {
            let k = &k[(key * kv_heads + kv_head) * head_dim..][..head_dim];
            scale * q.iter().zip(k).map(|(q, k)| q * k).sum::<f64>()
        };
        (0..seen).map(score).collect()
    }
}

/// `softmax(scale Q K^T) V` for each head, with `Q` and the result of `[seq_q, heads, head_dim]`, `K` and `V` of
/// `[seq_k, kv_heads, head_dim]`.
pub fn attention(shape: &AttentionShape, scale: f64, q: &[f64], k: &[f64], v: &[f64]) -> Vec<f64> {
    let &AttentionShape { heads, kv_heads, head_dim, seq_q, .. } = shape;
    let mut result = Vec::with_capacity(seq_q * heads * head_dim);
    for query in 0..seq_q {
        for head in 0..heads {
            let weights = softmax(&shape.scores(scale, q, k, query, head), 1.0);
            let kv_head = head / (heads / kv_heads);
            result.extend((0..head_dim).map(|at| {
                let value = |key: usize| v[(key * kv_heads + kv_head) * head_dim + at];
                weights.iter().enumerate().map(|(key, weight)| weight * value(key)).sum::<f64>()
            }));
        }
    }
    result
}

/// The mean and the biased variance of a row.
pub fn moments(row: &[f64]) -> (f64, f64) {
    let count = row.len() as f64;
    let mean = row.iter().sum::<f64>() / count;
    (mean, row.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count)
}

/// `gamma (x - mean) / sqrt(variance + epsilon) + beta`, for the elements of a row.
pub fn layer_norm(row: &[f64], epsilon: f64, gamma: &[f64], beta: &[f64]) -> Vec<f64> {
    let (mean, variance) = moments(row);
    let deviation = (variance + epsilon).sqrt();
    row.iter()
        .zip(gamma.iter().zip(beta))
        .map(|(x, (gamma, beta))| gamma * (x - mean) / deviation + beta)
        .collect()
}

/// `x / 2 (1 + erf(x / sqrt(2)))`, from the complement of erf so that the lower tail is exact too.
pub fn gelu_erf(x: f64) -> f64 {
    x / 2.0 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

/// `x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`, as `x / (1 + e^(-2 u))` so that the lower tail is exact too.
pub fn gelu_tanh(x: f64) -> f64 {
    let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
    x / (1.0 + libm::exp(-2.0 * u))
}
