//! KV caches.

use super::CacheName;

/// The tensors of a KV cache were created anew with another capacity, or freed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KvCacheResized {
    /// The KV cache's name.
    pub cache: CacheName,
    /// Its layers.
    pub layers: u64,
    /// Positions that each sequence holds.
    pub len: u64,
    /// Positions that each sequence has room for now; 0 if the tensors were freed.
    pub capacity: u64,
    /// Device memory of all its tensors now, in bytes.
    pub bytes: u64,
    /// Device memory while the old tensors and the new ones were both there, in bytes.
    pub peak_bytes: u64,
    /// Time to create the new tensors and to submit the copies, in nanoseconds.
    pub duration_ns: u64,
}

/// A KV cache was rolled back: the positions from `to` on are forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KvCacheTruncated {
    /// The KV cache's name.
    pub cache: CacheName,
    /// Positions of each sequence before.
    pub from: u64,
    /// Positions of each sequence now; 0 after a reset.
    pub to: u64,
}

/// A KV cache could not grow, by its limit or because the device failed. It holds what it held.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KvCacheRefused {
    /// The KV cache's name.
    pub cache: CacheName,
    /// Positions that each sequence needed room for.
    pub positions: u64,
    /// Positions that each sequence has room for.
    pub capacity: u64,
    /// Device memory that the positions would take, in bytes.
    pub needed_bytes: u64,
    /// The most bytes it may hold.
    pub limit_bytes: u64,
    /// The error's message.
    pub error: String,
}
