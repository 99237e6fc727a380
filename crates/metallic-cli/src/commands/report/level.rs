//! A quantity that stays as it is until an event changes it, over one span of time.

use serde::{Deserialize, Serialize};

use super::buckets::Merge;

/// The values of a quantity in one span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// The last value.
    pub last: u64,
    /// The largest value.
    pub peak: u64,
}

impl Level {
    /// Adds a value that a span ends with.
    pub(super) fn set(level: &mut Option<Self>, value: u64) {
        level.merge(Some(Self { last: value, peak: value }));
    }
}

impl Merge for Option<Level> {
    fn merge(&mut self, later: Self) {
        *self = match (*self, later) {
            (Some(before), Some(after)) => {
                Some(Level { last: after.last, peak: before.peak.max(after.peak) })
            }
            (before, after) => after.or(before),
        };
    }
}
