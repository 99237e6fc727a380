//! A decoder like GPT-2 on a device.

use metallic::Dtype;
use metallic::caching::{CacheName, CacheRegistry, Registry, ResourceCache};
use metallic::error::MetalError;
use metallic::kernels::kv_cache_write::KvCacheWriteCall;
use metallic::kernels::scaled_dot_product_attention::AttentionCall;
use metallic::slots::{KvCacheConfig, KvCacheState};
use metallic::tensor::{MatrixLayout, MatrixMut, MatrixRef};

use super::device::TransformerDevice;
use super::layers::Layers;
use super::scratch::Scratch;
use super::steps::{self, Step};
use crate::model::Gpt2;

/// A model that continues a sequence of tokens, whose keys and values it keeps in the registry's slot.
///
/// Over a [`LocalRegistry`](metallic::caching::LocalRegistry) it shares plans and weights with the decoders of other threads, and
/// keys and values are its own.
pub struct Decoder<'m, D: TransformerDevice, G = CacheRegistry<D>> {
    model: &'m Gpt2,
    layers: Layers<D, G>,
    kv: KvCacheConfig,
    scratch: Option<Scratch<D::Tensor>>,
    logits: Option<D::Tensor>,
}

impl<'m, D: TransformerDevice, G: Registry<D>> Decoder<'m, D, G> {
    /// The model on this device, its plans, weights, keys and values in this registry.
    pub fn new(model: &'m Gpt2, device: D, cache: ResourceCache<D, G>, dtype: Dtype) -> Self {
        let kv = kv_cache_config(model, dtype);
        Self { model, layers: Layers { device, cache, dtype }, kv, scratch: None, logits: None }
    }

    /// Names the keys and values in events, where several decoders have one log. To be called before the first token.
    #[must_use]
    pub fn with_kv_cache_name(self, name: impl Into<CacheName>) -> Self {
        Self { kv: self.kv.with_name(name), ..self }
    }

    /// The registry.
    pub fn cache(&self) -> &ResourceCache<D, G> {
        &self.layers.cache
    }

    /// The registry, with all that was made.
    pub fn into_cache(self) -> ResourceCache<D, G> {
        self.layers.cache
    }

    /// The number of tokens in the sequence.
    pub fn positions(&self) -> usize {
        self.kv_cache().map_or(0, KvCacheState::len)
    }

    /// The keys and values; `None` before the first token.
    pub fn kv_cache(&self) -> Option<&KvCacheState<D::Tensor>> {
        self.layers.cache.registry().slot()
    }

