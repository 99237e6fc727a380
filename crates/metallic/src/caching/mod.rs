//! Caches of device objects: every resource is made once, kept as its policy says, and accounted for.
//!
//! ```text
//! params --create_cache_key--> key --> look up --hit--> touch ---------------------> resource
//!                                         |                                             ^
//!                                        miss --> reserve ---------> create --> commit -+
//!                                                 (what is evicted
//!                                                  is handed out)
//! ```
//!
//! Every step may emit an event to the registry's [`EventSink`](metallic_instrumentation::EventSink).
//!
//! To read the code, take the files in this order; each imports only files before it: `drops`, `clock`, `sync`,
//! `policy`, `gate`, `order`, `entries`, `reporting`, `cache`, `query`, `keyed_cache`, `composition`, `kernel`, `kernel_cache`, `slot`, `shared`,
//! `pool`, `registry`.
#![deny(unsafe_code)]

mod cache;
mod clock;
mod composition;
mod drops;
mod entries;
mod gate;
mod kernel;
mod kernel_cache;
mod keyed_cache;
mod order;
mod policy;
mod pool;
mod query;
mod registry;
mod reporting;
mod shared;
mod slot;
mod sync;

#[cfg(test)]
mod eviction_tests;

pub use clock::{Clock, ManualClock, SystemClock};
pub use composition::Composition;
pub(crate) use drops::{Foreign, caught, drop_first};
pub use equivalent::Equivalent;
pub(crate) use gate::{Asked, Caller, CreationGate, Finished, KernelKey, Passage};
pub use kernel::{CacheableKernel, Creation};
pub use kernel_cache::KernelCache;
pub use keyed_cache::KeyedCache;
pub use metallic_instrumentation::CacheName;
pub use policy::{EvictionPolicy, EvictionReason, EvictionStrategy, ParsePolicyError};
pub use pool::{Lent, Pool};
pub use query::Query;
#[cfg(feature = "store")]
pub(crate) use registry::KeyedCreation;
#[cfg(feature = "manifest")]
pub(crate) use registry::key_label;
pub use registry::{
    Answer, Batch, CacheBatch, CacheRegistry, EitherRegistry, LocalRegistry, LocalSharedCache, Registry,
    ResourceCache, SharedCache, SharedRegistry,
};
pub use reporting::{CacheCounters, CacheEvent, CacheMetrics};
pub(crate) use shared::{JudgedCache, Request};
pub use shared::{OnFailure, Ticket};
pub use slot::{CacheRegistrySlot, Moment, SlotContext};
