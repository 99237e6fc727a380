//! The caches of a run: their policies, and what they did.

use metallic::caching::{CacheMetrics, CacheRegistry, EvictionPolicy};
use metallic::kernels::Operation;
use metallic::kernels::add::AddKernel;
use metallic::kernels::gelu::GeluKernel;
use metallic::kernels::gemm::GemmKernel;
use metallic::kernels::kv_cache_write::KvCacheWriteKernel;
use metallic::kernels::layer_norm::LayerNormKernel;
use metallic::kernels::scaled_dot_product_attention::ScaledDotProductAttentionKernel;
use serde::Serialize;

use super::policy::{CachePolicy, Written};
use crate::engine::TransformerDevice;

/// What one cache did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CacheRow {
    /// Its name.
    pub cache: String,
    /// `kernel`, `slot` or `device`: where it is.
    pub kind: &'static str,
    /// Its policy, as it can be given on the command line.
    pub policy: Option<String>,
    /// Entries now.
    pub entries: u64,
    /// Look-ups answered from it.
    pub hits: u64,
    /// Look-ups that had to create.
    pub misses: u64,
    /// Hits among all look-ups.
    pub hit_rate: Option<f64>,
    /// Entries that its policy made leave.
    pub evictions: u64,
    /// What its entries hold.
    pub bytes: u64,
    /// Time spent in creations, in nanoseconds.
    pub creation_ns: u64,
    /// What the hits would have cost without it, in nanoseconds.
    pub saved_ns: u64,
}

impl CacheRow {
    /// The row of a cache of this name.
    pub fn new(
        cache: &str,
        kind: &'static str,
        policy: Option<EvictionPolicy>,
        metrics: &CacheMetrics,
    ) -> Self {
        let ns = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Self {
            cache: cache.to_owned(),
            kind,
            policy: policy.map(|policy| Written(policy).to_string()),
            entries: metrics.size as u64,
            hits: metrics.hits,
            misses: metrics.misses,
            hit_rate: metrics.hit_rate(),
            evictions: metrics.evictions,
            bytes: metrics.bytes,
            creation_ns: ns(metrics.creation_time),
            saved_ns: ns(metrics.time_saved),
        }
    }
}

macro_rules! kernels {
    ($($kernel:ident),+) => {
        /// The caches that have a policy on every device.
        pub const NAMES: &[&str] = &[$(<$kernel as Operation>::CACHE_NAME),+];

        /// Sets the policy, and says whether the cache is one of these.
        pub(super) fn set_policy<D: TransformerDevice>(
            registry: &mut CacheRegistry<D>,
            policy: &CachePolicy,
        ) -> bool {
            $(if policy.cache == <$kernel as Operation>::CACHE_NAME {
                registry.set_eviction_policy::<$kernel>(policy.policy);
                return true;
            })+
            false
        }

        fn policy_of<D: TransformerDevice>(registry: &CacheRegistry<D>, name: &str) -> Option<EvictionPolicy> {
            $(if name == <$kernel as Operation>::CACHE_NAME {
                return Some(registry.eviction_policy::<$kernel>());
            })+
            None
        }
    };
}

kernels!(
    AddKernel,
    GeluKernel,
    GemmKernel,
    KvCacheWriteKernel,
    LayerNormKernel,
    ScaledDotProductAttentionKernel
);

/// The rows of all caches of kernels, in the order of their names.
pub(super) fn rows<D: TransformerDevice>(registry: &CacheRegistry<D>) -> Vec<CacheRow> {
    let row = |(name, metrics): (&'static str, CacheMetrics)| {
        CacheRow::new(name, "kernel", policy_of(registry, name), &metrics)
    };
    registry.metrics_by_name().map(row).collect()
}
