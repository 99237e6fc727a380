//! Shape and limits of a KV cache.

use metallic_instrumentation::CacheName;

use crate::error::MetalError;
use crate::tensor::Dtype;

/// Capacities are multiples of this many positions, but where a limit is in the way.
const CAPACITY_STEP: usize = 16;

/// The shape of a KV cache, and its limits.
///
/// ```
/// use metallic::Dtype;
/// use metallic::slots::KvCacheConfig;
///
/// // Twelve layers of twelve heads of 64, up to 1024 positions in at most 64 MiB.
/// let config = KvCacheConfig::new(12, 12 * 64, Dtype::F32, 64 << 20).with_max_positions(1024);
/// assert_eq!(config.max_positions(), 910); // under both limits
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvCacheConfig {
    pub(super) name: CacheName,
    pub(super) layers: usize,
    pub(super) batch: usize,
    pub(super) width: usize,
    pub(super) dtype: Dtype,
    max_bytes: u64,
    max_positions: usize,
    first_capacity: usize,
}

impl KvCacheConfig {
    /// One sequence of any length, in `layers` layers with keys and values of `width` elements a position: that is the number
    /// of key-value heads times the size of one. All tensors together hold at most `max_bytes` bytes; see
    /// [`KvCacheState::reserve`](super::KvCacheState::reserve) for what growing takes beyond that.
    pub const fn new(layers: usize, width: usize, dtype: Dtype, max_bytes: u64) -> Self {
        Self {
            name: CacheName::from_static("kv_cache"),
            layers,
            batch: 1,
            width,
            dtype,
            max_bytes,
            max_positions: usize::MAX,
            first_capacity: CAPACITY_STEP,
        }
    }

    /// So many sequences, all of one length.
    pub fn with_batch(self, batch: usize) -> Self {
        Self { batch, ..self }
    }

    /// At most this many positions per sequence, such as the model was trained for.
    pub fn with_max_positions(self, max_positions: usize) -> Self {
        Self { max_positions, ..self }
    }

    /// The capacity to begin with, in positions; 16 if nothing is said. One that is never exceeded spares the growing.
    pub fn with_first_capacity(self, positions: usize) -> Self {
        Self { first_capacity: positions, ..self }
    }

    /// Names it in events; `kv_cache` if nothing is said. An engine with several should tell them apart.
    pub fn with_name(self, name: impl Into<CacheName>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// The name in events.
    pub fn name(&self) -> &CacheName {
        &self.name
    }

    /// The most bytes that all tensors together hold.
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// The most positions a sequence can have under both limits, if tensors take no more than their elements do.
    pub fn max_positions(&self) -> usize {
        let fit = u128::from(self.max_bytes) / self.position_bytes().max(1);
        usize::try_from(fit).unwrap_or(usize::MAX).min(self.max_positions)
    }

    /// Bytes taken by `positions` positions per sequence over all layers, saturating.
    pub(super) fn bytes_of(&self, positions: usize) -> u64 {
        u64::try_from(self.position_bytes().saturating_mul(positions as u128)).unwrap_or(u64::MAX)
    }

    /// The elements of one tensor with this capacity.
    pub(super) fn elements_of(&self, capacity: usize) -> Result<usize, MetalError> {
        let elements = self.batch.checked_mul(capacity).and_then(|rows| rows.checked_mul(self.width));
        elements.ok_or_else(|| self.full(capacity, self.bytes_of(capacity)))
    }

    /// The capacity to grow to for `needed` positions, which are no more than [`max_positions`](Self::max_positions): twice the
    /// present one, or what fits.
    pub(super) fn grown_capacity(&self, capacity: usize, needed: usize) -> usize {
        let roomy = capacity.saturating_mul(2).max(needed).max(self.first_capacity);
        roomy.checked_next_multiple_of(CAPACITY_STEP).unwrap_or(roomy).min(self.max_positions())
    }

    /// Checks that there can be such a cache.
    pub(super) fn check(&self) -> Result<(), MetalError> {
        for (name, extent) in [("layers", self.layers), ("sequences", self.batch), ("elements", self.width)] {
            if extent == 0 {
                return Err(MetalError::invalid_params(format!("KV cache: the number of {name} is zero")));
            }
        }
        Ok(())
    }

    /// The error of one that has no room for this many positions, which take this many bytes.
    pub(super) fn full(&self, positions: usize, needed_bytes: u64) -> MetalError {
        let (max_positions, limit_bytes) = (self.max_positions(), self.max_bytes);
        MetalError::KvCacheFull { positions, max_positions, needed_bytes, limit_bytes }
    }

    /// The error of one that has no such layer, or none yet, with room for this many positions.
    pub(super) fn no_layer(&self, layer: usize, capacity: usize) -> MetalError {
        MetalError::invalid_params(format!(
            "KV cache: there is no layer {layer} of {} with room for {capacity} positions",
            self.layers
        ))
    }

    /// The bytes that one position of all sequences takes in all layers.
    fn position_bytes(&self) -> u128 {
        let factors = [self.layers, self.batch, self.width, self.dtype.size_bytes()];
        factors.into_iter().fold(2, |bytes: u128, factor| bytes.saturating_mul(factor as u128))
    }
}
