//! Artifacts in stores.

use std::borrow::Cow;
use std::sync::Arc;

use super::CacheName;

/// A verified artifact was read from a store, in place of compiling.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ArtifactFound {
    /// The cache's name.
    pub cache: CacheName,
    /// The key, in the form of [`ResourceCacheAccess::cache_key`](super::ResourceCacheAccess::cache_key).
    pub cache_key: Arc<str>,
    /// The level of the store that had it.
    pub level: Cow<'static, str>,
    /// The length of its payload, in bytes.
    pub bytes: u64,
    /// Time to find, read and verify it, in nanoseconds.
    pub duration_ns: u64,
}

/// No level of a store had an artifact for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ArtifactMissed {
    /// The cache's name.
    pub cache: CacheName,
    /// The key, in the form of [`ResourceCacheAccess::cache_key`](super::ResourceCacheAccess::cache_key).
    pub cache_key: Arc<str>,
    /// The cause in `snake_case`: `absent`, or the reason why the nearest artifact does not apply.
    pub cause: Cow<'static, str>,
}

/// An artifact was written to a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ArtifactWritten {
    /// The cache's name.
    pub cache: CacheName,
    /// The key, in the form of [`ResourceCacheAccess::cache_key`](super::ResourceCacheAccess::cache_key).
    pub cache_key: Arc<str>,
    /// The length of its payload, in bytes.
    pub bytes: u64,
    /// Time to write it, in nanoseconds.
    pub duration_ns: u64,
}

/// An artifact was not written to a store, or to a level of one: the next process compiles again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ArtifactNotWritten {
    /// The cache's name; none if the write was in the background, for no creation.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub cache: Option<CacheName>,
    /// The key, in the form of [`ResourceCacheAccess::cache_key`](super::ResourceCacheAccess::cache_key).
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub cache_key: Option<Arc<str>>,
    /// The store, or the level of it.
    pub level: Cow<'static, str>,
    /// The cause, in `snake_case`.
    pub cause: Cow<'static, str>,
}

/// An artifact was found and not used: it failed its verification, or the driver refused it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ArtifactRejected {
    /// The cache's name.
    pub cache: CacheName,
    /// The key, in the form of [`ResourceCacheAccess::cache_key`](super::ResourceCacheAccess::cache_key).
    pub cache_key: Arc<str>,
    /// The level of the store that had it.
    pub level: Cow<'static, str>,
    /// The cause, in `snake_case`.
    pub cause: Cow<'static, str>,
}

/// Artifacts were removed from a store to keep it within its bound.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ArtifactEvicted {
    /// Artifacts removed.
    pub count: u64,
    /// Bytes that they took.
    pub bytes: u64,
}

/// An operation on a level of a store failed, usually on a remote one. The resource is created all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RemoteFailed {
    /// The level.
    pub level: Cow<'static, str>,
    /// The operation: `get`, `put`, `delete`, or of a folder what was tried.
    pub operation: Cow<'static, str>,
    /// The error's message.
    pub error: String,
}
