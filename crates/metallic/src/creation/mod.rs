//! The stations between a miss and its resource: artifacts that outlive the process.
//!
//! ```text
//! miss --> reserve --> stored? --yes--> verified artifact --+--> resource --> commit
//!                        |                                  |
//!                        no --> compile --> store ----------+
//!                               (one compilation per key,
//!                                in all processes)
//! ```
//!
//! A kernel whose driver can give out what it compiled, and take it back, is a [`PersistentKernel`]: its keys have a portable form,
//! and a [`Fingerprint`] tells what else its artifacts depend on. A registry that was given a store
//! ([`SharedRegistry::set_store`](crate::caching::SharedRegistry::set_store)) then creates from artifacts where it can. Without one,
//! such a kernel creates as any other. `docs/artifacts.md` is the page for a kernel's author.
//!
//! ```
//! use std::sync::Arc;
//!
//! use metallic::caching::{CacheableKernel, Creation, SharedRegistry};
//! use metallic::creation::{Artifact, Fingerprint, MemoryStore, PersistentKernel};
//! use metallic::error::Error;
//!
//! struct Gpu {
//!     driver: &'static str,
//! }
//!
//! struct Scale;
//!
//! impl CacheableKernel<Gpu> for Scale {
//!     type Key = u32;
//!     type CachedResource = Vec<u8>;
//!     type Params = u32;
//!
//!     const CACHE_NAME: &'static str = "scale";
//!
//!     fn create_cache_key(width: &u32) -> u32 {
//!         *width
//!     }
//!
//!     fn create_cached_resource(width: &u32, _: Option<&Gpu>) -> Result<Vec<u8>, Error> {
//!         Ok(format!("code for {width}").into_bytes()) // what takes long
//!     }
//!
//!     fn create(width: &u32, cx: &mut Creation<'_, Self, Gpu>) -> Result<Vec<u8>, Error> {
//!         let device = cx.device();
//!         let artifact = cx.artifact(|| Self::create_cached_resource(width, device))?;
//!         Ok(artifact.payload(Artifact::NATIVE).unwrap_or_default().to_vec()) // the driver loads it
//!     }
//! }
//!
//! impl PersistentKernel<Gpu> for Scale {
//!     const SCHEMA: u32 = 1;
//!
//!     fn fingerprint(gpu: &Gpu) -> Fingerprint {
//!         Fingerprint::new().with_layer("driver", gpu.driver)
//!     }
//! }
//!
//! // `DiskStore` keeps them across processes.
//! let store = Arc::new(MemoryStore::new());
//! for (run, loads) in [("first", 0), ("second", 1)] {
//!     let registry = SharedRegistry::with_device(Gpu { driver: "550.54.15" });
//!     registry.set_store(Some(store.clone()));
//!     assert_eq!(registry.get_or_create::<Scale>(&64, None)?, b"code for 64");
//!     let metrics = registry.metrics::<Scale>().unwrap();
//!     assert_eq!((metrics.misses, metrics.loads), (1, loads), "{run}");
//! }
//! # Ok::<(), Error>(())
//! ```

mod observer;
mod persist;
mod registry;
mod reports;

#[doc(no_inline)]
pub use metallic_store::{Artifact, ArtifactStore, Content, Fingerprint, MemoryStore, MissCause};

pub use self::observer::StoreEvents;
pub use self::persist::PersistentKernel;
