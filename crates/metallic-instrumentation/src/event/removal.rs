//! Evictions by a policy, and removals by the caller.

use std::borrow::Cow;
use std::sync::Arc;

use super::CacheName;
use super::named::named;

/// A policy evicted one or more entries.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CacheEviction {
    /// The cache's name.
    pub cache: CacheName,
    /// The strategy of the policy in force: `none`, `size_limited_lru`, `lru`, `fifo`, `idle_timeout` or `hybrid`.
    pub strategy: Cow<'static, str>,
    /// Entries evicted.
    pub count: u64,
    /// `size_limit_exceeded_max_<entries>`, `idle_timeout_exceeded_<milliseconds>ms` or
    /// `idle_generations_exceeded_<generations>`.
    pub reason: Cow<'static, str>,
    /// Entries right after the eviction, before any insertion.
    pub size_after: u64,
}

/// One entry was evicted, expired or was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EntryRemoved {
    /// The cache's name.
    pub cache: CacheName,
    /// The key, in the form of [`ResourceCacheAccess::cache_key`](super::ResourceCacheAccess::cache_key).
    pub cache_key: Arc<str>,
    /// The cause.
    pub cause: RemovalCause,
    /// Time since it was created, in nanoseconds.
    pub age_ns: u64,
    /// Time since it was last used, in nanoseconds.
    pub idle_ns: u64,
    /// Hits it served.
    pub reuse_count: u64,
    /// Time its creation took, in nanoseconds, to seven significant digits.
    pub creation_ns: u64,
    /// Device memory it held, in bytes; 0 if its kernel does not tell.
    pub bytes: u64,
}

named! {
    /// The causes for which an entry is no longer in its cache.
    RemovalCause {
        /// The policy's limit on entries.
        SizeLimit = "size_limit",
        /// The policy's idle time, or its limit on idle generations.
        IdleTimeout = "idle_timeout",
        /// The caller removed this key.
        Removed = "removed",
        /// The caller cleared the cache.
        Cleared = "cleared",
        /// The source of the resource has changed since.
        Stale = "stale",
    }
}

/// The caller, not a policy, removed entries.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CacheCleared {
    /// The cache's name.
    pub cache: CacheName,
    /// Entries removed.
    pub count: u64,
    /// Entries right after the removal.
    pub size_after: u64,
}
