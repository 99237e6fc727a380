//! Key and parameters of an attention.

use crate::kernels::{RowBucket, SeqKBucket};
use crate::tensor::Dtype;

/// An attention of `seq_q` queries to `seq_k` keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionParams {
    /// The number of heads of the queries.
    pub heads: usize,
    /// The number of heads of keys and values, a divisor of `heads`: head `h` of the queries attends to head
    /// `h / (heads / kv_heads)`.
    pub kv_heads: usize,
    /// The size of one query, key or value, in elements.
    pub head_dim: usize,
    /// The number of queries.
    pub seq_q: usize,
    /// The number of keys.
    pub seq_k: usize,
    /// `true` if query `i` attends only to keys up to `seq_k - seq_q + i`: the queries are the last of the sequence.
    pub causal: bool,
    /// The type of all elements.
    pub dtype: Dtype,
}

/// The buckets of both lengths, and all else as it is. The exact lengths are given with each call, so a sequence that grows
/// token by token meets a new plan at powers of two up to 256 keys, and every 256 keys after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "portable", derive(serde::Serialize, serde::Deserialize))]
pub struct AttentionKey {
    /// The number of heads of the queries.
    pub heads: usize,
    /// The number of heads of keys and values.
    pub kv_heads: usize,
    /// The size of one query, key or value, in elements.
    pub head_dim: usize,
    /// The numbers of queries that share the plan.
    pub seq_q: RowBucket,
    /// The numbers of keys that share the plan.
    pub seq_k: SeqKBucket,
    /// `true` if later queries attend to more keys.
    pub causal: bool,
    /// The type of all elements.
    pub dtype: Dtype,
}

impl From<&AttentionParams> for AttentionKey {
    fn from(params: &AttentionParams) -> Self {
        let &AttentionParams { heads, kv_heads, head_dim, seq_q, seq_k, causal, dtype } = params;
        let (seq_q, seq_k) = (RowBucket::of(seq_q), SeqKBucket::of(seq_k));
        Self { heads, kv_heads, head_dim, seq_q, seq_k, causal, dtype }
    }
}

impl AttentionKey {
    /// The elements of all heads of one query.
    pub const fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// The elements of all heads of one key or value.
    pub const fn key_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// How many heads of the queries share a head of the keys.
    pub const fn group(&self) -> usize {
        self.heads / self.kv_heads
    }
}
