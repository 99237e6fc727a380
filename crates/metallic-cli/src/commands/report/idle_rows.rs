//! The two histograms of idle ages of one cache, side by side.

use super::figures::{CacheFigures, IdleBar};
use crate::units::round_duration;

/// One bar of both.
pub(super) struct IdleRow {
    /// The ages in it, as people say it.
    pub(super) label: String,
    /// The shortest of them.
    pub(super) from: u64,
    /// The age at which the bar ends.
    pub(super) below: Option<u64>,
    /// Entries that a policy evicted at such an age.
    pub(super) evicted: u64,
    /// Entries that were hit at such an age.
    pub(super) hit: u64,
}

/// The bars of both histograms, from the lowest age that is in either to the highest.
pub(super) fn idle_rows(cache: &CacheFigures) -> Vec<IdleRow> {
    let mut bars: Vec<IdleBar> = cache.idle_at_eviction.iter().chain(&cache.idle_at_hit).copied().collect();
    bars.sort_by_key(|bar| bar.from);
    bars.dedup_by_key(|bar| bar.from);
    let count = |histogram: &[IdleBar], from| {
        histogram.iter().find(|bar| bar.from == from).map_or(0, |bar| bar.count)
    };
    bars.iter()
        .map(|bar| IdleRow {
            label: label(bar),
            from: bar.from,
            below: bar.below,
            evicted: count(&cache.idle_at_eviction, bar.from),
            hit: count(&cache.idle_at_hit, bar.from),
        })
        .collect()
}

fn label(bar: &IdleBar) -> String {
    match bar.below {
        None => format!("{} or more", round_duration(bar.from)),
        Some(below) if bar.from == 0 => format!("below {}", round_duration(below)),
        Some(below) => format!("{} to {}", round_duration(bar.from), round_duration(below)),
    }
}
