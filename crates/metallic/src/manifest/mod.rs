//! Manifests: the portable keys that a program has used, recorded in one process and warmed up in another.
//!
//! ```text
//! creations --ManifestWriter--> m.jsonl --Manifest--> warm up --> ready --> armed: see `creation`
//!                                           |
//!                              merge, diff, prune, phases, coverage
//! ```
//!
//! A manifest is a file of JSON lines. The first says which version of this form it has; each other line has one key with its
//! cache, the schema of its kernel, its label in events, what it cost, how often it was created, when, and in which phase. There
//! is no handle and no path in it, so that it can be carried to other machines.

mod algebra;
mod coverage;
mod error;
mod kernels;
mod phase;
mod read;
mod ready;
mod record;
mod recording;
mod registries;
mod replace;
mod warm;
mod writer;

pub use algebra::ManifestDiff;
pub use coverage::{CacheCoverage, Coverage, KeyCoverage};
pub use error::ManifestError;
pub use kernels::WarmKeys;
pub(crate) use kernels::Warming;
pub use phase::InPhase;
pub use read::Manifest;
pub use ready::Ready;
pub use record::Record;
pub use recording::RecordingReport;
#[doc(hidden)]
pub use replace::replace_file;
pub use warm::{WarmOptions, WarmProgress, WarmReport, WarmTarget, WarmUp};
pub use writer::ManifestWriter;
