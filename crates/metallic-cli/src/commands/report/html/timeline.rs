//! The caches over time, in the number of columns that a plot can show.

use super::ink::{Ink, SERIES};
use crate::commands::report::figures::{Axis, CacheFigures, Report};
use crate::commands::report::{KvCacheFigures, Level};

/// The caches of a report over one and the same columns of time.
pub(super) struct Timeline {
    /// The unit of moments.
    pub(super) axis: Axis,
    /// The width of a column, in the unit of the axis.
    pub(super) width: u64,
    /// The number of columns.
    pub(super) columns: usize,
    /// The caches; those for which there is no colour are one lane.
    pub(super) lanes: Vec<Lane>,
    /// The KV caches: a lane for their room and their memory, then one for their positions, both as entries.
    pub(super) kv_lanes: Vec<Lane>,
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
    pub(super) entries: Option<Level>,
    pub(super) bytes: Option<Level>,
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

/// The KV caches, in the colours that the caches have left.
pub(super) fn kv_lanes_of(report: &Report) -> impl Iterator<Item = (Ink, &KvCacheFigures)> {
    let first = report.caches.len();
    let ink = move |n: usize| if first + n < SERIES { Ink::Series(first + n) } else { Ink::Muted };
    report.kv_caches.iter().enumerate().map(move |(n, cache)| (ink(n), cache))
}

impl Timeline {
    /// The report in at most `most` columns.
    pub(super) fn new(report: &Report, most: u64) -> Self {
        let of_caches = report.caches.iter().flat_map(|cache| cache.series.iter().map(|moment| moment.at));
        let of_kv = report.kv_caches.iter().flat_map(|cache| cache.series.iter().map(|moment| moment.at));
        let starts = || of_caches.clone().chain(of_kv.clone());
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
        let kv_lanes =
            kv_lanes_of(report).flat_map(|(ink, cache)| kv_lanes(ink, cache, columns, first, width));
        Self { axis: report.axis, width, columns, lanes, kv_lanes: kv_lanes.collect() }
    }
}

/// Adds a cache to the cells.
fn add(cells: &mut [Cell], cache: &CacheFigures, first: u64, width: u64) {
    let place = |at: u64| ((at - first) / width) as usize;
    for moment in &cache.series {
        let cell = &mut cells[place(moment.at)];
        cell.hits = cell.hits.saturating_add(moment.hits);
        cell.misses = cell.misses.saturating_add(moment.misses);
        cell.creation_ns = cell.creation_ns.saturating_add(moment.creation_ns);
    }
    let entries = cache.series.iter().filter_map(|moment| {
        let last = moment.entries?;
        Some((place(moment.at), Level { last, peak: moment.peak_entries.unwrap_or(last) }))
    });
    let bytes = cache.series.iter().filter_map(|moment| Some((place(moment.at), moment.bytes?)));
    let bytes = bytes.filter(|_| cache.bytes.is_some());
    levels(cells, entries, |cell| &mut cell.entries);
    levels(cells, bytes, |cell| &mut cell.bytes);
}

/// Adds a quantity that stays as it is from one moment to the next.
fn levels(
    cells: &mut [Cell],
    moments: impl Iterator<Item = (usize, Level)>,
    of: impl Fn(&mut Cell) -> &mut Option<Level>,
) {
    let mut own: Vec<Option<Level>> = vec![None; cells.len()];
    for (at, level) in moments {
        let before = own[at].map_or(0, |before| before.peak);
        own[at] = Some(Level { last: level.last, peak: level.peak.max(before) });
    }
    let mut last = None;
    for (cell, own) in cells.iter_mut().zip(own) {
        let peak = last.max(own.map(|level| level.peak));
        last = own.map(|level| level.last).or(last);
        let (Some(peak), Some(last)) = (peak, last) else { continue };
        let sum = of(cell);
        let (before_last, before_peak) = sum.map_or((0, 0), |sum| (sum.last, sum.peak));
        *sum = Some(Level { last: last.saturating_add(before_last), peak: peak.saturating_add(before_peak) });
    }
}

fn kv_lanes(ink: Ink, cache: &KvCacheFigures, columns: usize, first: u64, width: u64) -> [Lane; 2] {
    let lane = |name: String| Lane { name, ink, cells: vec![Cell::default(); columns] };
    let mut lanes = [lane(format!("{} (room)", cache.cache)), lane(format!("{} (in use)", cache.cache))];
    let moments = |level: fn(&super::super::KvMoment) -> Option<Level>| {
        let place = move |at: u64| ((at - first) / width) as usize;
        cache.series.iter().filter_map(move |moment| Some((place(moment.at), level(moment)?)))
    };
    levels(&mut lanes[0].cells, moments(|moment| moment.capacity), |cell| &mut cell.entries);
    levels(&mut lanes[0].cells, moments(|moment| moment.bytes), |cell| &mut cell.bytes);
    levels(&mut lanes[1].cells, moments(|moment| moment.positions), |cell| &mut cell.entries);
    lanes
}
