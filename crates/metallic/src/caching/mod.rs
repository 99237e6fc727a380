//! Caches of device objects: every resource is made once, kept as its policy says, and accounted for.
//!
//! ```text
//! params --create_cache_key--> key --> expire idle --> lookup --hit--> touch ---------------> &mut resource
//!                                                        |                                        ^
//!                                                       miss --> make room --> create --> insert -+
//! ```
//!
//! Every step may emit an event to the registry's [`EventSink`](metallic_instrumentation::EventSink).
//!
//! To read the code, take the files in this order; each imports only files before it: `clock`, `policy`, `order`,
//! `index`, `entries`, `label`, `metrics`, `reporter`, `kernel`, `kernel_cache`, `turnover`, `erased`, `slot`, `supplied`,
//! `confinement`, `registry`, `resource_cache`.
#![deny(unsafe_code)]

mod clock;
mod confinement;
mod entries;
mod erased;
mod index;
mod kernel;
mod kernel_cache;
mod label;
mod metrics;
#[allow(dead_code, reason = "the shared registry and compaction use the rest")]
mod order;
mod policy;
mod registry;
mod reporter;
mod resource_cache;
mod slot;
mod supplied;
mod turnover;

#[cfg(test)]
mod eviction_tests;

pub use clock::{Clock, ManualClock, SystemClock};
pub use confinement::{Confined, Confinement, HoldsKernel, HoldsSlot, Sendable};
pub use kernel::CacheableKernel;
pub use kernel_cache::KernelCache;
pub use metrics::{CacheEvent, CacheMetrics};
pub use policy::{EvictionPolicy, EvictionReason, EvictionStrategy, ParsePolicyError};
pub use registry::{CacheRegistry, SendRegistry};
pub use resource_cache::ResourceCache;
pub use slot::{CacheRegistrySlot, Moment, SlotContext};
