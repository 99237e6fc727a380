//! State around the caches: what a transformer keeps from step to step that is no resource of a kernel.
//!
//! [`KvCacheState`] holds the keys and values of the positions so far. It is a plain type, and a slot of a registry
//! ([`CacheRegistrySlot`](crate::caching::CacheRegistrySlot)): there it reports through the registry's sink and clock, and
//! `clear_slot` empties it.

mod kv_cache_config;
mod kv_cache_metrics;
mod kv_cache_state;
mod kv_layer;

pub use kv_cache_config::KvCacheConfig;
pub use kv_cache_metrics::KvCacheMetrics;
pub use kv_cache_state::KvCacheState;
pub use kv_layer::{KvLayer, KvLayerMut};
