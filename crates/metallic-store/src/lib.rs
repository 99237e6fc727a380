//! Artifacts of expensive GPU objects, kept across processes and machines, verified to the last byte.
#![forbid(unsafe_code)]

mod artifact;
mod digest;
mod entry;
mod fingerprint;
mod format;
mod journal;
mod key;
pub mod limits;
mod memory;
mod miss;
mod obtain;
mod profit;
mod secret;
mod store;

pub use artifact::Artifact;
pub use digest::Digest;
pub use entry::{Body, Entry, EntryInfo};
pub use fingerprint::{Fingerprint, Layer, LayerChange};
pub use format::FormatError;
pub use journal::{Journal, StoreAction, StoreEvent, StoreObserver, StoreStats};
pub use key::{ArtifactKey, Content, EntryId, EntryIdError, KeyError, KeyKind, Subject};
pub use memory::MemoryStore;
pub use miss::{MissCause, SaveError};
pub use obtain::{Obtain, Obtained, Origin};
pub use profit::profit;
pub use secret::{Secret, SecretError};
pub use store::{ArtifactStore, Claim, Lease, LeaseGuard, Sibling, Why};
