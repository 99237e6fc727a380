//! The metrics of one KV cache in the `metrics` facade.

use metrics::{Counter, Gauge, Unit};

/// The registered handles of one KV cache.
pub(super) struct KvCacheHandles {
    bytes: Gauge,
    capacity: Gauge,
    resizes: Counter,
    rollbacks: Counter,
    refusals: Counter,
}

impl KvCacheHandles {
    pub(super) fn describe() {
        use metrics::{describe_counter, describe_gauge};
        describe_gauge!("metallic_kv_cache_bytes", Unit::Bytes, "Device memory of a KV cache");
        describe_gauge!(
            "metallic_kv_cache_capacity_positions",
            Unit::Count,
            "Positions that each sequence of a KV cache has room for"
        );
        describe_counter!(
            "metallic_kv_cache_resizes_total",
            Unit::Count,
            "Times a KV cache grew or was freed"
        );
        describe_counter!("metallic_kv_cache_rollbacks_total", Unit::Count, "Rollbacks of a KV cache");
        describe_counter!("metallic_kv_cache_refusals_total", Unit::Count, "Times a KV cache could not grow");
    }

    pub(super) fn register(cache: &str) -> Self {
        let cache: metrics::SharedString = cache.to_owned().into();
        Self {
            bytes: metrics::gauge!("metallic_kv_cache_bytes", "cache" => cache.clone()),
            capacity: metrics::gauge!("metallic_kv_cache_capacity_positions", "cache" => cache.clone()),
            resizes: metrics::counter!("metallic_kv_cache_resizes_total", "cache" => cache.clone()),
            rollbacks: metrics::counter!("metallic_kv_cache_rollbacks_total", "cache" => cache.clone()),
            refusals: metrics::counter!("metallic_kv_cache_refusals_total", "cache" => cache),
        }
    }

    pub(super) fn resized(&self, bytes: u64, capacity: u64) {
        self.bytes.set(bytes as f64);
        self.capacity.set(capacity as f64);
        self.resizes.increment(1);
    }

    pub(super) fn rolled_back(&self) {
        self.rollbacks.increment(1);
    }

    pub(super) fn refused(&self) {
        self.refusals.increment(1);
    }
}
