//! Artifacts of expensive GPU objects, kept across processes and machines, verified to the last byte.
//!
//! Compiling a kernel takes 10 to 500 ms, loading what was compiled takes less than one. This crate keeps what was
//! compiled: pipeline caches, cubins, binaries of any driver. It knows no device and no cache; it moves bytes under keys.
//!
//! ```text
//! key ──load──▶ verified artifact
//!      │
//!     miss, by name ──▶ content key ──load──▶ verified artifact, linked to the key
//!                           │
//!                          miss ──▶ lease ──▶ look again ──▶ create ──▶ save, link
//!                                  (one creation a key, in all processes)
//! ```
//!
//! [`Obtain`] walks that road, and [`update`] adds to an artifact that grows. Each stop is a method of [`ArtifactStore`], the port
//! that every store implements.
//!
//! # Words
//!
//! - An [`Artifact`] is one or several named payloads, and what creating them cost.
//! - An [`ArtifactKey`] is a cache's name, a schema, a key in canonical bytes, and a [`Fingerprint`] of named layers: build,
//!   compiler, driver, operating system, device. Artifacts of many fingerprints exist side by side.
//! - A **content key** ([`ArtifactKey::with_content`]) identifies what is compiled instead of what asks for it. A cheap key is
//!   *linked* to it, so that a rebuilt program whose sources did not change compiles nothing.
//! - An [`Entry`] is a key with an artifact or a link: one file. `docs/artifact-format.md` has it byte by byte.
//! - A **lease** is the right to create an artifact alone. A **claim** is a lease, and another look once it is held.
//! - A [`MissCause`] is why there is no artifact. Whatever goes wrong is one of these, and none of them fails a caller.
//!
//! # Two runs of a program
//!
//! ```
//! # #[cfg(all(feature = "disk", feature = "encode"))] {
//! use metallic_store::{Artifact, ArtifactKey, ArtifactStore, Content, DiskOptions, DiskStore, Fingerprint, Obtain, Origin};
//!
//! # let cache = tempfile::tempdir()?;
//! # let folder = cache.path().join("artifacts");
//! const SOURCE: &str = "__global__ void scale(float* x) { ... }";
//! let run = |build: &str| {
//!     // `DiskStore::platform_folder("my-engine")` is the usual folder.
//!     let store = DiskStore::open(&folder, DiskOptions::new().with_limit(256 << 20));
//!     let fingerprint = Fingerprint::new()
//!         .with_layer(Fingerprint::BUILD, build)
//!         .with_layer("driver", "550.54.15")
//!         .with_layer("device", "NVIDIA H100");
//!     let key = ArtifactKey::of("scale", 1, &("f32", 1024), fingerprint)?;
//!     let obtained = Obtain::new(&store, &key)
//!         .with_content(|| Content::new().with("source", SOURCE).with("options", "-O3"))
//!         .or_create(|| Ok::<_, std::io::Error>(Artifact::native(*b"what the compiler made")))?;
//!     assert_eq!(obtained.artifact.payload("native"), Some(&b"what the compiler made"[..]));
//!     Ok::<_, Box<dyn std::error::Error>>(obtained.origin)
//! };
//! assert!(matches!(run("monday")?, Origin::Created { .. }));
//! assert_eq!(run("monday")?, Origin::Loaded);
//! assert_eq!(run("tuesday")?, Origin::LoadedByContent);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! Without features the crate depends on `blake3` and `thiserror`, builds for wasm32, and has the port, the format, and
//! [`MemoryStore`].
//!
//! | feature | adds | default |
//! |---|---|---|
//! | `encode` | `ArtifactKey::of`: any `Serialize` as a key | yes |
//! | `disk` | `DiskStore`: one folder, many processes, a hard bound; needs Rust 1.89 | |
//! | `layered` | `LayeredStore`: read-only bases, one writable top, remote levels | |
//! | `bundle` | `Bundle`: export and import as one compressed, signed file | |
//! | `http`, `bazel`, `redis`, `s3` | `RemoteStore` on existing servers, by that protocol | |
//! | `tls` | `https` for these, except Redis | |
//! | `remote` | `RemoteStore` alone, for a custom transport; any of those turns it on | |
//! | `conformance` | `conformance`: what any store must do, for its author's tests; with `disk` also `CrashingFileSystem`: a process that is killed at a chosen step | |
//!
//! # What is trusted
//!
//! A driver executes what it is given, and few drivers check it. So a store returns nothing unverified: length, digests, the
//! whole key and every layer are compared, and a [`Secret`] authenticates entries where others can write. Digests alone protect
//! against accidents, not against an attacker; a folder that belongs to others, or that others can write to, is refused.
#![forbid(unsafe_code)]

mod artifact;
#[cfg(feature = "bundle")]
mod bundle;
#[cfg(any(feature = "bundle", feature = "remote"))]
mod compression;
#[cfg(feature = "conformance")]
pub mod conformance;
mod digest;
#[cfg(feature = "disk")]
pub mod disk;
mod entry;
mod fingerprint;
mod format;
mod guard;
mod journal;
mod key;
#[cfg(feature = "layered")]
mod layered;
pub mod limits;
mod memory;
mod miss;
mod obtain;
mod profit;
#[cfg(feature = "remote")]
pub mod remote;
mod secret;
mod store;
mod update;

pub use artifact::Artifact;
#[cfg(feature = "bundle")]
pub use bundle::{Bundle, BundleError, BundleReport, BundleSigner, BundleTrust};
pub use digest::{Digest, DigestError};
#[cfg(feature = "disk")]
pub use disk::{DiskOptions, DiskStore, DiskUsage};
pub use entry::{Body, Entry, EntryInfo};
pub use fingerprint::{Fingerprint, Layer, LayerChange};
pub use format::FormatError;
pub use guard::StoreGuard;
pub use journal::{Journal, StoreAction, StoreEvent, StoreObserver, StoreStats};
pub use key::{ArtifactKey, Content, EntryId, EntryIdError, KeyError, KeyKind, Subject};
#[cfg(feature = "layered")]
pub use layered::LayeredStore;
pub use memory::MemoryStore;
pub use miss::{MissCause, SaveError};
pub use obtain::{LookUp, Obtain, Obtained, Origin, Vacancy};
pub use profit::profit;
#[cfg(feature = "remote")]
pub use remote::{RemoteOptions, RemoteStore, RemoteUrlError};
pub use secret::{Secret, SecretError};
pub use store::{ArtifactStore, Claim, Lease, LeaseGuard, Sibling, Why};
pub use update::update;
