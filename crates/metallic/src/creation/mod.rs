//! The stations between a reserved place and its resource: the contract that may forbid a creation.
//!
//! ```text
//! reserve --> gate of the core --> Supervisor: armed scopes, what is known of the key --> create --> commit
//!                                      |                                                    |
//!                                  a violation --> event, error                         recorded
//! ```

mod contract;
mod registries;
mod scope;
mod supervisor;

pub use contract::{Armed, Contract};
pub use supervisor::Supervisor;
#[cfg(feature = "manifest")]
pub(crate) use supervisor::{Record, Recorder, Warmth};
