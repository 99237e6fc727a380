//! The events: what they are called, what they carry, and their JSON form.
//!
//! One event is one JSON object with `type` and `data`; `timestamp` stands beside them when the event has one:
//!
//! ```json
//! {"type":"ResourceCacheAccess","data":{"cache_key":"gemm:GemmKey{m:64}","hit":true,"bytes":0},"timestamp":1732374000000000000}
//! ```

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Something a cache did, and when.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Event {
    /// What happened; its two JSON fields, `type` and `data`, stand at the top level of the object.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub data: EventData,
    /// When it happened, in nanoseconds since the Unix epoch by the clock of the registry (a registry that runs on a
    /// hand-driven clock counts from that clock's own origin). Events of one operation may stand in the log in another
    /// order than their times: an access that missed is recorded when its creation is over, with the time it began.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub timestamp: Option<u64>,
}

impl Event {
    /// An event without a time.
    pub fn new(data: impl Into<EventData>) -> Self {
        Self { data: data.into(), timestamp: None }
    }

    /// An event at `timestamp`, in nanoseconds since the Unix epoch.
    pub fn at(timestamp: u64, data: impl Into<EventData>) -> Self {
        Self { data: data.into(), timestamp: Some(timestamp) }
    }

    /// The kind of this event.
    pub fn kind(&self) -> EventKind {
        self.data.kind()
    }
}

/// One look-up of a resource, answered from the cache or not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ResourceCacheAccess {
    /// The cache's name, a colon, and the key's debug form without the spaces outside its literals.
    pub cache_key: Arc<str>,
    /// Whether the resource was there.
    pub hit: bool,
    /// Device memory the resource holds, in bytes; 0 if its kernel does not say, or if nothing was created.
    pub bytes: u64,
}

/// The totals of one cache, once every hundred operations on it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ResourceCacheSummary {
    /// The cache's name.
    pub cache: Cow<'static, str>,
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

/// A policy made one or more entries leave.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CacheEviction {
    /// The cache's name.
    pub cache: Cow<'static, str>,
    /// The strategy of the policy in force: `none`, `size_limited_lru`, `lru`, `fifo`, `idle_timeout` or `hybrid`.
    pub strategy: Cow<'static, str>,
    /// Entries that left.
    pub count: u64,
    /// `size_limit_exceeded_max_<entries>` or `idle_timeout_exceeded_<milliseconds>ms`.
    pub reason: Cow<'static, str>,
    /// Entries right after they left, before any newcomer.
    pub size_after: u64,
}

/// A creation ended, well or not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ResourceCreated {
    /// The cache's name.
    pub cache: Cow<'static, str>,
    /// The key, in the form of [`ResourceCacheAccess::cache_key`].
    pub cache_key: Arc<str>,
    /// Time spent in the kernel's creation function, in nanoseconds.
    pub duration_ns: u64,
    /// How it ended.
    pub outcome: CreationOutcome,
    /// The error's message, when it failed.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub error: Option<String>,
    /// Device memory of the new resource, in bytes; 0 if its kernel does not say, or if nothing was created.
    pub bytes: u64,
}

/// How a creation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum CreationOutcome {
    /// The resource is in the cache.
    Created,
    /// The kernel returned an error; nothing was inserted.
    Failed,
    /// The kernel panicked; nothing was inserted.
    Panicked,
}

/// One entry left its cache.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EntryRemoved {
    /// The cache's name.
    pub cache: Cow<'static, str>,
    /// The key, in the form of [`ResourceCacheAccess::cache_key`].
    pub cache_key: Arc<str>,
    /// Why it left.
    pub cause: RemovalCause,
    /// Time since it was created, in nanoseconds.
    pub age_ns: u64,
    /// Time since it was last used, in nanoseconds.
    pub idle_ns: u64,
    /// Hits it served.
    pub reuse_count: u64,
    /// What it cost to create, in nanoseconds, to seven significant digits.
    pub creation_ns: u64,
    /// Device memory it held, in bytes; 0 if its kernel does not say.
    pub bytes: u64,
}

/// Why an entry left its cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RemovalCause {
    /// The policy's limit on entries.
    SizeLimit,
    /// The policy's idle time.
    IdleTimeout,
    /// The caller removed this key.
    Removed,
    /// The caller cleared the cache.
    Cleared,
    /// What it was made from has changed since.
    Stale,
}

impl RemovalCause {
    /// The cause as it stands in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::SizeLimit => "size_limit",
            Self::IdleTimeout => "idle_timeout",
            Self::Removed => "removed",
            Self::Cleared => "cleared",
            Self::Stale => "stale",
        }
    }
}

impl CreationOutcome {
    /// The outcome as it stands in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
        }
    }
}

/// The caller, not a policy, made entries leave.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CacheCleared {
    /// The cache's name.
    pub cache: Cow<'static, str>,
    /// Entries that left.
    pub count: u64,
    /// Entries right after they left.
    pub size_after: u64,
}

/// A cache was given a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CachePolicyChanged {
    /// The cache's name.
    pub cache: Cow<'static, str>,
    /// The new strategy, named as in [`CacheEviction::strategy`].
    pub strategy: Cow<'static, str>,
    /// The limit on entries, if there is one.
    pub max_entries: Option<u64>,
    /// The idle time after which entries leave, in nanoseconds, if there is one.
    pub max_idle_ns: Option<u64>,
    /// The number of entries that eviction leaves in place.
    pub min_entries: u64,
}

/// The tensors of a KV cache were made anew with another capacity, or freed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KvCacheResized {
    /// The KV cache's name.
    pub cache: Cow<'static, str>,
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
    /// What it took to make the new tensors and to ask for the copies, in nanoseconds.
    pub duration_ns: u64,
}

/// A KV cache was rolled back: the positions from `to` on are forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KvCacheTruncated {
    /// The KV cache's name.
    pub cache: Cow<'static, str>,
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
    pub cache: Cow<'static, str>,
    /// Positions that each sequence needed room for.
    pub positions: u64,
    /// Positions that each sequence has room for.
    pub capacity: u64,
    /// Device memory that the positions would take, in bytes.
    pub needed_bytes: u64,
    /// The most it may hold, in bytes.
    pub limit_bytes: u64,
    /// The error's message.
    pub error: String,
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
        /// What happened, one variant for each kind of event.
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
            /// The kind of this event.
            pub fn kind(&self) -> EventKind {
                match self {
                    $(Self::$name(_) => EventKind::$name,)*
                }
            }

            /// Reads what stands in the `data` field of an event of this kind.
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

            /// The kind as it stands in the `type` field.
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
    /// An entry that left.
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
}

impl EventKind {
    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
