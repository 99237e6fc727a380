//! The events: their names, their fields and their JSON form.
//!
//! One event is one JSON object with `type` and `data`, and with `timestamp` and `registry` if the event has them:
//!
//! ```json
//! {"type":"ResourceCacheAccess","data":{"cache_key":"gemm:GemmKey{m:64}","hit":true,"bytes":0},"timestamp":1732374000000000000,"registry":1}
//! ```

use std::fmt;

mod artifact;
mod contract;
mod kv_cache;
mod look_up;
mod name;
mod named;
mod opening;
mod removal;
mod span;
mod verification;

pub use artifact::{
    ArtifactEvicted, ArtifactFound, ArtifactMissed, ArtifactNotWritten, ArtifactRejected, ArtifactWritten,
    RemoteFailed,
};
pub use contract::{CreationViolation, ViolationMode, ViolationVerdict, WarmUpFinished};
pub use kv_cache::{KvCacheRefused, KvCacheResized, KvCacheTruncated};
pub use look_up::{CreationOutcome, ResourceCacheAccess, ResourceCacheSummary, ResourceCreated};
pub use name::CacheName;
pub use opening::{CacheKind, CacheOpened, CachePolicyChanged, LogOpened, RegistryOpened};
pub use removal::{CacheCleared, CacheEviction, EntryRemoved, RemovalCause};
pub use span::SpanEnded;
pub use verification::IncompleteKey;

/// One thing that a cache did, with its time.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Event {
    /// The kind and its fields; in JSON these are `type` and `data`, at the top level of the object.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub data: EventData,
    /// The time, in nanoseconds since the Unix epoch by the clock of the registry (a registry that runs on a
    /// hand-driven clock counts from that clock's own origin). Events of one operation may be in the log in another
    /// order than their times: an access that missed is recorded when its creation is over, with the time it began.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub timestamp: Option<u64>,
    /// The registry: a small number, the same for the life of the registry. Several registries of one
    /// process, and even of one log, may have caches of the same name.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub registry: Option<u32>,
}

impl Event {
    /// Creates an event without a time and a registry.
    pub fn new(data: impl Into<EventData>) -> Self {
        Self { data: data.into(), timestamp: None, registry: None }
    }

    /// Creates an event at `timestamp`, in nanoseconds since the Unix epoch.
    pub fn at(timestamp: u64, data: impl Into<EventData>) -> Self {
        Self { timestamp: Some(timestamp), ..Self::new(data) }
    }

    /// Returns the same event, in the registry with this number.
    #[must_use]
    pub fn in_registry(self, registry: u32) -> Self {
        Self { registry: Some(registry), ..self }
    }

    /// Returns the kind of this event.
    pub fn kind(&self) -> EventKind {
        self.data.kind()
    }
}

/// An exporter could not keep up, or could not write, and events are missing from the log at this point.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EventsDropped {
    /// Events lost since the last event of this kind.
    pub count: u64,
}

/// Defines [`EventData`], [`EventKind`] and the conversions from one list, so that the three cannot drift apart.
macro_rules! events {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The data of an event, one variant for each kind.
        #[derive(Clone, Debug, PartialEq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(tag = "type", content = "data"))]
        #[non_exhaustive]
        pub enum EventData {
            $($(#[$doc])* $name($name),)*
        }

        /// The kinds of event, for sinks that want some and not others.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum EventKind {
            $($(#[$doc])* $name,)*
        }

        impl EventData {
            /// Returns the kind of this event.
            pub fn kind(&self) -> EventKind {
                match self {
                    $(Self::$name(_) => EventKind::$name,)*
                }
            }

            /// Reads the `data` field of an event of this kind.
            #[cfg(feature = "jsonl")]
            pub(crate) fn from_json(kind: EventKind, data: &str) -> serde_json::Result<Self> {
                match kind {
                    $(EventKind::$name => serde_json::from_str(data).map(Self::$name),)*
                }
            }
        }

        impl EventKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the kind's name, as the `type` field has it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }

        $(impl From<$name> for EventData {
            fn from(data: $name) -> Self {
                Self::$name(data)
            }
        })*
    };
}

events! {
    /// A look-up.
    ResourceCacheAccess,
    /// The totals of a cache.
    ResourceCacheSummary,
    /// A policy's eviction.
    CacheEviction,
    /// A creation that ended.
    ResourceCreated,
    /// An entry that was evicted, expired or was removed.
    EntryRemoved,
    /// An explicit removal.
    CacheCleared,
    /// A new policy.
    CachePolicyChanged,
    /// A gap in the log.
    EventsDropped,
    /// A KV cache that grew or was freed.
    KvCacheResized,
    /// A rollback of a KV cache.
    KvCacheTruncated,
    /// A KV cache that could not grow.
    KvCacheRefused,
    /// The header of a log.
    LogOpened,
    /// A registry that begins to report.
    RegistryOpened,
    /// A cache that begins to report.
    CacheOpened,
    /// An artifact from a store.
    ArtifactFound,
    /// An artifact that no store had.
    ArtifactMissed,
    /// An artifact written to a store.
    ArtifactWritten,
    /// An artifact not written to a store.
    ArtifactNotWritten,
    /// An artifact that was not used.
    ArtifactRejected,
    /// Artifacts removed from a store.
    ArtifactEvicted,
    /// A failure of a remote store.
    RemoteFailed,
    /// A creation in a scope that is armed against it.
    CreationViolation,
    /// The end of a warm-up.
    WarmUpFinished,
    /// A key that does not say all of what its resource is made of.
    IncompleteKey,
    /// A step of the program that ended.
    SpanEnded,
}

impl EventKind {
    /// Returns the kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
