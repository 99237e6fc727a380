//! An encoder like BERT.

use super::matrix::{Matrix, attention};
use crate::model::Bert;

/// The mean of the states of all tokens, at length 1.
pub fn embedding(model: &Bert, ids: &[u32]) -> Vec<f64> {
    let shape = &model.config.shape;
    let state = Matrix::embedded(shape.width, ids.len(), |position| {
        let tables =
            [model.tokens.row(ids[position] as usize), model.positions.row(position), model.segments.row(0)];
        (0..shape.width).map(|at| tables.iter().map(|row| f64::from(row[at])).sum()).collect()
    });
    let mut state = state.normalized(&model.norm, shape.epsilon);
    for block in &model.blocks {
        let heads = state.linear(&block.attention.input);
        let found = attention(&heads, shape.heads, model.scale(), false);
        state.add(&found.linear(&block.attention.output));
        state = state.normalized(&block.attention_norm, shape.epsilon);
        let inner = state.linear(&block.up).activated(shape.activation);
        state.add(&inner.linear(&block.down));
        state = state.normalized(&block.inner_norm, shape.epsilon);
    }
    let mut mean = vec![0.0; shape.width];
    for row in state.rows() {
        mean.iter_mut().zip(row).for_each(|(sum, x)| *sum += x / ids.len() as f64);
    }
    let length = mean.iter().map(|x| x * x).sum::<f64>().sqrt();
    mean.iter().map(|x| x / length.max(f64::MIN_POSITIVE)).collect()
}
