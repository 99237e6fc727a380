//! Key and parameters of an attention graph.

use crate::error::MetalError;
use crate::kernels::SeqKBucket;
use crate::tensor::{Dtype, F32Bits};

/// An attention `softmax(scale Q K^T + M) V`. All tensors are dense and row-major, the last dimension without stride:
///
/// | tensor | shape |
/// |---|---|
/// | Q, result | `[batch, heads, seq_q, head_dim]` |
/// | K, V | `[batch, heads, padded seq_k, head_dim]` |
/// | M, if `masked` | `[seq_q, padded seq_k]`, added to the scores of every head |
///
/// Without a mask `seq_k` is not padded. With one it is padded to [`SdpaKey::seq_k`], and M hides the padding, with `-inf`
/// or any number far below the scores; K and V may hold any finite numbers there. A causal mask is such an M too, and so
/// one graph serves every position of a sequence. A row of M that is `-inf` throughout gives NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SdpaParams {
    /// The number of sequences.
    pub batch: usize,
    /// The number of heads, the same for queries, keys and values.
    pub heads: usize,
    /// The number of queries in a sequence.
    pub seq_q: usize,
    /// The number of keys in a sequence.
    pub seq_k: usize,
    /// The size of one query, key or value, in elements.
    pub head_dim: usize,
    /// The type of all elements, the mask's included: [`Dtype::F32`] or [`Dtype::F16`].
    pub dtype: Dtype,
    /// The factor of the scores: usually `1 / sqrt(head_dim)`.
    pub scale: f32,
    /// `true` if a mask is added to the scores.
    pub masked: bool,
}

/// Everything that the graph is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SdpaKey {
    /// The number of sequences.
    pub batch: usize,
    /// The number of heads.
    pub heads: usize,
    /// The number of queries in a sequence.
    pub seq_q: usize,
    /// The number of keys in a sequence; with a mask, that of their [`SeqKBucket`].
    pub seq_k: usize,
    /// The size of one query, key or value, in elements.
    pub head_dim: usize,
    /// The type of all elements.
    pub dtype: Dtype,
    /// The factor of the scores.
    pub scale: F32Bits,
    /// `true` if a mask is added to the scores.
    pub masked: bool,
}

impl From<&SdpaParams> for SdpaKey {
    fn from(params: &SdpaParams) -> Self {
        let &SdpaParams { batch, heads, seq_q, seq_k, head_dim, dtype, scale, masked } = params;
        // Only a mask can hide padding from the softmax.
        let seq_k = if masked { SeqKBucket::of(seq_k).max() } else { seq_k };
        Self { batch, heads, seq_q, seq_k, head_dim, dtype, scale: scale.into(), masked }
    }
}

impl SdpaKey {
    /// The shape of Q and of the result.
    pub const fn query_shape(&self) -> [usize; 4] {
        [self.batch, self.heads, self.seq_q, self.head_dim]
    }

    /// The shape of K and of V.
    pub const fn key_shape(&self) -> [usize; 4] {
        [self.batch, self.heads, self.seq_k, self.head_dim]
    }

    /// The shape of M.
    pub const fn mask_shape(&self) -> [usize; 2] {
        [self.seq_q, self.seq_k]
    }

    /// Checks that there is something to attend to, in a type that can be, and that the scores fit into the address space.
    pub(super) fn check(&self) -> Result<(), MetalError> {
        let shape = [self.batch, self.heads, self.seq_q, self.seq_k, self.head_dim];
        if shape.contains(&0) {
            return Err(MetalError::invalid_params(format!(
                "an attention without elements: batch {}, heads {}, queries {}, keys {}, head size {}",
                self.batch, self.heads, self.seq_q, self.seq_k, self.head_dim
            )));
        }
        if !matches!(self.dtype, Dtype::F32 | Dtype::F16) {
            return Err(MetalError::invalid_params(format!("attention of {} is not offered", self.dtype)));
        }
        if !self.scale.get().is_finite() {
            return Err(MetalError::invalid_params(format!("attention scores times {:?}", self.scale)));
        }
        let scores = [self.batch, self.heads, self.seq_q, self.seq_k];
        for shape in [self.query_shape(), self.key_shape(), scores] {
            self.bytes(&shape)?;
        }
        Ok(())
    }

    /// The bytes of a dense tensor of this shape.
    pub(super) fn bytes(&self, shape: &[usize]) -> Result<usize, MetalError> {
        let size = |bytes: usize, &extent| bytes.checked_mul(extent);
        shape
            .iter()
            .try_fold(self.dtype.size_bytes(), size)
            .ok_or_else(|| MetalError::invalid_params("attention tensors larger than the address space"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMS: SdpaParams = SdpaParams {
        batch: 1,
        heads: 12,
        seq_q: 1,
        seq_k: 300,
        head_dim: 64,
        dtype: Dtype::F32,
        scale: 0.125,
        masked: true,
    };

    fn key(params: SdpaParams) -> SdpaKey {
        SdpaKey::from(&params)
    }

    #[test]
    fn a_mask_lets_a_bucket_of_lengths_share_a_graph() {
        assert_eq!(key(PARAMS), key(SdpaParams { seq_k: 301, ..PARAMS }));
        assert_eq!(key(PARAMS).key_shape(), [1, 12, 512, 64]);
        assert_eq!(key(PARAMS).mask_shape(), [1, 512]);
        assert_eq!(key(PARAMS).query_shape(), [1, 12, 1, 64]);
    }

    #[test]
    fn without_a_mask_nothing_is_padded() {
        let bare = SdpaParams { masked: false, ..PARAMS };
        assert_eq!(key(bare).seq_k, 300);
        assert_ne!(key(bare), key(SdpaParams { seq_k: 301, ..bare }));
    }

    #[test]
    fn the_scale_is_part_of_the_key() {
        assert_ne!(key(PARAMS), key(SdpaParams { scale: 0.25, ..PARAMS }));
    }

    #[test]
    fn attentions_that_cannot_be_are_refused() {
        assert!(key(PARAMS).check().is_ok());
        let half = 1 << (usize::BITS / 2); // Q and K fit into memory, their product does not
        for params in [
            SdpaParams { batch: 0, ..PARAMS },
            SdpaParams { heads: 0, ..PARAMS },
            SdpaParams { seq_q: 0, ..PARAMS },
            SdpaParams { seq_k: 0, ..PARAMS },
            SdpaParams { head_dim: 0, ..PARAMS },
            SdpaParams { dtype: Dtype::I8, ..PARAMS },
            SdpaParams { scale: f32::NAN, ..PARAMS },
            SdpaParams { scale: f32::INFINITY, ..PARAMS },
            SdpaParams { seq_k: usize::MAX, ..PARAMS },
            SdpaParams { seq_q: half, seq_k: half, head_dim: 1, ..PARAMS },
        ] {
            assert!(key(params).check().is_err(), "{params:?}");
        }
    }
}
