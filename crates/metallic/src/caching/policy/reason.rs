//! Why a policy evicted entries.

use std::fmt;
use std::time::Duration;

/// The limit for which a policy evicted entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EvictionReason {
    /// The cache was at its limit of this many entries.
    SizeLimit(usize),
    /// The entries were not used for longer than this.
    IdleTimeout(Duration),
    /// The entries were not used for more than this many generations.
    IdleGenerations(u32),
}

impl fmt::Display for EvictionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SizeLimit(max) => write!(f, "size_limit_exceeded_max_{max}"),
            Self::IdleTimeout(max_idle) => write!(f, "idle_timeout_exceeded_{}ms", max_idle.as_millis()),
            Self::IdleGenerations(max) => write!(f, "idle_generations_exceeded_{max}"),
        }
    }
}
