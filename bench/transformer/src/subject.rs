//! The engines that run the model.

use metallic::Dtype;
use metallic::caching::{CacheMetrics, ResourceCache};
use metallic_host::HostDevice;
use metallic_transformer::engine::{Decoder, TransformerDevice};
use metallic_transformer::model::Gpt2;
use metallic_wgpu::WgpuDevice;

use crate::candle_gpt2::CandleGpt2;
use crate::null_device::NullDevice;

/// The counters of caches.
#[derive(Clone, Copy, Default)]
pub struct LookUps {
    pub hits: u64,
    pub misses: u64,
}

impl LookUps {
    fn of(caches: impl Iterator<Item = CacheMetrics>) -> Self {
        caches.fold(Self::default(), |sum, metrics| Self {
            hits: sum.hits + metrics.hits,
            misses: sum.misses + metrics.misses,
        })
    }
}

/// A device, and the caches it has of its own.
pub trait Device: TransformerDevice {
    /// Their counters.
    fn own_look_ups(&self) -> LookUps {
        LookUps::default()
    }
}

impl Device for HostDevice {}
impl Device for NullDevice {}

impl Device for WgpuDevice {
    fn own_look_ups(&self) -> LookUps {
        LookUps::of(self.descriptor_metrics().into_iter().map(|(_, metrics)| metrics))
    }
}

/// Something that continues a sequence of tokens.
pub trait Subject {
    /// Makes room for sequences of so many positions, so many tokens at a time.
    fn reserve(&mut self, _tokens: usize, _positions: usize) {}

    /// Forgets the sequence.
    fn restart(&mut self);

    /// Adds tokens to the sequence; the logits of what comes then.
    fn feed(&mut self, ids: &[u32]) -> Vec<f32>;

    /// Look-ups in caches so far, those of the device's own included.
    fn look_ups(&self) -> LookUps {
        LookUps::default()
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
pub struct Cached<'m, D: Device> {
    decoder: Decoder<'m, D>,
    device: D,
}

impl<'m, D: Device> Cached<'m, D> {
    /// With nothing in the caches, and no memory for sequences yet.
    pub fn new(model: &'m Gpt2, device: D) -> Self {
        let cache = ResourceCache::with_device(device.clone());
        Self { decoder: Decoder::new(model, device.clone(), cache, Dtype::F32), device }
    }
}

impl<D: Device> Subject for Cached<'_, D> {
    fn reserve(&mut self, tokens: usize, positions: usize) {
        self.decoder.reserve(tokens, positions).expect("the device has the memory");
    }

    fn restart(&mut self) {
        self.decoder.restart();
    }

    fn feed(&mut self, ids: &[u32]) -> Vec<f32> {
        self.decoder.feed(ids).expect("the device runs the model")
    }

    fn look_ups(&self) -> LookUps {
        let own = self.device.own_look_ups();
        let shared = self.decoder.cache().registry().metrics_by_name().map(|(_, metrics)| metrics);
        let shared = LookUps::of(shared);
        LookUps { hits: own.hits + shared.hits, misses: own.misses + shared.misses }
    }
}
