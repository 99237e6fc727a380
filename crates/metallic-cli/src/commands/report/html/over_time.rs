//! The plots over time.

use super::chart::{Axes, Column, Line, columns, lines};
use super::figure::{Figure, SIZES};
use super::ink::svg;
use super::legend::legend;
use super::markup::{Table, count};
use super::ticks::{round_ticks, time_ticks, whole_ticks};
use super::timeline::{Cell, Lane, Timeline};
use crate::commands::report::figures::{Axis, Report};
use crate::units::{duration, percent, round_duration, short_count, total};

/// Columns of a wide plot and of a narrow one.
const COLUMNS: [u64; 2] = [96, 48];
/// Rows of the table beside a plot over time.
const ROWS: u64 = 12;
/// So many columns without look-ups interrupt a line.
const GAP: usize = 6;

/// The form of values in the cells of a table and on the vertical axis.
type Text = fn(f64) -> String;

/// Plots in which caches are lines, or columns that stand on each other.
struct Quantity {
    id: &'static str,
    title: &'static str,
    value: fn(&Cell) -> Option<f64>,
    text: Text,
    tick: Text,
    ticks: fn(f64) -> Vec<f64>,
    stacked: bool,
}

pub(super) fn hit_rate(report: &Report) -> Option<Figure> {
    let quantity = Quantity {
        id: "hit-rate",
        title: "Hit rate over time",
        value: |cell| {
            let lookups = cell.hits.saturating_add(cell.misses);
            (lookups > 0).then(|| cell.hits as f64 / lookups as f64)
        },
        text: percent,
        tick: |share| format!("{:.0} %", share * 100.0),
        ticks: |_| vec![0.0, 0.25, 0.5, 0.75, 1.0],
        stacked: false,
    };
    let with_rates = || report.caches.iter().filter_map(|cache| Some((cache.hit_rate?, &cache.cache)));
    let lowest = with_rates().min_by(|a, b| a.0.total_cmp(&b.0))?;
    let sentence = if with_rates().count() > 1 {
        format!("Over the whole log, {} is lowest with {}.", lowest.1, percent(lowest.0))
    } else {
        format!("Over the whole log, {} of the look-ups of {} hit.", percent(lowest.0), lowest.1)
    };
    figure(report, &quantity, |_| sentence)
}

pub(super) fn misses(report: &Report) -> Option<Figure> {
    let quantity = Quantity {
        id: "misses",
        title: "Misses over time",
        value: |cell| Some(cell.misses as f64),
        text: |misses| count(misses as u64),
        tick: short_count,
        ticks: |max| whole_ticks(max as u64, 4),
        stacked: true,
    };
    let total = total(report.caches.iter().map(|cache| cache.misses));
    figure(report, &quantity, |column| {
        format!("{} misses; each column is {column} of the log.", count(total))
    })
}

pub(super) fn creation_time(report: &Report) -> Option<Figure> {
    let quantity = Quantity {
        id: "creation-time",
        title: "Creation time over time",
        value: |cell| Some(cell.creation_ns as f64),
        text: |ns| duration(ns as u64),
        tick: |ns| round_duration(ns as u64),
        ticks: |max| time_ticks_to(max, 4),
        stacked: true,
    };
    let total = total(report.caches.iter().map(|cache| cache.creation_ns.sum));
    figure(report, &quantity, |column| {
        format!("{} were spent on creation; each column is {column} of the log.", duration(total))
    })
}

