//! Makes every expensive GPU object exactly once: compute pipelines, descriptors, graphs, and the state around them.
//!
//! A kernel says what tells two of its resources apart and how one is made ([`caching::CacheableKernel`]). A registry
//! ([`caching::CacheRegistry`]) keeps the resources of all kernels, each under an eviction policy of its own
//! ([`caching::EvictionPolicy`]), and reports every operation as counters ([`caching::CacheMetrics`]) and as events
//! ([`metallic_instrumentation`]).

pub mod caching;
mod compute;
pub mod error;
pub mod kernels;
pub mod slots;
mod ticks;

pub use compute::device::{self, Device};
pub use compute::tensor::{self, Dtype};
#[doc(no_inline)]
pub use error::Error;
#[cfg(feature = "jsonl")]
#[doc(no_inline)]
pub use metallic_instrumentation::from_env;
#[doc(no_inline)]
pub use metallic_instrumentation::{self as instrumentation, EventSink};

/// The README's program, so that it is compiled and run like every other example.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
