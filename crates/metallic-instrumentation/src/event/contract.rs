//! Warm-up, and creations after it that should not have happened.

use std::borrow::Cow;
use std::sync::Arc;

use super::CacheName;
use super::named::named;

/// A creation, or the growth of a slot, in a scope that is armed against it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CreationViolation {
    /// The cache's name.
    pub cache: CacheName,
    /// The key, in the form of [`ResourceCacheAccess::cache_key`](super::ResourceCacheAccess::cache_key).
    pub cache_key: Arc<str>,
    /// The armed scope.
    pub scope: Cow<'static, str>,
    /// The mode of the scope, which decides on the creation.
    pub mode: ViolationMode,
    /// The reason why the resource was not in its cache.
    pub verdict: ViolationVerdict,
    /// The strategy that evicted the entry, if one did.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub evicted_by: Option<Cow<'static, str>>,
    /// The nearest key in the cache, if there is any.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub nearest_key: Option<Arc<str>>,
    /// The fields in which the two keys differ.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub differing_fields: Vec<String>,
    /// The caller, as `file:line`, if it is known.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub caller: Option<Cow<'static, str>>,
    /// True if the resource was loaded from a store, which is quicker than compiling it and a creation all the same.
    #[cfg_attr(feature = "serde", serde(default))]
    pub loaded: bool,
    /// Time the creation took, in nanoseconds; 0 if it was refused.
    pub duration_ns: u64,
}

named! {
    /// The modes of an armed scope.
    ViolationMode {
        /// The creation goes on, and is counted.
        Count = "count",
        /// The creation goes on, and is warned of.
        Warn = "warn",
        /// The creation is refused: its caller gets an error.
        Refuse = "refuse",
    }
}

named! {
    /// The reasons why a resource is not in its cache after warm-up.
    ViolationVerdict {
        /// The manifest does not have the key.
        NeverRecorded = "never_recorded",
        /// The manifest has the key, and warm-up had not come to it.
        NotReady = "not_ready",
        /// Warm-up tried to create it and failed.
        Failed = "failed",
        /// It was there, and was evicted or removed.
        Evicted = "evicted",
        /// The manifest has the key for another fingerprint.
        OtherFingerprint = "other_fingerprint",
        /// There was no manifest.
        NoManifest = "no_manifest",
        /// It had not been created, and no manifest can have it: a closure or a slot creates it, and no kernel.
        NotRecordable = "not_recordable",
    }
}

/// A warm-up from a manifest ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WarmUpFinished {
    /// Keys whose resources were created.
    pub created: u64,
    /// Keys whose resources were loaded from a store.
    pub loaded: u64,
    /// Keys whose resources were in their caches already.
    pub present: u64,
    /// Keys whose creation failed.
    pub failed: u64,
    /// Records passed over: of an unknown cache, another schema, or a key that this device refuses.
    pub skipped: u64,
    /// Keys that were not tried, because of the deadline or the memory limit.
    pub left_out: u64,
    /// Time from the begin of warm-up to its end, in nanoseconds.
    pub duration_ns: u64,
}
