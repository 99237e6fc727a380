//! Slices that overlap, on as few threads as let them nest.

use std::cmp::Reverse;

use super::timeline::Slice;

/// The lane of each of these slices, from 0, so that any two of one lane are apart or one within the other. The slices are put in
/// order for it: by their begin, the longer first.
pub(super) fn lanes(slices: &mut [Slice]) -> Vec<usize> {
    slices.sort_by_key(|slice| (slice.begin, Reverse(slice.end)));
    // By lane: the ends of the slices that are open, the outermost first.
    let mut open: Vec<Vec<u64>> = Vec::new();
    let mut lanes = Vec::with_capacity(slices.len());
    for slice in slices {
        let has_room = |ends: &mut Vec<u64>| {
            while ends.last().is_some_and(|end| *end <= slice.begin) {
                ends.pop();
            }
            ends.last().is_none_or(|end| *end >= slice.end)
        };
        let lane = open.iter_mut().position(has_room).unwrap_or_else(|| {
            open.push(Vec::new());
            open.len() - 1
        });
        open[lane].push(slice.end);
        lanes.push(lane);
    }
    lanes
}
