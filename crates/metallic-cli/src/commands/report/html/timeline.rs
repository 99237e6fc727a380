//! The caches over time, in the number of columns that a plot can show.

use super::ink::{Ink, SERIES};
use crate::commands::report::figures::{Axis, CacheFigures, Report};

/// The caches of a report over one and the same columns of time.
pub(super) struct Timeline {
    /// The unit of moments.
    pub(super) axis: Axis,
    /// The width of a column, in the unit of the axis.
    pub(super) width: u64,
    /// The caches; those for which there is no colour are one lane.
    pub(super) lanes: Vec<Lane>,
}

/// One cache, or those that share a colour.
pub(super) struct Lane {
    pub(super) name: String,
    pub(super) ink: Ink,
    /// One for each column.
    pub(super) cells: Vec<Cell>,
}

/// The figures of one cache in one column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) creation_ns: u64,
    /// Entries at its end.
    pub(super) entries: Option<u64>,
}

/// The caches of a report by colour: the name, the colour, and which they are.
pub(super) fn lanes_of(report: &Report) -> impl Iterator<Item = (String, Ink, &[CacheFigures])> {
    let caches = &report.caches[..];
    let alone = if caches.len() <= SERIES { caches.len() } else { SERIES - 1 };
    let (alone, together) = caches.split_at(alone);
    let others = (!together.is_empty()).then(|| format!("{} other caches", together.len()));
    let last = others.map(|name| (name, Ink::Series(SERIES - 1), together));
    let single = |(n, cache): (usize, &'_ CacheFigures)| (cache.cache.clone(), Ink::Series(n));
    alone
        .iter()
        .enumerate()
        .map(move |(n, cache)| {
            let (name, ink) = single((n, cache));
            (name, ink, std::slice::from_ref(cache))
        })
        .chain(last)
}

impl Timeline {
    /// The report in at most `most` columns.
    pub(super) fn new(report: &Report, most: u64) -> Self {
        let starts = || report.caches.iter().flat_map(|cache| cache.series.iter().map(|moment| moment.at));
        let first = starts().min().unwrap_or(0);
        let buckets = starts().max().map_or(1, |last| (last - first) / report.bucket + 1);
        let merged = buckets.div_ceil(most.max(1));
        let width = report.bucket.saturating_mul(merged);
        let columns = buckets.div_ceil(merged) as usize;
        let lanes = lanes_of(report)
            .map(|(name, ink, caches)| {
                let mut cells = vec![Cell::default(); columns];
                caches.iter().for_each(|cache| add(&mut cells, cache, first, width));
                Lane { name, ink, cells }
            })
            .collect();
        Self { axis: report.axis, width, lanes }
    }

    /// The number of columns.
    pub(super) fn columns(&self) -> usize {
        self.lanes.first().map_or(1, |lane| lane.cells.len())
    }
}

/// Adds a cache to the cells.
fn add(cells: &mut [Cell], cache: &CacheFigures, first: u64, width: u64) {
    let mut own = vec![Cell::default(); cells.len()];
    for moment in &cache.series {
        let cell = &mut own[((moment.at - first) / width) as usize];
        cell.hits = cell.hits.saturating_add(moment.hits);
        cell.misses = cell.misses.saturating_add(moment.misses);
        cell.creation_ns = cell.creation_ns.saturating_add(moment.creation_ns);
        cell.entries = moment.entries.or(cell.entries);
    }
    let mut entries = None;
    for (cell, own) in cells.iter_mut().zip(own) {
        entries = own.entries.or(entries);
        cell.hits = cell.hits.saturating_add(own.hits);
        cell.misses = cell.misses.saturating_add(own.misses);
        cell.creation_ns = cell.creation_ns.saturating_add(own.creation_ns);
        cell.entries = match (cell.entries, entries) {
            (Some(before), Some(more)) => Some(before.saturating_add(more)),
            (before, more) => before.or(more),
        };
    }
}
