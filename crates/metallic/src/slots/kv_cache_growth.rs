//! How a KV cache gets more room: all of it, or nothing.

use std::mem;
use std::time::Duration;

use metallic_instrumentation::{EventKind, KvCacheRefused};

use super::kv_cache_state::{KvCacheState, Layer};
use crate::caching::Moment;
use crate::device::ComputeDevice;
use crate::error::{MetalError, chain};
use crate::tensor::Tensor;

/// Tensors of another capacity, not yet in their place.
pub(super) struct Allocation<T> {
    layers: Vec<Layer<T>>,
    capacity: usize,
    bytes: u64,
}

impl<T> Allocation<T> {
    /// Room for nothing.
    pub(super) fn none() -> Self {
        Self { layers: Vec::new(), capacity: 0, bytes: 0 }
    }
}

impl<T: Tensor> KvCacheState<T> {
    /// Makes room for `needed` positions, where there is less.
    #[cold]
    pub(super) fn grow<D>(&mut self, device: &D, needed: usize) -> Result<(), MetalError>
    where
        D: ComputeDevice<Tensor = T>,
    {
        let began = self.context.now();
        let mut peak_bytes = self.bytes;
        let grown = self.grown(device, needed, &mut peak_bytes);
        let duration_ns = self.context.ns_since(began);
        self.counters.growing_time =
            self.counters.growing_time.saturating_add(Duration::from_nanos(duration_ns));
        self.counters.peak_bytes = self.counters.peak_bytes.max(peak_bytes);
        match grown {
            Ok(grown) => {
                self.counters.growths += 1;
                // Dropped last: a tensor's `Drop` may panic.
                let _old = self.put(grown);
                self.report_size(began, peak_bytes, duration_ns);
                Ok(())
            }
            Err(error) => {
                match error {
                    MetalError::KvCacheFull { .. } => self.counters.refusals += 1,
                    _ => self.counters.failed_growths += 1,
                }
                self.report_refusal(began, needed, &error);
                Err(error)
            }
        }
    }

    /// Tensors with room for `needed` positions that hold what those of now hold. `peak_bytes` is raised to what was there at
    /// once, whether or not this succeeds.
    fn grown<D>(&self, device: &D, needed: usize, peak_bytes: &mut u64) -> Result<Allocation<T>, MetalError>
    where
        D: ComputeDevice<Tensor = T>,
    {
        let Self { config, .. } = self;
        config.check()?;
        if needed > config.max_positions() {
            return Err(config.full(needed, config.bytes_of(needed)));
        }
        let capacity = config.grown_capacity(self.capacity, needed);
        let mut grown = self.allocate(device, capacity, peak_bytes)?;
        if grown.bytes > config.max_bytes() && capacity > needed {
            // Its tensors take more than their elements do: with less room it may fit.
            drop(grown);
            grown = self.allocate(device, needed, peak_bytes)?;
        }
        if grown.bytes > config.max_bytes() {
            return Err(config.full(needed, grown.bytes));
        }
        if self.len > 0 {
            let (from, to, elements) =
                (self.capacity * config.width, grown.capacity * config.width, self.len * config.width);
            for (old, new) in self.layers.iter().zip(&mut grown.layers) {
                for sequence in 0..config.batch {
                    device.copy(&old.keys, sequence * from, &mut new.keys, sequence * to, elements)?;
                    device.copy(&old.values, sequence * from, &mut new.values, sequence * to, elements)?;
                }
            }
        }
        Ok(grown)
    }

    fn allocate<D>(
        &self,
        device: &D,
        capacity: usize,
        peak_bytes: &mut u64,
    ) -> Result<Allocation<T>, MetalError>
    where
        D: ComputeDevice<Tensor = T>,
    {
        let elements = self.config.elements_of(capacity)?;
        let (mut layers, mut bytes) = (Vec::with_capacity(self.config.layers), 0_u64);
        let mut tensor = || {
            let tensor = device.zeros(elements, self.config.dtype)?;
            bytes = bytes.saturating_add(tensor.bytes());
            *peak_bytes = self.bytes.saturating_add(bytes).max(*peak_bytes);
            Ok::<_, MetalError>(tensor)
        };
        for _ in 0..self.config.layers {
            layers.push(Layer { keys: tensor()?, values: tensor()? });
        }
        Ok(Allocation { layers, capacity, bytes })
    }

    /// Puts these tensors in the place of those of now, and returns the latter.
    pub(super) fn put(&mut self, Allocation { layers, capacity, bytes }: Allocation<T>) -> Vec<Layer<T>> {
        (self.capacity, self.bytes) = (capacity, bytes);
        mem::replace(&mut self.layers, layers)
    }

    fn report_refusal(&self, at: Moment, needed: usize, error: &MetalError) {
        self.context.report(EventKind::KvCacheRefused, at, || KvCacheRefused {
            cache: self.config.name.clone(),
            positions: needed as u64,
            capacity: self.capacity as u64,
            needed_bytes: self.config.bytes_of(needed),
            limit_bytes: self.config.max_bytes(),
            error: chain(error),
        });
    }
}
