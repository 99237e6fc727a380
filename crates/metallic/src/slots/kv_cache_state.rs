//! The keys and values of the positions so far.

use std::fmt;
use std::mem;
use std::panic::Location;
use std::time::Duration;

use metallic_instrumentation::{
    CreationOutcome, EventKind, KvCacheRefused, KvCacheResized, KvCacheTruncated,
};

use super::kv_cache_config::KvCacheConfig;
use super::kv_cache_metrics::KvCacheMetrics;
use super::kv_layer::{KvLayer, KvLayerMut};
use super::kv_tensors::KvTensors;
use crate::caching::{CacheRegistrySlot, Caller, Moment, Registry, ResourceCache, SlotContext};
use crate::device::ComputeDevice;
use crate::error::{MetalError, chain};
use crate::tensor::Tensor;

/// A tensor of keys and one of values for each layer, that grow with the sequences.
///
/// One step of a model: [`reserve`](Self::reserve) room for the new positions; for each layer, write their keys and values from
/// position [`len`](Self::len) on, as [`KvCacheWriteKernel`](crate::kernels::kv_cache_write::KvCacheWriteKernel) does; when all
/// layers are written, [`advance`](Self::advance). What was written and not advanced over is forgotten when the cache grows, and
/// written over by the next step: a step that fails half-way needs no undoing.
///
/// It is a plain type, of which an engine may hold many, one for each conversation; one of them can live in a registry's slot:
///
/// ```
/// use metallic::Dtype;
/// use metallic::caching::CacheRegistry;
/// use metallic::slots::{KvCacheConfig, KvCacheState};
/// # struct Values(Vec<f32>);
/// # impl metallic::tensor::Tensor for Values {
/// #     fn dtype(&self) -> Dtype { Dtype::F32 }
/// #     fn elements(&self) -> usize { self.0.len() }
/// # }
///
/// let mut registry = CacheRegistry::new();
/// let config = || KvCacheConfig::new(12, 768, Dtype::F32, 64 << 20).with_max_positions(1024);
/// let cache = registry.slot_mut(|| KvCacheState::<Values>::new(config()));
/// assert_eq!((cache.len(), cache.capacity(), cache.bytes()), (0, 0, 0));
/// ```
pub struct KvCacheState<T> {
    config: KvCacheConfig,
    tensors: KvTensors<T>,
    len: usize,
    /// The counters; what the fields above say is put in when a snapshot is taken.
    counters: KvCacheMetrics,
    context: SlotContext,
}

impl<T: Tensor> KvCacheState<T> {
    /// An empty one. It allocates nothing before the first [`reserve`](Self::reserve).
    pub fn new(config: KvCacheConfig) -> Self {
        Self {
            config,
            tensors: KvTensors::none(),
            len: 0,
            counters: KvCacheMetrics::default(),
            context: SlotContext::default(),
        }
    }

    /// Makes room for `positions` more positions in each sequence, on the device that all its tensors are on.
    ///
    /// Where there is none, the capacity doubles, or becomes what the limits allow if that is less. All new tensors are made
    /// and filled before the first of the old ones is given back, so that for a moment both are there: one and a half times
    /// what it holds after it doubled, and where a limit allowed for less, up to twice. The limit is on what it holds, not on
    /// that peak, which [`KvCacheMetrics::peak_bytes`] tells; a first capacity of all that is ever needed has no such peak.
    ///
    /// # Errors
    /// [`MetalError::KvCacheFull`] if the limits do not allow this many positions; [`MetalError::InvalidParams`] if there are no
    /// layers, no sequences or no elements, or the device has no such type; [`MetalError::Device`] if it fails. Nothing is lost
    /// then: tensors, length and capacity are as before.
    #[inline]
    #[track_caller]
    pub fn reserve<D>(&mut self, device: &D, positions: usize) -> Result<(), MetalError>
    where
        D: ComputeDevice<Tensor = T>,
    {
        match self.len.checked_add(positions) {
            Some(needed) if needed <= self.tensors.capacity() => Ok(()),
            needed => self.grow(device, needed.unwrap_or(usize::MAX), Location::caller()),
        }
    }

    /// Counts `positions` positions that were written to every layer.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if there is no room for as many; the length is as before.
    pub fn advance(&mut self, positions: usize) -> Result<(), MetalError> {
        let room = self.tensors.capacity() - self.len;
        if positions > room {
            return Err(MetalError::invalid_params(format!(
                "KV cache: {positions} positions were written where there is room for {room}"
            )));
        }
        self.len += positions;
        Ok(())
    }

    /// Rolls back: forgets the positions from `len` on, as when a guess of several tokens turns out wrong. It keeps its
    /// tensors, and does nothing if there are no more than `len` positions.
    pub fn truncate(&mut self, len: usize) {
        if len < self.len {
            self.counters.rollbacks += 1;
            self.shorten(len);
        }
    }

    /// Forgets all positions and keeps the tensors for the next sequences.
    pub fn reset(&mut self) {
        self.counters.resets += 1;
        self.shorten(0);
    }

