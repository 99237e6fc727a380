//! The figures of the cache of one registry.

use super::tally::{Creations, Lookups};
use crate::input::RegistryId;

/// A summary comes after every hundredth operation.
const OPERATIONS_PER_SUMMARY: u64 = 100;
/// Series of counters that are told apart in one registry.
const SERIES: usize = 64;

/// The figures of one registry's cache.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) registry: RegistryId,
    /// By the accesses in the log.
    pub(super) accesses: Lookups,
    /// By the differences between summaries.
    pub(super) summaries: Lookups,
    /// The last summary of each series of counters. One, but where a log does not number its registries, or lacks the
    /// headers between runs: there, counters that went back are another registry's or another run's.
    series: Vec<Lookups>,
    pub(super) creations: Creations,
    pub(super) evicted: u64,
    pub(super) entries: Option<u64>,
    pub(super) bytes: u64,
    pub(super) policy: Option<Box<str>>,
}

impl Member {
    pub(super) fn new(registry: RegistryId) -> Self {
        Self {
            registry,
            accesses: Lookups::default(),
            summaries: Lookups::default(),
            series: Vec::new(),
            creations: Creations::default(),
            evicted: 0,
            entries: None,
            bytes: 0,
            policy: None,
        }
    }

    pub(super) fn counts_by_summaries(&self) -> bool {
        self.summaries.count() > self.accesses.count()
    }

    /// Hits and misses, from the source that knows more of them.
    pub(super) fn lookups(&self) -> Lookups {
        if self.counts_by_summaries() { self.summaries } else { self.accesses }
    }

    /// Takes the counters of a summary, and returns the look-ups since the one before it.
    pub(super) fn counted(&mut self, now: Lookups) -> Lookups {
        let is_again = self.registry.number.is_some() && !self.series.is_empty();
        // Of several series the nearest goes on: a series that is further behind would have had summaries in between.
        let fits = |before: &&mut Lookups| before.hits <= now.hits && before.misses <= now.misses;
        let nearest = self.series.iter_mut().filter(fits).max_by_key(|before| before.count());
        let since = match nearest {
            Some(before) => {
                let since = Lookups { hits: now.hits - before.hits, misses: now.misses - before.misses };
                *before = now;
                since
            }
            // Counters of one registry never go back: this summary is in the log twice.
            None if is_again => Lookups::default(),
            None => {
                if self.series.len() < SERIES {
                    self.series.push(now);
                }
                // The first summary of a cache tells of its first operations; any other tells of operations before this log.
                if now.count() <= OPERATIONS_PER_SUMMARY { now } else { Lookups::default() }
            }
        };
        self.summaries.add(since);
        since
    }

    /// The series of counters beyond the first.
    pub(super) fn restarts(&self) -> u64 {
        self.series.len().saturating_sub(1) as u64
    }
}
