//! Who runs the model.

use metallic::Dtype;
use metallic::caching::ResourceCache;
use metallic_cli::engine::{Decoder, TransformerDevice};
use metallic_cli::model::Gpt2;

use crate::candle_gpt2::CandleGpt2;

/// Something that continues a sequence of tokens.
pub trait Subject {
    /// Forgets the sequence.
    fn restart(&mut self);

    /// Adds tokens to the sequence; the logits of what comes then.
    fn feed(&mut self, ids: &[u32]) -> Vec<f32>;

    /// Look-ups in caches so far: those that hit, and those that missed.
    fn look_ups(&self) -> (u64, u64) {
        (0, 0)
    }
}

impl Subject for CandleGpt2 {
    fn restart(&mut self) {
        self.reset();
    }

    fn feed(&mut self, ids: &[u32]) -> Vec<f32> {
        self.forward(ids).expect("candle runs the model")
    }
}

/// The model out of the caches, on one device.
pub struct Cached<'m, D: TransformerDevice> {
    decoder: Decoder<'m, D>,
}

impl<'m, D: TransformerDevice + Clone> Cached<'m, D> {
    /// With nothing in the caches.
    pub fn new(model: &'m Gpt2, device: D) -> Self {
        let cache = ResourceCache::with_device(device.clone());
        Self { decoder: Decoder::new(model, device, cache, Dtype::F32) }
    }
}

impl<D: TransformerDevice> Subject for Cached<'_, D> {
    fn restart(&mut self) {
        self.decoder.restart();
    }

    fn feed(&mut self, ids: &[u32]) -> Vec<f32> {
        self.decoder.feed(ids).expect("the device runs the model")
    }

    fn look_ups(&self) -> (u64, u64) {
        self.decoder
            .cache()
            .registry()
            .metrics_by_name()
            .fold((0, 0), |(hits, misses), (_, metrics)| (hits + metrics.hits, misses + metrics.misses))
    }
}
