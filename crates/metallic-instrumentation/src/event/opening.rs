//! Beginnings: a log, a registry, a cache, and the policy of a cache.

use std::borrow::Cow;

use super::CacheName;
use super::named::named;

/// The header of a log: the process that wrote what follows.
///
/// It comes from an exporter and not from a registry, so it has no timestamp: a registry's clock need not be the system's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LogOpened {
    /// The program's name; that of its file unless the program gave one.
    pub program: String,
    /// The program's version, if it gave one.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub version: Option<String>,
    /// The version of the library.
    pub library: Cow<'static, str>,
    /// The number of the process at its operating system.
    pub process_id: u32,
    /// When this file was begun, in nanoseconds since the Unix epoch, by the system's clock.
    pub opened_unix_ns: u64,
    /// Files that the same exporter filled before this one.
    #[cfg_attr(feature = "serde", serde(default))]
    pub rotations: u64,
    /// The devices the program uses, as far as it named them.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub devices: Vec<String>,
}

/// A registry begins to report to this log. [`Event::registry`](super::Event::registry) has its number.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RegistryOpened {
    /// The registry's name, if it has one.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub name: Option<CacheName>,
    /// The device its resources are created on, if it is known.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub device: Option<String>,
    /// True if several threads share it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub shared: bool,
}

/// A cache begins to report to this log, with this policy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CacheOpened {
    /// The cache's name.
    pub cache: CacheName,
    /// Its kind.
    pub kind: CacheKind,
    /// The strategy of its policy, named as in [`CacheEviction::strategy`](super::CacheEviction::strategy).
    pub strategy: Cow<'static, str>,
    /// The limit on entries, if there is one.
    pub max_entries: Option<u64>,
    /// The idle time after which entries expire, in nanoseconds, if there is one.
    pub max_idle_ns: Option<u64>,
    /// The idle time after which entries expire, in generations of the registry, if there is one.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub max_idle_generations: Option<u64>,
    /// The number of entries that no eviction goes below.
    pub min_entries: u64,
}

named! {
    /// The kinds of cache.
    CacheKind {
        /// The cache of a kernel type.
        Kernel = "kernel",
        /// A slot.
        Slot = "slot",
        /// A cache by name, without a kernel type.
        Keyed = "keyed",
        /// A pool, whose items are lent exclusively.
        Pool = "pool",
    }
}

/// A cache was given a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CachePolicyChanged {
    /// The cache's name.
    pub cache: CacheName,
    /// The new strategy, named as in [`CacheEviction::strategy`](super::CacheEviction::strategy).
    pub strategy: Cow<'static, str>,
    /// The limit on entries, if there is one.
    pub max_entries: Option<u64>,
    /// The idle time after which entries expire, in nanoseconds, if there is one.
    pub max_idle_ns: Option<u64>,
    /// The idle time after which entries expire, in generations of the registry, if there is one.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub max_idle_generations: Option<u64>,
    /// The number of entries that no eviction goes below.
    pub min_entries: u64,
}
