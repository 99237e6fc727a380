//! Keys that do not say all of what their resources are made of.

use std::sync::Arc;

use super::CacheName;

/// A resource was created again and came out different: something that it depends on is not in its key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct IncompleteKey {
    /// The cache's name.
    pub cache: CacheName,
    /// The key, in the form of [`ResourceCacheAccess::cache_key`](super::ResourceCacheAccess::cache_key).
    pub cache_key: Arc<str>,
    /// The parts of the resource that differ.
    pub differing_parts: Vec<String>,
}
