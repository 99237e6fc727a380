//! A decoder like GPT-2.

use super::config::Gpt2Config;
use super::parts::{Attention, Block, Layout, Linear, Norm};
use super::weights::{Tensors, Weight, WeightFile};
use crate::error::Error;

/// Layer norm before each half of a layer, causal attention, learned positions.
#[derive(Debug)]
pub struct Gpt2 {
    /// Its numbers.
    pub config: Gpt2Config,
    /// A row for each token, which is its embedding and, in most models, what its logit is taken with.
    pub tokens: Weight,
    /// A row for each position.
    pub positions: Weight,
    /// The layers.
    pub blocks: Vec<Block>,
    /// The norm after the last layer.
    pub norm: Norm,
    /// The table that logits are products with, if it is not the table of tokens.
    pub head: Option<Weight>,
}

impl Gpt2 {
    /// Takes the tensors out of a file.
    ///
    /// # Errors
    /// One is missing, of another shape or type, or the file is truncated.
    pub fn load(config: Gpt2Config, file: &WeightFile) -> Result<Self, Error> {
        let tensors = file.tensors("transformer.")?;
        let shape = &config.shape;
        let width = shape.width;
        Ok(Self {
            tokens: tensors.take("wte.weight", &[shape.vocabulary, width])?,
            positions: tensors.take("wpe.weight", &[shape.positions, width])?,
            blocks: (0..shape.layers)
                .map(|layer| block(&tensors, &format!("h.{layer}"), width, shape.inner))
                .collect::<Result<_, _>>()?,
            norm: Norm::take(&tensors, "ln_f", width)?,
            head: match config.tied {
                true => None,
                false => Some(tensors.take_as("lm_head.weight", &[shape.vocabulary, width])?),
            },
            config,
        })
    }

    /// The table that logits are products with: a row for each token.
    pub fn head(&self) -> &Weight {
        self.head.as_ref().unwrap_or(&self.tokens)
    }

    /// The factor of the attention scores in a layer.
    pub fn scale(&self, layer: usize) -> f32 {
        let scale =
            if self.config.scale { (self.config.shape.head_width() as f32).sqrt().recip() } else { 1.0 };
        if self.config.scale_by_layer { scale / (layer + 1) as f32 } else { scale }
    }

    /// All tensors.
    pub(super) fn weights(&self) -> Vec<&Weight> {
        let first = [&self.tokens, &self.positions];
        let last = [&self.norm.gain, &self.norm.bias];
        first
            .into_iter()
            .chain(self.blocks.iter().flat_map(Block::weights))
            .chain(last)
            .chain(&self.head)
            .collect()
    }

    /// The number of parameters.
    pub fn parameters(&self) -> usize {
        self.weights().iter().map(|weight| weight.data().len()).sum()
    }
}

fn block(tensors: &Tensors<'_>, name: &str, width: usize, inner: usize) -> Result<Block, Error> {
    let linear = |part: &str, sizes| Linear::take(tensors, &format!("{name}.{part}"), sizes, Layout::InOut);
    Ok(Block {
        attention: Attention {
            input: linear("attn.c_attn", (width, 3 * width))?,
            output: linear("attn.c_proj", (width, width))?,
        },
        attention_norm: Norm::take(tensors, &format!("{name}.ln_1"), width)?,
        up: linear("mlp.c_fc", (width, inner))?,
        down: linear("mlp.c_proj", (inner, width))?,
        inner_norm: Norm::take(tensors, &format!("{name}.ln_2"), width)?,
    })
}
