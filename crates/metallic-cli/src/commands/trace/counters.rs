//! The contents of the caches of a log, over time.

use std::collections::HashMap;

/// The entries of a cache and their bytes, from this moment on.
#[derive(Debug)]
pub(super) struct Count {
    pub(super) track: usize,
    pub(super) at: u64,
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

/// One change of what a cache holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// An entry of these bytes was created.
    Created(u64),
    /// An entry of these bytes was removed; how many are left is said by another event.
    Removed(u64),
    /// The number of entries was told.
    Entries(u64),
}

/// The changes of all caches, in the order of the log. That is not the order of their times: threads write when they come to it.
#[derive(Debug, Default)]
pub(super) struct Counters(Vec<(u64, usize, Change)>);

impl Counters {
    pub(super) fn note(&mut self, track: usize, at: u64, change: Change) {
        self.0.push((at, track, change));
    }

    pub(super) fn times(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|(at, ..)| *at)
    }

    /// The levels after each change that is one, in the order of their times.
    pub(super) fn into_counts(mut self) -> Vec<Count> {
        self.0.sort_by_key(|(at, ..)| *at);
        let mut levels: HashMap<usize, (u64, u64)> = HashMap::new();
        let mut counts = Vec::new();
        for (at, track, change) in self.0 {
            let level = levels.entry(track).or_default();
            let before @ (entries, bytes) = *level;
            *level = match change {
                Change::Created(more) => (entries.saturating_add(1), bytes.saturating_add(more)),
                Change::Removed(fewer) => (entries, bytes.saturating_sub(fewer)),
                Change::Entries(entries) => (entries, bytes),
            };
            if *level != before {
                let (entries, bytes) = *level;
                counts.push(Count { track, at, entries, bytes });
            }
        }
        counts
    }
}