    /// Keys and values of a layer, to be read.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if there is no such layer, or no room was reserved yet.
    pub fn layer(&self, layer: usize) -> Result<KvLayer<'_, T>, MetalError> {
        self.tensors.layer(layer).ok_or_else(|| self.config.no_layer(layer, self.capacity()))
    }

    /// Keys and values of a layer, to be written from position [`len`](Self::len) on.
    ///
    /// # Errors
    /// As [`layer`](Self::layer).
    pub fn layer_mut(&mut self, layer: usize) -> Result<KvLayerMut<'_, T>, MetalError> {
        let Self { config, tensors, .. } = self;
        let capacity = tensors.capacity();
        tensors.layer_mut(layer).ok_or_else(|| config.no_layer(layer, capacity))
    }

    /// Positions of each sequence.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns `true` if there are no positions.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Positions that each sequence has room for.
    pub fn capacity(&self) -> usize {
        self.tensors.capacity()
    }

    /// The number of layers.
    pub fn layers(&self) -> usize {
        self.config.layers
    }

    /// The number of sequences.
    pub fn batch(&self) -> usize {
        self.config.batch
    }

    /// Device memory of all tensors, in bytes: the sum of what they say themselves.
    pub fn bytes(&self) -> u64 {
        self.tensors.bytes()
    }

    /// Its shape and limits.
    pub fn config(&self) -> &KvCacheConfig {
        &self.config
    }

    /// A snapshot of what it counts.
    pub fn metrics(&self) -> KvCacheMetrics {
        let (len, capacity, bytes) = (self.len, self.capacity(), self.bytes());
        KvCacheMetrics { len, capacity, bytes, ..self.counters.clone() }
    }

    /// Makes room for `needed` positions, where there is less.
    #[cold]
    fn grow<D>(&mut self, device: &D, needed: usize, caller: Caller) -> Result<(), MetalError>
    where
        D: ComputeDevice<Tensor = T>,
    {
        let began = self.context.now();
        let label = || format!("{}:KvCache{{positions:{needed}}}", self.config.name).into();
        let passage = match self.context.admit(&self.config.name, &label, caller) {
            Ok(passage) => passage,
            Err(refused) => {
                self.counters.refusals += 1;
                self.report_refusal(began, needed, &refused);
                return Err(refused);
            }
        };
        let mut peak_bytes = self.bytes();
        let grown = self.tensors.grown(device, &self.config, [self.len, needed], &mut peak_bytes);
        let duration_ns = self.context.ns_since(began);
        let outcome = if grown.is_ok() { CreationOutcome::Created } else { CreationOutcome::Failed };
        self.context.tell(passage, outcome, duration_ns);
        self.counters.growing_time =
            self.counters.growing_time.saturating_add(Duration::from_nanos(duration_ns));
        self.counters.peak_bytes = self.counters.peak_bytes.max(peak_bytes);
        match grown {
            Ok(grown) => {
                self.counters.growths += 1;
                // Dropped last: a tensor's `Drop` may panic.
                let _old = mem::replace(&mut self.tensors, grown);
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

    fn report_refusal(&self, at: Moment, needed: usize, error: &MetalError) {
        self.context.report(EventKind::KvCacheRefused, at, || KvCacheRefused {
            cache: self.config.name.clone(),
            positions: needed as u64,
            capacity: self.capacity() as u64,
            needed_bytes: self.config.bytes_of(needed),
            limit_bytes: self.config.max_bytes(),
            error: chain(error),
        });
    }

    fn shorten(&mut self, len: usize) {
        let from = mem::replace(&mut self.len, len);
        if from > len {
            self.context.report(EventKind::KvCacheTruncated, self.context.now(), || KvCacheTruncated {
                cache: self.config.name.clone(),
                from: from as u64,
                to: len as u64,
            });
        }
    }

    fn report_size(&self, at: Moment, peak_bytes: u64, duration_ns: u64) {
        self.context.report(EventKind::KvCacheResized, at, || KvCacheResized {
            cache: self.config.name.clone(),
            layers: self.config.layers as u64,
            len: self.len as u64,
            capacity: self.capacity() as u64,
            bytes: self.bytes(),
            peak_bytes,
            duration_ns,
        });
    }
}

impl<T: Tensor> CacheRegistrySlot for KvCacheState<T> {
    /// Forgets all positions and frees the tensors.
    fn clear_slot(&mut self) {
        let (at, peak_bytes) = (self.context.now(), self.bytes());
        self.len = 0;
        self.counters.clears += 1;
        // Dropped last: a tensor's `Drop` may panic.
        let old = mem::replace(&mut self.tensors, KvTensors::none());
        if old.capacity() > 0 {
            self.report_size(at, peak_bytes, 0);
        }
    }

    fn connect(&mut self, context: &SlotContext) {
        self.context = context.clone();
    }
}

impl<T: Tensor> fmt::Debug for KvCacheState<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KvCacheState")
            .field("config", &self.config)
            .field("metrics", &self.metrics())
            .finish_non_exhaustive()
    }
}

impl<D: ComputeDevice, G: Registry<D>> ResourceCache<D, G> {
    /// The KV cache in the registry's slot, which in a [`LocalRegistry`](crate::caching::LocalRegistry) is the local's own, made
    /// with this configuration if there is none yet. For another configuration, take the one that is there out with
    /// [`CacheRegistry::remove_slot`](crate::caching::CacheRegistry::remove_slot) first.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if the one that is there has another configuration. It stays as it is.
    pub fn kv_cache(&mut self, config: &KvCacheConfig) -> Result<&mut KvCacheState<D::Tensor>, MetalError> {
        let state = self.registry.slot_mut(|| KvCacheState::new(config.clone()));
        if state.config != *config {
            let reason = format!("the KV cache has the configuration {:?}, not {config:?}", state.config);
            return Err(MetalError::invalid_params(reason));
        }
        Ok(state)
    }
}
