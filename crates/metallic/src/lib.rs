//! Makes every expensive GPU object exactly once: compute pipelines, descriptors, graphs, and the state around them.
//!
//! An engine wants the same few hundred objects over and over, and each takes milliseconds to seconds to create. This library
//! keeps them in typed caches, for one thread or for all, each under an eviction policy, and accounts for every operation. It
//! takes the place of a `Mutex<HashMap<String, Pipeline>>` that grows without bound and is locked while a pipeline compiles.
//!
//! ```text
//! params --create_cache_key--> key --> look up --hit--> touch ---------------------------------> resource
//!                                         |                                                         ^
//!                                        miss --> reserve ----------> flight --> create --> commit -+
//!                                                 (room; what is      (one creation
//!                                                  evicted is         per key; shared
//!                                                  handed out)        registries only)
//! every arrow may emit an event ---------------------------------------> EventSink
//! ```
//!
//! # Words
//!
//! - A **kernel** is a type that implements [`CacheableKernel`](caching::CacheableKernel): it names a cache and says how its key is
//!   derived and its resource created.
//! - A **key** holds everything that a resource depends on, and nothing else. **Params** are what a caller has at hand.
//! - A **resource** is what is worth keeping: usually a handle that is cheap to clone.
//! - A **cache** holds the resources of one kernel, or of one pair of types under a name
//!   ([`SharedCache`](caching::SharedCache), [`KeyedCache`](caching::KeyedCache)), under one
//!   [`EvictionPolicy`](caching::EvictionPolicy).
//! - A **registry** holds the caches of all kernels: [`CacheRegistry`](caching::CacheRegistry) for one thread,
//!   [`SharedRegistry`](caching::SharedRegistry) for all, in which a key is created by one thread while others wait for it.
//! - A **local** is one thread's view of a shared registry ([`LocalRegistry`](caching::LocalRegistry)): a hit is a borrow and takes
//!   no lock.
//!
//! # Example
//!
//! ```
//! use metallic::caching::{CacheableKernel, EvictionPolicy, SharedRegistry};
//! use metallic::{Device, error::MetalError};
//!
//! struct Shader;
//!
//! impl CacheableKernel for Shader {
//!     type Key = u32;
//!     type CachedResource = String;
//!     type Params = u32;
//!
//!     const CACHE_NAME: &'static str = "shader";
//!
//!     fn create_cache_key(width: &u32) -> u32 {
//!         width.next_power_of_two() // widths of one bucket share a shader
//!     }
//!
//!     fn create_cached_resource(width: &u32, _: Option<&Device>) -> Result<String, MetalError> {
//!         Ok(format!("compiled for {width}"))
//!     }
//! }
//!
//! let registry: SharedRegistry = SharedRegistry::new();
//! registry.set_eviction_policy::<Shader>(EvictionPolicy::size_limited_lru(1000));
//! std::thread::scope(|scope| {
//!     for width in [100, 120, 128] {
//!         let registry = &registry;
//!         scope.spawn(move || {
//!             let mut local = registry.local();
//!             let shader = local.get_or_create::<Shader>(&width, None).unwrap();
//!             assert_eq!(shader, "compiled for 128");
//!         });
//!     }
//! });
//! let counts = registry.metrics::<Shader>().map(|metrics| (metrics.hits, metrics.misses));
//! assert_eq!(counts, Some((2, 1)));
//! ```
//!
//! # Around the caches
//!
//! Counters are in [`CacheMetrics`](caching::CacheMetrics), events go to an [`EventSink`]. [`slots`] hold state that is not a
//! resource of a kernel, such as keys and values of a transformer. [`kernels`] has the operations of a transformer, each in a half
//! that knows no device; `metallic-host` and `metallic-wgpu` run them.

pub mod caching;
mod compute;
pub mod creation;
pub mod error;
pub mod kernels;
#[cfg(feature = "manifest")]
pub mod manifest;
#[cfg(feature = "portable")]
mod portable;
pub mod slots;
#[cfg(feature = "testing")]
pub mod testing;
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
#[cfg(feature = "portable")]
pub use portable::PortableKernel;

/// The README's program, so that it is compiled and run like every other example.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
