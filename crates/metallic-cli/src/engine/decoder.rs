//! A decoder like GPT-2 on a device.

use std::collections::HashMap;

use metallic::Dtype;
use metallic::caching::ResourceCache;
use metallic::error::MetalError;
use metallic::kernels::kv_cache_write::{KvCacheWriteCall, KvCacheWriteParams};
use metallic::tensor::{MatrixLayout, MatrixRef};

use super::device::TransformerDevice;
use super::layers::{Attended, Layers};
use super::scratch::Scratch;
use crate::model::Gpt2;

/// A model that continues a sequence of tokens, whose keys and values it keeps.
pub struct Decoder<'m, D: TransformerDevice> {
    model: &'m Gpt2,
    layers: Layers<D>,
    scratch: Option<Scratch<D::Tensor>>,
    logits: Option<D::Tensor>,
    positions: usize,
    kv: Vec<(D::Tensor, D::Tensor)>,
}

impl<'m, D: TransformerDevice> Decoder<'m, D> {
    /// The model on this device, its plans, weights, keys and values in this registry.
    pub fn new(model: &'m Gpt2, device: D, cache: ResourceCache<D>, dtype: Dtype) -> Self {
        let layers = Layers { device, cache, dtype, weights: HashMap::new() };
        Self { model, layers, scratch: None, logits: None, positions: 0, kv: Vec::new() }
    }

    /// The registry.
    pub fn cache(&self) -> &ResourceCache<D> {
        &self.layers.cache
    }

    /// The registry, with all that was made.
    pub fn into_cache(self) -> ResourceCache<D> {
        self.layers.cache
    }

    /// How many tokens the sequence has.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// Begins a new sequence, in the memory of the one before.
    ///
    /// # Errors
    /// The KV cache's.
    pub fn restart(&mut self) -> Result<(), MetalError> {
        self.positions = 0;
        Ok(())
    }

    /// Adds tokens to the sequence. Returns the logits of what comes after the last of them, one for each token there is.
    ///
    /// # Errors
    /// The device's, or that of the KV cache at its limit.
    ///
    /// # Panics
    /// If there are no tokens, more than the model has positions, or one that it does not have.
    pub fn feed(&mut self, ids: &[u32]) -> Result<Vec<f32>, MetalError> {
        let Self { model, layers, scratch, logits, positions, kv } = self;
        let shape = &model.config.shape;
        let (rows, width, past) = (ids.len(), shape.width, *positions);
        let scratch = Scratch::reserve(scratch, &layers.device, shape, rows, layers.dtype)?;

        let tokens: Vec<f32> = ids.iter().flat_map(|id| model.tokens.row(*id as usize)).copied().collect();
        layers.device.write(&mut scratch.found, 0, &tokens)?;
        layers.device.write(
            &mut scratch.normed,
            0,
            &model.positions.data()[past * width..][..rows * width],
        )?;
        layers.add(rows * width, &scratch.found, &scratch.normed, &mut scratch.state)?;

        let part = MatrixLayout::dense(rows, 3 * width);
        for (layer, block) in model.blocks.iter().enumerate() {
            layers.norm(
                &block.attention_norm,
                shape.epsilon,
                (0, rows),
                &scratch.state,
                &mut scratch.normed,
            )?;
            layers.linear(&block.attention.input, rows, &scratch.normed, 0.0, &mut scratch.heads)?;
            let part = |at: usize| MatrixRef { tensor: &scratch.heads, layout: part.at(at * width) };
            let heads = (shape.heads, shape.head_width());
            if kv.len() <= layer {
                let room = || layers.device.zeros(shape.positions * width, layers.dtype);
                kv.push((room()?, room()?));
            }
            let (keys, values) = &mut kv[layer];
            let call = KvCacheWriteCall {
                batch: 1,
                positions: rows,
                position: past,
                capacity: shape.positions,
                k: part(1),
                v: part(2),
                keys,
                values,
            };
            let write = KvCacheWriteParams { width, dtype: layers.dtype };
            layers
                .cache
                .get_or_create_kv_cache_write(&write, Some(&layers.device))?
                .run(&layers.device, call)?;
            let seen = past + rows;
            let (keys, values) = (&kv[layer].0, &kv[layer].1);
            let [keys, values] = [keys, values].map(|tensor| MatrixRef::dense(tensor, seen, width));
            let attended = Attended { keys, values, positions: seen };
            layers.attend(heads, rows, true, model.scale(layer), part(0), &attended, &mut scratch.found)?;
            layers.linear(&block.attention.output, rows, &scratch.found, 1.0, &mut scratch.state)?;

            layers.norm(&block.inner_norm, shape.epsilon, (0, rows), &scratch.state, &mut scratch.normed)?;
            layers.linear(&block.up, rows, &scratch.normed, 0.0, &mut scratch.inner)?;
            layers.activate(shape.activation, rows * shape.inner, &scratch.inner, &mut scratch.activated)?;
            layers.linear(&block.down, rows, &scratch.activated, 1.0, &mut scratch.state)?;
        }
        *positions += rows;

        layers.norm(&model.norm, shape.epsilon, (rows - 1, 1), &scratch.state, &mut scratch.normed)?;
        let logits = match logits {
            Some(logits) => logits,
            none => none.insert(layers.device.zeros(shape.vocabulary, layers.dtype)?),
        };
        layers.scores(model.head(), MatrixRef::dense(&scratch.normed, 1, width), logits)?;
        layers.device.read(logits, 0..shape.vocabulary)
    }
}
