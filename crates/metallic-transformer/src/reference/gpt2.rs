//! A decoder like GPT-2.

use super::matrix::{Matrix, attention};
use crate::model::Gpt2;

/// The logits at each position from `from` on: a row of as many as there are tokens.
pub fn logits(model: &Gpt2, ids: &[u32], from: usize) -> Vec<Vec<f64>> {
    let shape = &model.config.shape;
    let mut state = Matrix::embedded(shape.width, ids.len(), |position| {
        let token = model.tokens.row(ids[position] as usize);
        token.iter().zip(model.positions.row(position)).map(|(t, p)| f64::from(*t) + f64::from(*p)).collect()
    });
    for (layer, block) in model.blocks.iter().enumerate() {
        let heads = state.normalized(&block.attention_norm, shape.epsilon).linear(&block.attention.input);
        let found = attention(&heads, shape.heads, model.scale(layer), true);
        state.add(&found.linear(&block.attention.output));
        let inner = state.normalized(&block.inner_norm, shape.epsilon).linear(&block.up);
        state.add(&inner.activated(shape.activation).linear(&block.down));
    }
    let wanted = Matrix { width: shape.width, data: state.data[from * shape.width..].to_vec() };
    let logits = wanted.normalized(&model.norm, shape.epsilon).products(model.head());
    logits.rows().map(<[f64]>::to_vec).collect()
}
