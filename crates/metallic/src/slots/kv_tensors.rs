//! The tensors of a KV cache: with another capacity all of them are made anew, or none.

use super::kv_cache_config::KvCacheConfig;
use super::kv_layer::{KvLayer, KvLayerMut};
use crate::device::ComputeDevice;
use crate::error::MetalError;
use crate::tensor::Tensor;

/// Keys and values of all layers, each with room for `capacity` positions of every sequence.
pub(super) struct KvTensors<T> {
    /// Empty exactly if the capacity is 0.
    layers: Vec<Layer<T>>,
    capacity: usize,
    bytes: u64,
}

/// Keys and values of one layer.
struct Layer<T> {
    keys: T,
    values: T,
}

impl<T> KvTensors<T> {
    /// Room for nothing.
    pub(super) fn none() -> Self {
        Self { layers: Vec::new(), capacity: 0, bytes: 0 }
    }

    /// Positions that each sequence has room for.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Device memory of all of them, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A layer, to be read.
    pub(super) fn layer(&self, layer: usize) -> Option<KvLayer<'_, T>> {
        let Layer { keys, values } = self.layers.get(layer)?;
        Some(KvLayer { keys, values, capacity: self.capacity })
    }

    /// A layer, to be written.
    pub(super) fn layer_mut(&mut self, layer: usize) -> Option<KvLayerMut<'_, T>> {
        let Layer { keys, values } = self.layers.get_mut(layer)?;
        Some(KvLayerMut { keys, values, capacity: self.capacity })
    }
}

impl<T: Tensor> KvTensors<T> {
    /// Tensors with room for `needed` positions that hold the first `len` positions of these. `peak_bytes` is raised to what was
    /// there at once, whether or not this succeeds.
    pub(super) fn grown<D>(
        &self,
        device: &D,
        config: &KvCacheConfig,
        [len, needed]: [usize; 2],
        peak_bytes: &mut u64,
    ) -> Result<Self, MetalError>
    where
        D: ComputeDevice<Tensor = T>,
    {
        config.check()?;
        if needed > config.max_positions() {
            return Err(config.full(needed, config.bytes_of(needed)));
        }
        let capacity = config.grown_capacity(self.capacity, needed);
        let mut grown = self.allocate(device, config, capacity, peak_bytes)?;
        if grown.bytes > config.max_bytes() && capacity > needed {
            // Its tensors take more than their elements do: with less room it may fit.
            drop(grown);
            grown = self.allocate(device, config, needed, peak_bytes)?;
        }
        if grown.bytes > config.max_bytes() {
            return Err(config.full(needed, grown.bytes));
        }
        if len > 0 {
            let (from, to, elements) =
                (self.capacity * config.width, grown.capacity * config.width, len * config.width);
            for (old, new) in self.layers.iter().zip(&mut grown.layers) {
                for sequence in 0..config.batch {
                    device.copy(&old.keys, sequence * from, &mut new.keys, sequence * to, elements)?;
                    device.copy(&old.values, sequence * from, &mut new.values, sequence * to, elements)?;
                }
            }
        }
        Ok(grown)
    }

    /// Tensors of zeros, in addition to these.
    fn allocate<D>(
        &self,
        device: &D,
        config: &KvCacheConfig,
        capacity: usize,
        peak_bytes: &mut u64,
    ) -> Result<Self, MetalError>
    where
        D: ComputeDevice<Tensor = T>,
    {
        let elements = config.elements_of(capacity)?;
        let (mut layers, mut bytes) = (Vec::with_capacity(config.layers), 0_u64);
        let mut tensor = || {
            let tensor = device.zeros(elements, config.dtype)?;
            bytes = bytes.saturating_add(tensor.bytes());
            *peak_bytes = self.bytes.saturating_add(bytes).max(*peak_bytes);
            Ok::<_, MetalError>(tensor)
        };
        for _ in 0..config.layers {
            layers.push(Layer { keys: tensor()?, values: tensor()? });
        }
        Ok(Self { layers, capacity, bytes })
    }
}
