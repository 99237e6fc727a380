//! Counters of a cache, and their snapshot.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::caching::clock::TimeSource;
use crate::caching::order::{EntryId, Order, Renumbering, Uses};
use crate::caching::policy::EvictionReason;

/// Operations of one cache from one summary to the next.
pub(super) const SUMMARY_INTERVAL: u64 = 100;

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
    /// Time spent in creations, failed ones included, without that of other creations that they asked for through
    /// [`Creation`](crate::caching::Creation). What a creation has a `SharedCache` or `KeyedCache` create is in its time, too.
    pub creation_time: Duration,
    /// Misses whose resource was made of an artifact from a store, and not compiled. They are among the `misses`.
    pub loads: u64,
    /// The part of `creation_time` that these took.
    pub load_time: Duration,
    /// The bytes that the entries' resources hold, as far as their kernel says.
    pub bytes: u64,
}

/// The counters of one cache: what [`CacheMetrics`] has without a look at the entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheCounters {
    /// Entries now.
    pub size: usize,
    /// Look-ups answered from the cache.
    pub hits: u64,
    /// Look-ups that had to create, whether that went well or not.
    pub misses: u64,
    /// Entries that a policy evicted.
    pub evictions: u64,
    /// Entries that the caller removed or cleared.
    pub removals: u64,
    /// Misses whose creation failed or panicked.
    pub failed_creations: u64,
    /// Misses whose resource was made of an artifact from a store, and not compiled. They are among the `misses`.
    pub loads: u64,
    /// The bytes that the entries' resources hold, as far as their kernel says.
    pub bytes: u64,
}

impl CacheMetrics {
    /// Hits among all operations, from 0 to 1; `None` if there were no operations.
    pub fn hit_rate(&self) -> Option<f64> {
        let operations = self.hits.saturating_add(self.misses);
        (operations > 0).then(|| self.hits as f64 / operations as f64)
    }
}

impl CacheCounters {
    /// The number of summaries that are due after these operations, from the first on.
    pub(in crate::caching) fn summaries(&self) -> u64 {
        self.hits.saturating_add(self.misses) / SUMMARY_INTERVAL
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
    /// The policy evicted entries, with no look-up after it.
    Evicted {
        /// Entries that left.
        count: u64,
        /// Why.
        reason: EvictionReason,
    },
    /// The caller removed entries.
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
pub(in crate::caching) struct Counters {
    pub(in crate::caching) hits: u64,
    pub(in crate::caching) misses: u64,
    pub(in crate::caching) evictions: u64,
    pub(in crate::caching) removals: u64,
    pub(in crate::caching) failed_creations: u64,
    pub(in crate::caching) creation_ticks: u64,
    pub(in crate::caching) loads: u64,
    pub(in crate::caching) load_ticks: u64,
    /// Exact: what was added is what is taken off, so only the snapshot may saturate.
    pub(in crate::caching) bytes: u128,
    last_event: LastEvent,
    /// The hits when that happened. Hits are not noted as events: if there were more since, the last event is a hit.
    hits_then: u64,
}

impl Counters {
    /// Notes an event other than a hit.
    pub(in crate::caching) fn note(&mut self, event: LastEvent) {
        self.last_event = event;
        self.hits_then = self.hits;
    }

    /// Counts hits that happened elsewhere before now.
    pub(in crate::caching) fn add_hits(&mut self, hits: u64) {
        self.hits = self.hits.saturating_add(hits);
    }

    pub(in crate::caching) fn last_event(&self) -> LastEvent {
        if self.hits == self.hits_then { self.last_event } else { LastEvent::Hit }
    }

    /// Follows entries to their new ids.
    pub(in crate::caching) fn renumber(&mut self, map: &Renumbering) {
        if let LastEvent::Miss(id) = &mut self.last_event {
            *id = map.new_id(*id).unwrap_or(EntryId(0));
        }
    }

    /// The counters of a cache of `size` entries.
    pub(in crate::caching) fn totals(&self, size: usize) -> CacheCounters {
        CacheCounters {
            size,
            hits: self.hits,
            misses: self.misses,
            evictions: self.evictions,
            removals: self.removals,
            failed_creations: self.failed_creations,
            loads: self.loads,
            bytes: u64::try_from(self.bytes).unwrap_or(u64::MAX),
        }
    }

    /// The metrics at `now` of a cache with these counters and entries, all but its last event. `uses` knows of uses that the
    /// order was not told of yet.
    pub(in crate::caching) fn snapshot<T>(
        &self,
        order: &Order<T>,
        uses: impl Fn(&T) -> Option<Uses>,
        time: &TimeSource,
        now: u64,
    ) -> CacheMetrics {
        let since = |stamp| Some(Duration::from_nanos(time.ns_between(stamp, now)));
        let CacheCounters { size, hits, misses, evictions, removals, failed_creations, loads, bytes } =
            self.totals(order.len());
        let mut metrics = CacheMetrics {
            size,
            hits,
            misses,
            evictions,
            removals,
            failed_creations,
            bytes,
            creation_time: Duration::from_nanos(time.ns_between(0, self.creation_ticks)),
            loads,
            load_time: Duration::from_nanos(time.ns_between(0, self.load_ticks)),
            ..CacheMetrics::default()
        };
        let mut ages: Option<Ages> = None;
        for (value, history) in order.histories() {
            let known = Uses { last_used: history.last_used, reuse_count: history.reuse_count, removals: 0 };
            let uses = uses(value).unwrap_or(known);
            let ages = ages.get_or_insert(Ages::of(history.created_at, uses));
            ages.add(history.created_at, uses);
        }
        if let Some(ages) = ages {
            metrics.oldest_entry_age = since(ages.oldest);
            metrics.newest_entry_age = since(ages.newest);
            metrics.longest_idle_age = since(ages.least_recent);
            metrics.shortest_idle_age = since(ages.most_recent);
            metrics.max_entry_reuse_count = Some(ages.most_reused);
        }
        metrics
    }
}

/// The extremes among some entries, as stamps.
struct Ages {
    oldest: u64,
    newest: u64,
    least_recent: u64,
    most_recent: u64,
    most_reused: u64,
}

impl Ages {
    fn of(created_at: u64, Uses { last_used, reuse_count, .. }: Uses) -> Self {
        Self {
            oldest: created_at,
            newest: created_at,
            least_recent: last_used,
            most_recent: last_used,
            most_reused: reuse_count,
        }
    }

    fn add(&mut self, created_at: u64, Uses { last_used, reuse_count, .. }: Uses) {
        self.oldest = self.oldest.min(created_at);
        self.newest = self.newest.max(created_at);
        self.least_recent = self.least_recent.min(last_used);
        self.most_recent = self.most_recent.max(last_used);
        self.most_reused = self.most_reused.max(reuse_count);
    }
}

/// A [`CacheEvent`] before a key is formatted.
#[derive(Clone, Copy, Default)]
pub(in crate::caching) enum LastEvent {
    #[default]
    None,
    Hit,
    Miss(EntryId),
    CreationFailed,
    Evicted {
        count: u64,
        reason: EvictionReason,
    },
    Cleared {
        count: u64,
    },
}
