//! Counters of a KV cache.

use std::time::Duration;

/// The state of a KV cache at one moment. Counters run from its construction, through resets and clears.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KvCacheMetrics {
    /// Positions of each sequence.
    pub len: usize,
    /// Positions that each sequence has room for.
    pub capacity: usize,
    /// Device memory of all tensors, in bytes.
    pub bytes: u64,
    /// The most device memory that tensors of this cache ever took at once, in bytes: while it grows, the old ones and the
    /// new ones.
    pub peak_bytes: u64,
    /// Times it grew.
    pub growths: u64,
    /// Time spent growing, failed attempts included. A device may do the copies later than this says.
    pub growing_time: Duration,
    /// Times it could not grow because of its limits.
    pub refusals: u64,
    /// Times it could not grow because the device failed.
    pub failed_growths: u64,
    /// Rollbacks that made it shorter, resets not among them.
    pub rollbacks: u64,
    /// Resets.
    pub resets: u64,
    /// Times its tensors were freed.
    pub clears: u64,
}
