//! The stations between a miss and its resource: the contract that may forbid its creation, and artifacts that outlive the
//! process.
//!
//! ```text
//! miss --> armed? --no--> reserve --> stored? --yes--> verified artifact --+--> resource --> commit
//!            |                          |                                  |                   |
//!           yes: a violation            no --> compile --> store ----------+                recorded
//!           (event; refused)                   (one compilation per key,
//!                                               in all processes)
//! ```
//!
//! A [`Supervisor`] watches over the creations of all registries of a device: it records them into a manifest
//! (`manifest`, with the feature of that name), and in a scope that is [armed](Supervisor::arm) it counts, warns of or refuses
//! them.
//! `docs/warm-up.md` is the page for an engine's author.
//!
//! A kernel whose driver can give out what it compiled, and take it back, is a `PersistentKernel`, with the feature `store`: its
//! keys have a portable form, and a fingerprint tells what else its artifacts depend on. A registry that was given a store then
//! creates from artifacts where it can. Without one, such a kernel creates as any other. Caches without a kernel have
//! `SharedCache::get_or_create_stored` for that. `docs/artifacts.md` is the page for a kernel's author.

#[cfg(feature = "store")]
mod closures;
mod contract;
#[cfg(feature = "store")]
mod observer;
#[cfg(feature = "store")]
mod persist;
mod registries;
#[cfg(feature = "store")]
mod registry;
#[cfg(feature = "store")]
mod reports;
mod scope;
#[cfg(feature = "store")]
mod station;
mod supervisor;
mod verification;

#[cfg(feature = "store")]
#[doc(no_inline)]
pub use metallic_store::{
    Artifact, ArtifactKey, ArtifactStore, Content, Fingerprint, KeyError, MemoryStore, MissCause,
};

#[cfg(feature = "store")]
pub use self::closures::{KeptAs, StoredCreation};
pub use self::contract::{Armed, Contract};
#[cfg(feature = "store")]
pub use self::observer::StoreEvents;
#[cfg(feature = "store")]
pub use self::persist::PersistentKernel;
pub use self::supervisor::Supervisor;
#[cfg(feature = "manifest")]
pub(crate) use self::supervisor::{Record, Recorder, Warmth};
pub use self::verification::{Sample, VerifyReport};
