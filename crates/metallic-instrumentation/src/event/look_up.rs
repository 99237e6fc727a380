//! Look-ups and creations.

use std::sync::Arc;

use super::CacheName;
use super::named::named;

/// One look-up of a resource, answered from the cache or not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ResourceCacheAccess {
    /// The cache's name, a colon, and the key's debug form without the spaces outside its literals.
    pub cache_key: Arc<str>,
    /// True if the resource was in the cache.
    pub hit: bool,
    /// Device memory the resource holds, in bytes; 0 if its kernel does not tell, or if nothing was created.
    pub bytes: u64,
}

/// The totals of one cache, after every hundredth operation on it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ResourceCacheSummary {
    /// The cache's name.
    pub cache: CacheName,
    /// Hits since the cache was made.
    pub hits: u64,
    /// Misses since the cache was made.
    pub misses: u64,
    /// Hits among all operations, in percent. A rate that is not finite is `null` in JSON, and read back as NaN.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "null_as_nan"))]
    pub hit_rate: f64,
    /// Entries now.
    pub size: u64,
}

#[cfg(feature = "serde")]
fn null_as_nan<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let rate: Option<f64> = serde::Deserialize::deserialize(deserializer)?;
    Ok(rate.unwrap_or(f64::NAN))
}

/// A creation ended, with success or without.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(from = "Read"))]
pub struct ResourceCreated {
    /// The cache's name.
    pub cache: CacheName,
    /// The key, in the form of [`ResourceCacheAccess::cache_key`].
    pub cache_key: Arc<str>,
    /// Time spent in the kernel's creation function, nested creations included, in nanoseconds.
    pub duration_ns: u64,
    /// Time spent in this creation without the creations it asked for, in nanoseconds. Read as `duration_ns` where absent.
    ///
    /// Only those are taken off that a kernel asked for through its `Creation`: what a creation, a closure's above all, has
    /// a `SharedCache` or `KeyedCache` create is in its own time, too.
    pub own_duration_ns: u64,
    /// True if the resource was made of an artifact from a store, in place of compiling: see
    /// [`ArtifactFound`](super::ArtifactFound).
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "std::ops::Not::not"))]
    pub loaded: bool,
    /// Its outcome.
    pub outcome: CreationOutcome,
    /// The error's message, when it failed.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub error: Option<String>,
    /// Device memory of the new resource, in bytes; 0 if its kernel does not tell, or if nothing was created.
    pub bytes: u64,
}

named! {
    /// The outcomes of a creation.
    CreationOutcome {
        /// The resource is in the cache.
        Created = "created",
        /// The kernel returned an error; nothing was inserted.
        Failed = "failed",
        /// The kernel panicked; nothing was inserted.
        Panicked = "panicked",
    }
}

/// A [`ResourceCreated`] as logs have it.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct Read {
    cache: CacheName,
    cache_key: Arc<str>,
    duration_ns: u64,
    own_duration_ns: Option<u64>,
    #[serde(default)]
    loaded: bool,
    outcome: CreationOutcome,
    #[serde(default)]
    error: Option<String>,
    bytes: u64,
}

#[cfg(feature = "serde")]
impl From<Read> for ResourceCreated {
    fn from(read: Read) -> Self {
        let Read { cache, cache_key, duration_ns, own_duration_ns, loaded, outcome, error, bytes } = read;
        let own_duration_ns = own_duration_ns.unwrap_or(duration_ns);
        Self { cache, cache_key, duration_ns, own_duration_ns, loaded, outcome, error, bytes }
    }
}
