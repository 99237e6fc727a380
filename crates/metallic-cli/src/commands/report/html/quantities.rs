//! The quantities that are drawn over time: their values, units and sentences.

use super::markup::{count, spaced};
use super::ticks::{round_ticks, time_ticks, whole_ticks};
use super::timeline::{Cell, Lane, Timeline};
use crate::commands::report::Level;
use crate::commands::report::figures::Report;
use crate::units::{bytes, counted, duration, percent, round_duration, short_count, total};

/// The form of values in the cells of a table and on the vertical axis.
type Text = fn(f64) -> String;

/// The value of a cell, by what is done with the cells of one column.
#[derive(Clone, Copy)]
pub(super) enum Value {
    /// A part and the whole of it, each added up: a line.
    Share(fn(&Cell) -> (u64, u64)),
    /// Added up: columns that stand on each other.
    Sum(fn(&Cell) -> u64),
    /// The largest counts: a line.
    Level(fn(&Cell) -> Option<Level>),
}

/// Plots in which caches are lines, or columns that stand on each other.
pub(super) struct Quantity {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) value: Value,
    pub(super) lanes: fn(&Timeline) -> Vec<&Lane>,
    /// The name of the unit in the script.
    pub(super) unit: &'static str,
    pub(super) text: Text,
    pub(super) tick: Text,
    pub(super) ticks: fn(f64) -> Vec<f64>,
    pub(super) sentence: fn(&Report) -> Option<String>,
}

fn caches(timeline: &Timeline) -> Vec<&Lane> {
    timeline.lanes.iter().collect()
}

fn whole(n: f64) -> String {
    count(n as u64)
}

/// The plots, in their order.
pub(super) static QUANTITIES: [Quantity; 6] = [
    Quantity {
        id: "creation-time",
        title: "Creation time over time",
        value: Value::Sum(|cell| cell.creation_ns),
        lanes: caches,
        unit: "time",
        text: |ns| duration(ns as u64),
        tick: |ns| round_duration(ns as u64),
        ticks: |max| time_ticks_to(max, 4),
        sentence: |report| {
            let total = total(report.caches.iter().map(|cache| cache.creation_ns.sum));
            Some(format!("{} were spent on creation.", duration(total)))
        },
    },
    Quantity {
        id: "misses",
        title: "Misses over time",
        value: Value::Sum(|cell| cell.misses),
        lanes: caches,
        unit: "count",
        text: whole,
        tick: short_count,
        ticks: |max| whole_ticks(max as u64, 4),
        sentence: |report| {
            let misses = total(report.caches.iter().map(|cache| cache.misses));
            Some(spaced(&format!("{}.", counted(misses, "miss", "misses"))))
        },
    },
    Quantity {
        id: "hit-rate",
        title: "Hit rate over time",
        value: Value::Share(|cell| (cell.hits, cell.hits.saturating_add(cell.misses))),
        lanes: caches,
        unit: "share",
        text: percent,
        tick: |share| format!("{:.0} %", share * 100.0),
        ticks: |_| vec![0.0, 0.25, 0.5, 0.75, 1.0],
        sentence: |report| {
            let with_rates =
                || report.caches.iter().filter_map(|cache| Some((cache.hit_rate?, &cache.cache)));
            let lowest = with_rates().min_by(|a, b| a.0.total_cmp(&b.0))?;
            Some(if with_rates().count() > 1 {
                format!("Over the whole log, {} is lowest with {}.", lowest.1, percent(lowest.0))
            } else {
                format!("Over the whole log, {} of the look-ups of {} hit.", percent(lowest.0), lowest.1)
            })
        },
    },
    Quantity {
        id: "entries",
        title: "Entries over time",
        value: Value::Level(|cell| cell.entries),
        lanes: caches,
        unit: "count",
        text: whole,
        tick: short_count,
        ticks: |max| whole_ticks(max as u64, 4),
        sentence: |report| {
            let fullest = report.caches.iter().max_by_key(|cache| cache.peak_entries)?;
            let peak = count(fullest.peak_entries);
            Some(format!("The most in each column; {} held most, {peak} at its peak.", fullest.cache))
        },
    },
    Quantity {
        id: "memory",
        title: "Memory over time",
        value: Value::Level(|cell| cell.bytes.filter(|level| level.peak > 0)),
        lanes: |timeline| timeline.lanes.iter().chain(&timeline.kv_lanes).collect(),
        unit: "bytes",
        text: |n| bytes(n as u64),
        tick: |n| bytes(n as u64),
        ticks: byte_ticks,
        sentence: |report| {
            let caches = report.caches.iter().filter_map(|cache| Some((cache.peak_bytes?, &cache.cache)));
            let kv = report.kv_caches.iter().map(|cache| (cache.peak_bytes, &cache.cache));
            let (peak, name) = caches.chain(kv).max_by_key(|(peak, _)| *peak)?;
            Some(format!("The most in each column; {name} took most, {} at its peak.", bytes(peak)))
        },
    },
    Quantity {
        id: "kv-cache",
        title: "KV cache over time",
        value: Value::Level(|cell| cell.entries),
        lanes: |timeline| timeline.kv_lanes.iter().collect(),
        unit: "count",
        text: whole,
        tick: short_count,
        ticks: |max| whole_ticks(max as u64, 4),
        sentence: |report| {
            let most = report.kv_caches.iter().max_by_key(|cache| cache.peak_positions)?;
            Some(format!(
                "Positions per sequence: above, what there is room for, below, what is in use as far as the log says. {} held \
                 up to {} of {}.",
                most.cache,
                count(most.peak_positions),
                count(most.peak_capacity)
            ))
        },
    },
];

impl Value {
    pub(super) fn is_stacked(self) -> bool {
        matches!(self, Self::Sum(_))
    }

    /// The value of a column.
    pub(super) fn of(self, cell: &Cell) -> Option<f64> {
        match self {
            Self::Share(parts) => {
                let (part, whole) = parts(cell);
                (whole > 0).then(|| part as f64 / whole as f64)
            }
            Self::Sum(value) => Some(value(cell) as f64),
            Self::Level(level) => level(cell).map(|level| level.peak as f64),
        }
    }
}

impl Quantity {
    pub(super) fn peak(&self, lane: &Lane) -> Option<f64> {
        lane.cells.iter().filter_map(|cell| self.value.of(cell)).reduce(f64::max)
    }

    /// The lanes that there is something to show of.
    pub(super) fn drawn<'a>(&self, timeline: &'a Timeline) -> Vec<&'a Lane> {
        let is_drawn =
            |lane: &&Lane| self.peak(lane).is_some_and(|peak| !self.value.is_stacked() || peak > 0.0);
        (self.lanes)(timeline).into_iter().filter(is_drawn).collect()
    }
}

/// Time ticks the last of which is not before `max`.
fn time_ticks_to(max: f64, most: usize) -> Vec<f64> {
    let mut ticks = time_ticks(max, most);
    if let [.., before, last] = ticks[..]
        && last < max
    {
        ticks.push(last + (last - before));
    }
    if ticks.len() < 2 { round_ticks(max, most) } else { ticks }
}

/// Round numbers of the unit that `max` is in.
fn byte_ticks(max: f64) -> Vec<f64> {
    let unit = [30, 20, 10].map(|shift| f64::from(1 << shift)).into_iter().find(|unit| max >= *unit);
    let unit = unit.unwrap_or(1.0);
    round_ticks(max / unit, 4).into_iter().map(|tick| tick * unit).collect()
}
