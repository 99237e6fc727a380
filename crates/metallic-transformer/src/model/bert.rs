//! An encoder like BERT.

use super::config::BertConfig;
use super::parts::{Attention, Block, Layout, Linear, Norm};
use super::weights::{Tensors, Weight, WeightFile};
use crate::error::Error;

/// Layer norm after each half of a layer, attention in both directions, learned positions.
#[derive(Debug)]
pub struct Bert {
    /// Its numbers.
    pub config: BertConfig,
    /// A row for each token.
    pub tokens: Weight,
    /// A row for each position.
    pub positions: Weight,
    /// A row for each kind of segment.
    pub segments: Weight,
    /// The norm of the embeddings.
    pub norm: Norm,
    /// The layers.
    pub blocks: Vec<Block>,
}

impl Bert {
    /// Takes the tensors out of a file.
    ///
    /// # Errors
    /// One is missing, of another shape or type, or the file is truncated.
    pub fn load(config: BertConfig, file: &WeightFile) -> Result<Self, Error> {
        let tensors = file.tensors("bert.")?;
        let shape = &config.shape;
        let width = shape.width;
        Ok(Self {
            tokens: tensors.take("embeddings.word_embeddings.weight", &[shape.vocabulary, width])?,
            positions: tensors.take("embeddings.position_embeddings.weight", &[shape.positions, width])?,
            segments: tensors.take("embeddings.token_type_embeddings.weight", &[config.segments, width])?,
            norm: Norm::take(&tensors, "embeddings.LayerNorm", width)?,
            blocks: (0..shape.layers)
                .map(|layer| block(&tensors, &format!("encoder.layer.{layer}"), width, shape.inner))
                .collect::<Result<_, _>>()?,
            config,
        })
    }

    /// The factor of the attention scores.
    pub fn scale(&self) -> f32 {
        (self.config.shape.head_width() as f32).sqrt().recip()
    }

    /// All tensors.
    pub(super) fn weights(&self) -> Vec<&Weight> {
        let first = [&self.tokens, &self.positions, &self.segments, &self.norm.gain, &self.norm.bias];
        first.into_iter().chain(self.blocks.iter().flat_map(Block::weights)).collect()
    }

    /// The number of parameters.
    pub fn parameters(&self) -> usize {
        self.weights().iter().map(|weight| weight.data().len()).sum()
    }
}

fn block(tensors: &Tensors<'_>, name: &str, width: usize, inner: usize) -> Result<Block, Error> {
    let linear = |part: &str, sizes| Linear::take(tensors, &format!("{name}.{part}"), sizes, Layout::OutIn);
    let norm = |part: &str| Norm::take(tensors, &format!("{name}.{part}"), width);
    let to_heads =
        ["query", "key", "value"].map(|part| linear(&format!("attention.self.{part}"), (width, width)));
    let to_heads = to_heads.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(Block {
        attention: Attention {
            input: Linear::side_by_side(&format!("{name}.attention.self"), &to_heads),
            output: linear("attention.output.dense", (width, width))?,
        },
        attention_norm: norm("attention.output.LayerNorm")?,
        up: linear("intermediate.dense", (width, inner))?,
        down: linear("output.dense", (inner, width))?,
        inner_norm: norm("output.LayerNorm")?,
    })
}
