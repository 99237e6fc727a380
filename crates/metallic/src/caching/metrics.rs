//! What a cache counts, and the snapshot it gives away.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::clock::TimeSource;
use super::order::{EntryId, Order};
use super::policy::EvictionReason;

/// The state of one cache at one moment: an owned snapshot that does not change any more.
///
/// Counters run from the cache's first use; they survive a change of policy and a clear.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CacheMetrics {
    /// Entries now.
    pub size: usize,
    /// Look-ups answered from the cache.
    pub hits: u64,
    /// Look-ups that had to create, whether that went well or not.
    pub misses: u64,
    /// Entries that a policy made leave.
    pub evictions: u64,
    /// The last thing that happened.
    pub last_event: Option<CacheEvent>,
    /// Time since the oldest entry was created; `None` if the cache is empty.
    pub oldest_entry_age: Option<Duration>,
    /// Time since the newest entry was created; `None` if the cache is empty.
    pub newest_entry_age: Option<Duration>,
    /// Time since the least recently used entry was used; `None` if the cache is empty.
    pub longest_idle_age: Option<Duration>,
    /// Time since the most recently used entry was used; `None` if the cache is empty.
    pub shortest_idle_age: Option<Duration>,
    /// Hits on the entry that has had most of them; `None` if the cache is empty.
    pub max_entry_reuse_count: Option<u64>,
    /// Entries that left because the caller removed or cleared them.
    pub removals: u64,
    /// Misses whose creation failed or panicked.
    pub failed_creations: u64,
    /// Time spent in creations, failed ones included.
    pub creation_time: Duration,
    /// What the hits would have cost without the cache: for each, the creation time of the entry it found. To about seven
    /// significant digits.
    pub time_saved: Duration,
    /// What the entries' resources hold, in bytes, as far as their kernel says.
    pub bytes: u64,
}

impl CacheMetrics {
    /// Hits among all operations, from 0 to 1; `None` if there were no operations.
    pub fn hit_rate(&self) -> Option<f64> {
        let operations = self.hits.saturating_add(self.misses);
        (operations > 0).then(|| self.hits as f64 / operations as f64)
    }
}

/// The last thing that happened in a cache. Keys stand here as in the event log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheEvent {
    /// A look-up found its entry.
    Hit {
        /// The name of the cache and the key.
        cache_key: Arc<str>,
    },
    /// A look-up found nothing, and the resource was created.
    Miss {
        /// The name of the cache and the key.
        cache_key: Arc<str>,
    },
    /// A look-up found nothing, and the creation failed or panicked.
    CreationFailed {
        /// The name of the cache and the key.
        cache_key: Arc<str>,
    },
    /// The policy made entries leave, with no look-up after it.
    Evicted {
        /// Entries that left.
        count: u64,
        /// Why.
        reason: EvictionReason,
    },
    /// The caller made entries leave.
    Cleared {
        /// Entries that left.
        count: u64,
    },
}

impl fmt::Display for CacheEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hit { cache_key } => write!(f, "hit {cache_key}"),
            Self::Miss { cache_key } => write!(f, "miss {cache_key}"),
            Self::CreationFailed { cache_key } => write!(f, "creation failed {cache_key}"),
            Self::Evicted { count, reason } => write!(f, "evicted {count} {reason}"),
            Self::Cleared { count } => write!(f, "cleared {count}"),
        }
    }
}

/// The live counters. A `u64` counted up one at a time takes centuries to overflow; whatever is added otherwise
/// saturates. Times are in ticks of the cache's time source.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) evictions: u64,
    pub(super) removals: u64,
    pub(super) failed_creations: u64,
    pub(super) creation_ticks: u64,
    /// Creation time that hits on entries gone since have saved.
    pub(super) departed_saved_ticks: f64,
    /// Exact: what was added is what is taken off, so only the snapshot may saturate.
    pub(super) bytes: u128,
    last_event: LastEvent,
    /// The hits when that happened. Hits are not noted as events: if there were more since, the last event is a hit.
    hits_then: u64,
}

impl Counters {
    /// Notes an event other than a hit.
    pub(super) fn note(&mut self, event: LastEvent) {
        self.last_event = event;
        self.hits_then = self.hits;
    }

    /// The last event other than a hit; `None` if the last event is a hit.
    pub(super) fn last_event(&self) -> Option<LastEvent> {
        (self.hits == self.hits_then).then_some(self.last_event)
    }

    /// The metrics of a cache with these counters and entries, all but its last event.
    pub(super) fn snapshot(&self, order: &Order, time: &TimeSource) -> CacheMetrics {
        let now = time.stamp();
        let duration = |ticks| Duration::from_nanos(time.ns_between(0, ticks));
        let since = |stamp| Duration::from_nanos(time.ns_between(stamp, now));
        let created_at = || order.histories().map(|history| history.created_at);
        let last_used = || order.histories().map(|history| history.last_used);
        let saved: f64 = order.histories().map(|history| history.saved_ticks()).sum();
        CacheMetrics {
            size: order.len(),
            hits: self.hits,
            misses: self.misses,
            evictions: self.evictions,
            last_event: None,
            oldest_entry_age: created_at().min().map(since),
            newest_entry_age: created_at().max().map(since),
            longest_idle_age: last_used().min().map(since),
            shortest_idle_age: last_used().max().map(since),
            max_entry_reuse_count: order.histories().map(|history| history.reuse_count).max(),
            removals: self.removals,
            failed_creations: self.failed_creations,
            creation_time: duration(self.creation_ticks),
            time_saved: duration((self.departed_saved_ticks + saved) as u64),
            bytes: u64::try_from(self.bytes).unwrap_or(u64::MAX),
        }
    }
}

/// A [`CacheEvent`] other than a hit, before a key is formatted.
#[derive(Clone, Copy, Default)]
pub(super) enum LastEvent {
    #[default]
    None,
    Miss(EntryId),
    /// The key is kept by the cache, since no entry has it.
    CreationFailed,
    Evicted {
        count: u64,
        reason: EvictionReason,
    },
    Cleared {
        count: u64,
    },
}
