//! A model's tensors by the names that GPT-2's checkpoints have.

use std::collections::HashMap;

use metallic_transformer::model::{Gpt2, Weight};

use crate::candle_gpt2::Sizes;

pub fn sizes(model: &Gpt2) -> Sizes {
    let shape = &model.config.shape;
    Sizes {
        layers: shape.layers,
        heads: shape.heads,
        width: shape.width,
        inner: shape.inner,
        vocabulary: shape.vocabulary,
        positions: shape.positions,
        epsilon: shape.epsilon,
    }
}

pub fn by_name(model: &Gpt2) -> HashMap<&str, &Weight> {
    let blocks = model.blocks.iter().flat_map(|block| {
        let linear = [&block.attention.input, &block.attention.output, &block.up, &block.down];
        let norms = [&block.attention_norm, &block.inner_norm];
        let linear = linear.into_iter().flat_map(|linear| [&linear.weight, &linear.bias]);
        linear.chain(norms.into_iter().flat_map(|norm| [&norm.gain, &norm.bias]))
    });
    let rest = [&model.tokens, &model.positions, &model.norm.gain, &model.norm.bias];
    blocks.chain(rest).map(|weight| (weight.name(), weight)).collect()
}
