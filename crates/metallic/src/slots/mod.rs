//! State around the caches: what a transformer keeps from step to step that is no resource of a kernel.
//!
//! [`KvCacheState`] holds the keys and values of the positions so far; [`TensorPreparationCache`] holds tensors in the form that
//! an operation wants them in; [`Spans`] says in the log when a token, a frame or a request was at work. Each is a plain type, and
//! a slot of a registry ([`CacheRegistrySlot`](crate::caching::CacheRegistrySlot)): there it reports through the registry's sink
//! and clock, and
//! `clear_slot` empties it.

mod kv_cache_config;
mod kv_cache_metrics;
mod kv_cache_state;
mod kv_layer;
mod kv_tensors;
mod prepared_form;
mod spans;
mod tensor_preparation;
mod tensor_version;

pub use kv_cache_config::KvCacheConfig;
pub use kv_cache_metrics::KvCacheMetrics;
pub use kv_cache_state::KvCacheState;
pub use kv_layer::{KvLayer, KvLayerMut};
pub use prepared_form::{PreparedForm, PreparedLayout};
pub use spans::{Span, Spans};
pub use tensor_preparation::TensorPreparationCache;
pub use tensor_version::{TensorId, TensorVersion, Versioned};