pub(super) fn entries(report: &Report) -> Option<Figure> {
    let quantity = Quantity {
        id: "entries",
        title: "Entries over time",
        value: |cell| cell.entries.map(|entries| entries as f64),
        text: |entries| count(entries as u64),
        tick: short_count,
        ticks: |max| whole_ticks(max as u64, 4),
        stacked: false,
    };
    let fullest = report.caches.iter().max_by_key(|cache| cache.peak_entries)?;
    let sentence = format!("{} held most, {} at its peak.", fullest.cache, count(fullest.peak_entries));
    figure(report, &quantity, |_| sentence)
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

fn figure(report: &Report, quantity: &Quantity, sentence: impl FnOnce(String) -> String) -> Option<Figure> {
    let in_rows = Timeline::new(report, ROWS);
    let values = |lane: &Lane| {
        lane.cells
            .iter()
            .filter_map(quantity.value)
            .fold(None, |max: Option<f64>, value| Some(max.map_or(value, |max| max.max(value))))
    };
    let drawn = |lane: &&Lane| values(lane).is_some_and(|max| !quantity.stacked || max > 0.0);
    if !in_rows.lanes.iter().any(|lane| drawn(&lane)) {
        return None;
    }
    let mut plots = String::new();
    let mut column = String::new();
    for ((class, size), most) in SIZES.into_iter().zip(COLUMNS) {
        let timeline = Timeline::new(report, most);
        let description = format!("One {} for each cache.", if quantity.stacked { "stack" } else { "line" });
        plots += &svg(class, size, quantity.title, &description, |area| {
            let lanes: Vec<&Lane> = timeline.lanes.iter().filter(drawn).collect();
            let labels = |x: &f64| moment(report.axis, *x);
            let tick = quantity.tick;
            let x_max = timeline.columns() as f64 * timeline.width as f64;
            let ticks = if size.width < 500 { 4 } else { 7 };
            let mut axes = Axes {
                x_max,
                x_ticks: match report.axis {
                    Axis::Time => time_ticks(x_max, ticks),
                    Axis::Events => round_ticks(x_max, ticks).into_iter().filter(|x| *x <= x_max).collect(),
                },
                x_label: &labels,
                y_ticks: Vec::new(),
                y_label: &|y| tick(*y),
            };
            if quantity.stacked {
                let stacks = stacked(&timeline, &lanes, quantity.value);
                let top = stacks.iter().map(|column| column.y.1).fold(0.0, f64::max);
                axes.y_ticks = (quantity.ticks)(top);
                columns(area, size, &axes, &stacks)
            } else {
                let top = lanes.iter().filter_map(|lane| values(lane)).fold(0.0, f64::max);
                axes.y_ticks = (quantity.ticks)(top);
                let drawn: Vec<Line> =
                    lanes.iter().map(|lane| line(&timeline, lane, quantity.value)).collect();
                lines(area, size, &axes, &drawn)
            }
        });
        if column.is_empty() {
            column = match report.axis {
                Axis::Time => duration(timeline.width),
                Axis::Events => format!("{} events", count(timeline.width)),
            };
        }
    }
    let lanes: Vec<&Lane> = in_rows.lanes.iter().filter(drawn).collect();
    Some(Figure {
        id: quantity.id.to_owned(),
        title: quantity.title.to_owned(),
        sentence: sentence(column),
        legend: legend(lanes.iter().map(|lane| (&*lane.name, lane.ink))),
        plots,
        table: table(&in_rows, &lanes, quantity),
    })
}

/// A moment on the horizontal axis.
fn moment(axis: Axis, x: f64) -> String {
    match axis {
        Axis::Time => round_duration(x as u64),
        Axis::Events => short_count(x),
    }
}

fn stacked(timeline: &Timeline, lanes: &[&Lane], value: fn(&Cell) -> Option<f64>) -> Vec<Column> {
    let width = timeline.width as f64;
    let mut stacks = Vec::new();
    for at in 0..timeline.columns() {
        let x = (at as f64 * width, (at as f64 + 0.86) * width);
        let mut top = 0.0;
        for lane in lanes {
            let height = value(&lane.cells[at]).unwrap_or(0.0);
            if height > 0.0 {
                stacks.push(Column { ink: lane.ink, x, y: (top, top + height) });
                top += height;
            }
        }
    }
    stacks
}

fn line(timeline: &Timeline, lane: &Lane, value: fn(&Cell) -> Option<f64>) -> Line {
    let mut runs: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut last: Option<usize> = None;
    for (at, cell) in lane.cells.iter().enumerate() {
        let Some(y) = value(cell) else { continue };
        let point = ((at as f64 + 0.5) * timeline.width as f64, y);
        match runs.last_mut().filter(|_| last.is_some_and(|last| at - last <= GAP)) {
            Some(run) => run.push(point),
            None => runs.push(vec![point]),
        }
        last = Some(at);
    }
    Line { ink: lane.ink, runs }
}

fn table(timeline: &Timeline, lanes: &[&Lane], quantity: &Quantity) -> String {
    let from = match timeline.axis {
        Axis::Time => "from",
        Axis::Events => "from event",
    };
    let titles: Vec<&str> = std::iter::once(from).chain(lanes.iter().map(|lane| &*lane.name)).collect();
    let mut table = Table::new(quantity.title, &titles);
    for at in 0..timeline.columns() {
        let start = timeline.width * at as u64;
        let start = match timeline.axis {
            Axis::Time => duration(start),
            Axis::Events => count(start),
        };
        let value = |lane: &&Lane| (quantity.value)(&lane.cells[at]).map_or("–".to_owned(), quantity.text);
        table.row(&start, lanes.iter().map(value));
    }
    table.finish()
}
