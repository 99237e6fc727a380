//! The caches of a run: their policies, and what they did.

use std::time::Duration;

use metallic::caching::{CacheMetrics, EvictionPolicy, SharedRegistry};
use metallic::kernels::OPERATION_NAMES;
use metallic::slots::KvCacheState;
use metallic::tensor::Tensor;
use serde::Serialize;

use super::policy::CachePolicy;
use metallic_transformer::engine::TransformerDevice;

/// The figures of one cache.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CacheRow {
    /// Its name.
    pub cache: String,
    /// `kernel`, `slot` or `device`: where it is.
    pub kind: &'static str,
    /// Its policy, as it can be given on the command line.
    pub policy: Option<String>,
    /// Entries now; of a KV cache the positions.
    pub entries: u64,
    /// Look-ups answered from it; `None` of a KV cache, which has none.
    pub hits: Option<u64>,
    /// Look-ups that had to create; of a KV cache the times it grew.
    pub misses: u64,
    /// Hits among all look-ups.
    pub hit_rate: Option<f64>,
    /// Entries that its policy evicted.
    pub evictions: u64,
    /// The bytes of its entries.
    pub bytes: u64,
    /// Time spent in creations, in nanoseconds.
    pub creation_ns: u64,
    /// Misses whose resource was loaded from a store of artifacts, and not compiled.
    pub loads: u64,
    /// The part of `creation_ns` that these took.
    pub load_ns: u64,
}

impl CacheRow {
    /// The row of a cache of this name.
    pub fn new(
        cache: &str,
        kind: &'static str,
        policy: Option<EvictionPolicy>,
        metrics: &CacheMetrics,
    ) -> Self {
        Self {
            cache: cache.to_owned(),
            kind,
            policy: policy.map(|policy| policy.to_string()),
            entries: metrics.size as u64,
            hits: Some(metrics.hits),
            misses: metrics.misses,
            hit_rate: metrics.hit_rate(),
            evictions: metrics.evictions,
            bytes: metrics.bytes,
            creation_ns: ns(metrics.creation_time),
            loads: metrics.loads,
            load_ns: ns(metrics.load_time),
        }
    }

    /// The row of one worker's KV cache.
    pub(super) fn of_kv_cache<T: Tensor>(cache: &KvCacheState<T>) -> Self {
        let metrics = cache.metrics();
        Self {
            cache: cache.config().name().to_string(),
            kind: "slot",
            policy: None,
            entries: metrics.len as u64,
            hits: None,
            misses: metrics.growths,
            hit_rate: None,
            evictions: 0,
            bytes: metrics.bytes,
            creation_ns: ns(metrics.growing_time),
            loads: 0,
            load_ns: 0,
        }
    }
}

fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The name of the slot with the prepared weights, as it is in its events.
pub(super) const PREPARED: &str = "tensor_preparation";

/// The names of the caches that have a policy on every device.
pub fn names() -> impl Iterator<Item = &'static str> {
    OPERATION_NAMES.iter().copied().chain([PREPARED])
}

/// Sets the policy, if the cache is one of [`names`].
pub(super) fn set<D: TransformerDevice>(registry: &SharedRegistry<D>, policy: &CachePolicy) {
    if names().any(|name| name == policy.cache) {
        registry.set_eviction_policy_of(&policy.cache, policy.policy);
    }
}

/// The rows of all caches of kernels in the order of their names, then that of the prepared weights.
pub(super) fn rows<D: TransformerDevice>(registry: &SharedRegistry<D>) -> Vec<CacheRow> {
    let (slots, mut rows): (Vec<_>, Vec<_>) = registry
        .metrics_by_name()
        .map(|(name, metrics)| {
            let kind = if name == PREPARED { "slot" } else { "kernel" };
            CacheRow::new(&name, kind, registry.eviction_policy_of(&name), &metrics)
        })
        .partition(|row| row.kind == "slot");
    rows.extend(slots);
    rows
}
