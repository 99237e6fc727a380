//! An encoder like BERT on a device.

use std::mem;

use metallic::Dtype;
use metallic::caching::{CacheRegistry, Registry, ResourceCache};
use metallic::error::MetalError;
use metallic::kernels::scaled_dot_product_attention::AttentionCall;
use metallic::tensor::{MatrixLayout, MatrixMut, MatrixRef};

use super::decoder::leave_out_refused;
use super::device::TransformerDevice;
use super::layers::Layers;
use super::scratch::Scratch;
use super::steps::{self, Step};
use crate::model::Bert;

/// A model that turns sentences into vectors.
pub struct Encoder<'m, D: TransformerDevice, G = CacheRegistry<D>> {
    model: &'m Bert,
    layers: Layers<D, G>,
    scratch: Option<Scratch<D::Tensor>>,
}

impl<'m, D: TransformerDevice, G: Registry<D>> Encoder<'m, D, G> {
    /// The model on this device, its plans and weights in this registry.
    pub fn new(model: &'m Bert, device: D, cache: ResourceCache<D, G>, dtype: Dtype) -> Self {
        Self { model, layers: Layers { device, cache, dtype }, scratch: None }
    }

    /// The registry.
    pub fn cache(&self) -> &ResourceCache<D, G> {
        &self.layers.cache
    }

    /// The registry, with all that was made.
    pub fn into_cache(self) -> ResourceCache<D, G> {
        self.layers.cache
    }

    /// Makes room at once for texts of `tokens` tokens. A longer text makes its own.
    ///
    /// # Errors
    /// The device's.
    pub fn reserve(&mut self, tokens: usize) -> Result<(), MetalError> {
        let Self { model, layers, scratch } = self;
        Scratch::reserve(scratch, &layers.device, &model.config.shape, tokens, layers.dtype).map(|_| ())
    }

    /// Encodes a text without meaning of each shape that texts of these lengths need: afterwards all is there that depends on this
    /// encoder's own tensors, and that no manifest can have. A shape whose plans a contract refuses is left out. `goes_on` is
    /// asked before each shape: `false` ends the rehearsal.
    ///
    /// # Errors
    /// As [`embed`](Self::embed).
    pub fn rehearse(
        &mut self,
        texts: impl IntoIterator<Item = usize>,
        goes_on: impl Fn() -> bool,
    ) -> Result<(), MetalError> {
        for step in steps::of_texts(texts).take_while(|_| goes_on()) {
            // Twice: a text leaves two of the tensors exchanged.
            leave_out_refused(self.embed(&vec![0; step.rows]))?;
            leave_out_refused(self.embed(&vec![0; step.rows]))?;
        }
        Ok(())
    }

    /// The mean of the states of all tokens, at length 1.
    ///
    /// # Errors
    /// The device's.
    ///
    /// # Panics
    /// If there are no tokens, more than the model has positions, or one that it does not have.
    pub fn embed(&mut self, ids: &[u32]) -> Result<Vec<f32>, MetalError> {
        let Self { model, layers, scratch } = self;
        let shape = &model.config.shape;
        let (rows, width) = (ids.len(), shape.width);
        let scratch = Scratch::reserve(scratch, &layers.device, shape, rows, layers.dtype)?;

        let segment = model.segments.row(0);
        let tokens = ids.iter().flat_map(|id| model.tokens.row(*id as usize).iter().zip(segment));
        let tokens: Vec<f32> = tokens.map(|(token, segment)| token + segment).collect();
        layers.device.write(&mut scratch.attended, 0, &tokens)?;
        layers.device.write(&mut scratch.normed, 0, &model.positions.data()[..rows * width])?;
        layers.add(rows * width, &scratch.attended, &scratch.normed, &mut scratch.state)?;
        layers.norm(&model.norm, shape.epsilon, (0, rows), &scratch.state, &mut scratch.normed)?;
        mem::swap(&mut scratch.state, &mut scratch.normed);

        let part = MatrixLayout { row_stride: 3 * width, ..MatrixLayout::dense(rows, 3 * width) };
        for block in &model.blocks {
            layers.linear(&block.attention.input, rows, &scratch.state, 0.0, &mut scratch.heads)?;
            let part = |at: usize| MatrixRef { tensor: &scratch.heads, layout: part.at(at * width) };
            let call = AttentionCall {
                batch: 1,
                seq_q: rows,
                seq_k: rows,
                scale: model.scale(),
                q: part(0),
                k: part(1),
                v: part(2),
                output: MatrixMut::dense(&mut scratch.attended, rows, width),
            };
            layers.attention(shape, Step { past: 0, rows }, false)?.run(&layers.device, call)?;
            layers.linear(&block.attention.output, rows, &scratch.attended, 1.0, &mut scratch.state)?;
            layers.norm(
                &block.attention_norm,
                shape.epsilon,
                (0, rows),
                &scratch.state,
                &mut scratch.normed,
            )?;
            mem::swap(&mut scratch.state, &mut scratch.normed);

            layers.linear(&block.up, rows, &scratch.state, 0.0, &mut scratch.inner)?;
            layers.activate(shape.activation, rows * shape.inner, &scratch.inner, &mut scratch.activated)?;
            layers.linear(&block.down, rows, &scratch.activated, 1.0, &mut scratch.state)?;
            layers.norm(&block.inner_norm, shape.epsilon, (0, rows), &scratch.state, &mut scratch.normed)?;
            mem::swap(&mut scratch.state, &mut scratch.normed);
        }
        let states = layers.device.read(&scratch.state, 0..rows * width)?;
        Ok(mean_at_length_one(&states, width))
    }
}

/// In f64, since a mean of many states in f32 would lose what the comparison with other programs looks at.
fn mean_at_length_one(states: &[f32], width: usize) -> Vec<f32> {
    let mut mean = vec![0.0; width];
    for row in states.chunks_exact(width) {
        mean.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
    }
    // The number of rows cancels out. sentence-transformers takes 1e-12 for the length of nothing.
    let rows = (states.len() / width) as f64;
    let length = mean.iter().map(|x| x * x).sum::<f64>().sqrt() / rows;
    mean.iter().map(|x| (x / rows / length.max(1e-12)) as f32).collect()
}