    /// Makes room at once for sequences of `positions` positions, and for `tokens` tokens at a time. What is fed grows its tensors
    /// by itself; with room for the longest sequence from the beginning, what a device keeps for them stays good.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub fn reserve(&mut self, tokens: usize, positions: usize) -> Result<(), MetalError> {
        let Self { model, layers, kv, scratch, .. } = self;
        let device = layers.device.clone();
        let kv = layers.cache.kv_cache(kv)?;
        kv.reserve(&device, positions.saturating_sub(kv.len()))?;
        Scratch::reserve(scratch, &device, &model.config.shape, tokens, layers.dtype).map(|_| ())
    }

    /// Runs a step of each shape that prompts of these lengths need, continued by up to `tokens` tokens each, over a sequence
    /// without meaning: afterwards all is there that depends on this decoder's own tensors, and that no manifest can have. The
    /// sequence is empty then. A shape whose plans a contract refuses is left out. `goes_on` is asked before each step: `false`
    /// ends the rehearsal.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub fn rehearse(
        &mut self,
        prompts: impl IntoIterator<Item = usize>,
        tokens: usize,
        goes_on: impl Fn() -> bool,
    ) -> Result<(), MetalError> {
        let steps = steps::of_prompts(prompts, tokens, self.model.config.shape.positions);
        for step in steps.take_while(|_| goes_on()) {
            self.restart();
            self.reserve(step.rows, step.seen())?;
            self.layers.cache.kv_cache(&self.kv)?.advance(step.past)?;
            leave_out_refused(self.feed(&vec![0; step.rows]))?;
        }
        self.restart();
        Ok(())
    }

    /// Begins a new sequence, in the memory of the one before.
    pub fn restart(&mut self) {
        // A cache of another configuration is not this decoder's to reset: the next step is refused then.
        if let Ok(cache) = self.layers.cache.kv_cache(&self.kv) {
            cache.reset();
        }
    }

    /// Adds tokens to the sequence. Returns the logits of the next token, one for each token of the vocabulary. If it
    /// fails, the sequence is as before.
    ///
    /// # Errors
    /// The device's; [`MetalError::KvCacheFull`] if these are more tokens than the model has positions left.
    ///
    /// # Panics
    /// If there are no tokens, or one that the model does not have.
    pub fn feed(&mut self, ids: &[u32]) -> Result<Vec<f32>, MetalError> {
        let Self { model, layers, kv: config, scratch, logits } = self;
        let shape = &model.config.shape;
        let (rows, width) = (ids.len(), shape.width);
        let device = layers.device.clone();
        let kv = layers.cache.kv_cache(config)?;
        kv.reserve(&device, rows)?;
        let (past, seen) = (kv.len(), kv.len() + rows);
        let scratch = Scratch::reserve(scratch, &device, shape, rows, layers.dtype)?;

        let tokens: Vec<f32> = ids.iter().flat_map(|id| model.tokens.row(*id as usize)).copied().collect();
        device.write(&mut scratch.attended, 0, &tokens)?;
        device.write(&mut scratch.normed, 0, &model.positions.data()[past * width..seen * width])?;
        layers.add(rows * width, &scratch.attended, &scratch.normed, &mut scratch.state)?;

        let parts = MatrixLayout::dense(rows, 3 * width);
        for (number, block) in model.blocks.iter().enumerate() {
            layers.norm(
                &block.attention_norm,
                shape.epsilon,
                (0, rows),
                &scratch.state,
                &mut scratch.normed,
            )?;
            layers.linear(&block.attention.input, rows, &scratch.normed, 0.0, &mut scratch.heads)?;
            let part = |at: usize| MatrixRef { tensor: &scratch.heads, layout: parts.at(at * width) };

            let write = layers.kv_cache_write(shape)?;
            let room = layers.cache.kv_cache(config)?.layer_mut(number)?;
            let call = KvCacheWriteCall {
                batch: 1,
                positions: rows,
                position: past,
                capacity: room.capacity,
                k: part(1),
                v: part(2),
                keys: room.keys,
                values: room.values,
            };
            write.run(&device, call)?;

            let attention = layers.attention(shape, Step { past, rows }, true)?;
            let sequence = layers.cache.kv_cache(config)?.layer(number)?;
            let call = AttentionCall {
                batch: 1,
                seq_q: rows,
                seq_k: seen,
                scale: model.scale(number),
                q: part(0),
                k: MatrixRef::dense(sequence.keys, seen, width),
                v: MatrixRef::dense(sequence.values, seen, width),
                output: MatrixMut::dense(&mut scratch.attended, rows, width),
            };
            attention.run(&device, call)?;
            layers.linear(&block.attention.output, rows, &scratch.attended, 1.0, &mut scratch.state)?;

            layers.norm(&block.inner_norm, shape.epsilon, (0, rows), &scratch.state, &mut scratch.normed)?;
            layers.linear(&block.up, rows, &scratch.normed, 0.0, &mut scratch.inner)?;
            layers.activate(shape.activation, rows * shape.inner, &scratch.inner, &mut scratch.activated)?;
            layers.linear(&block.down, rows, &scratch.activated, 1.0, &mut scratch.state)?;
        }

        // Only the last row says what comes next.
        layers.norm(&model.norm, shape.epsilon, (rows - 1, 1), &scratch.state, &mut scratch.normed)?;
        let logits = match logits {
            Some(logits) => logits,
            none => none.insert(device.zeros(shape.vocabulary, layers.dtype)?),
        };
        layers.scores(model.head(), MatrixRef::dense(&scratch.normed, 1, width), logits)?;
        let logits = device.read(logits, 0..shape.vocabulary)?;
        layers.cache.kv_cache(config)?.advance(rows)?;
        Ok(logits)
    }
}

/// The result, where a refusal is none.
pub(super) fn leave_out_refused<T>(step: Result<T, MetalError>) -> Result<(), MetalError> {
    match step {
        Err(error) if !matches!(error.root(), MetalError::CreationRefused(_)) => Err(error),
        _ => Ok(()),
    }
}

/// The most bytes that a device may add to each tensor of keys or values to round up its size.
const ROUNDING: u64 = 4096;

/// Room for the keys and values of all positions of the model, and no more. It is the positions that limit them. The bytes are a
/// little more than these positions take, since a device may round up the size of a tensor, and the last positions would be
/// refused for that.
fn kv_cache_config(model: &Gpt2, dtype: Dtype) -> KvCacheConfig {
    let shape = &model.config.shape;
    let position = 2 * shape.layers * shape.width * dtype.size_bytes();
    let rounding = ROUNDING.saturating_mul(2 * shape.layers as u64);
    let max_bytes = (position as u64).saturating_mul(shape.positions as u64).saturating_add(rounding);
    KvCacheConfig::new(shape.layers, shape.width, dtype, max_bytes).with_max_positions(shape.positions)
}
