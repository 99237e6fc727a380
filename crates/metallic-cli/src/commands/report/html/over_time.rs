//! The plots over time.

use super::chart::{Axes, Column, Line, columns, lines};
use super::figure::{Figure, SIZES};
use super::ink::svg;
use super::markup::{Table, count};
use super::quantities::{Quantity, Value};
use super::ticks::{round_ticks, time_ticks};
use super::timeline::{Lane, Timeline};
use super::zones::{Zone, zones};
use crate::commands::report::figures::{Axis, Report};
use crate::units::{duration, round_duration, short_count};

/// Columns of a wide plot and of a narrow one.
const COLUMNS: [u64; 2] = [96, 48];
/// Rows of the table beside a plot over time.
const ROWS: u64 = 12;
/// So many columns without look-ups interrupt a line.
const GAP: usize = 6;
/// Lines that are one take turns after so many columns.
const TURN: usize = 3;

pub(super) fn figure(report: &Report, quantity: &Quantity) -> Option<Figure> {
    let in_rows = Timeline::new(report, ROWS);
    if quantity.drawn(&in_rows).is_empty() {
        return None;
    }
    let mut plots = String::new();
    let mut sentence = (quantity.sentence)(report)?;
    for ((class, size), most) in SIZES.into_iter().zip(COLUMNS) {
        let timeline = Timeline::new(report, most);
        let lanes = quantity.drawn(&timeline);
        let is_wide = most == COLUMNS[0];
        if is_wide && !quantity.value.is_stacked() {
            sentence += &coincident(quantity, &lanes);
        }
        let stacked = quantity.value.is_stacked();
        let description = format!("One {} for each cache.", if stacked { "stack" } else { "line" });
        // On a screen that narrow there is no pointer that could hover.
        let hover = if is_wide { zones(size, &hover(&timeline, &lanes, quantity)) } else { String::new() };
        plots += &svg(class, size, quantity.title, &description, &hover, |area| {
            let labels = |x: &f64| moment(report.axis, *x);
            let tick = quantity.tick;
            let x_max = timeline.columns as f64 * timeline.width as f64;
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
            if stacked {
                let stacks = stacks(&timeline, &lanes, quantity.value);
                let top = stacks.iter().map(|column| column.y.1).fold(0.0, f64::max);
                axes.y_ticks = (quantity.ticks)(top);
                columns(area, size, &axes, &stacks)
            } else {
                let top = lanes.iter().filter_map(|lane| quantity.peak(lane)).fold(0.0, f64::max);
                axes.y_ticks = (quantity.ticks)(top);
                lines(area, size, &axes, &drawn_lines(&timeline, &lanes, quantity.value))
            }
        });
    }
    Some(Figure {
        id: quantity.id.to_owned(),
        title: quantity.title.to_owned(),
        sentence,
        plots,
        table: table(&in_rows, &quantity.drawn(&in_rows), quantity),
    })
}

/// A moment on the horizontal axis.
fn moment(axis: Axis, x: f64) -> String {
    match axis {
        Axis::Time => round_duration(x as u64),
        Axis::Events => short_count(x),
    }
}

fn span(axis: Axis, width: u64) -> String {
    match axis {
        Axis::Time => duration(width),
        Axis::Events => format!("{} events", count(width)),
    }
}

/// The figures of each column.
fn hover(timeline: &Timeline, lanes: &[&Lane], quantity: &Quantity) -> Vec<Zone> {
    let width = 1.0 / timeline.columns as f64;
    let zone = |at: usize| {
        let from = span(timeline.axis, timeline.width * at as u64);
        let to = span(timeline.axis, timeline.width.saturating_mul(at as u64 + 1));
        let line = |lane: &&Lane| {
            let value = quantity.value.of(&lane.cells[at]);
            let value = value.filter(|value| !quantity.value.is_stacked() || *value > 0.0)?;
            Some(format!("{}: {}", lane.name, (quantity.text)(value)))
        };
        let lines = lanes.iter().filter_map(line);
        let lines: Vec<String> = std::iter::once(format!("{from} to {to}")).chain(lines).collect();
        (lines.len() > 1).then(|| Zone { from: at as f64 * width, to: (at + 1) as f64 * width, lines })
    };
    (0..timeline.columns).filter_map(zone).collect()
}

/// For each lane, which it is of how many whose lines are one.
fn turns(lanes: &[&Lane], value: Value) -> Vec<(usize, usize)> {
    let same = |a: &Lane, b: &Lane| a.cells.iter().zip(&b.cells).all(|(a, b)| value.of(a) == value.of(b));
    let group =
        |lane: &&Lane| -> Vec<usize> { (0..lanes.len()).filter(|other| same(lane, lanes[*other])).collect() };
    let groups = lanes.iter().map(group).enumerate();
    groups
        .map(|(at, group)| (group.iter().position(|other| *other == at).unwrap_or(0), group.len()))
        .collect()
}

/// The lanes whose lines hide one another.
fn coincident(quantity: &Quantity, lanes: &[&Lane]) -> String {
    let turns = turns(lanes, quantity.value);
    let hidden: Vec<&str> =
        lanes.iter().zip(turns).filter(|(_, (_, of))| *of > 1).map(|(lane, _)| &*lane.name).collect();
    if hidden.is_empty() {
        return String::new();
    }
    format!(" Lines that are equal throughout take turns in colour: {}.", hidden.join(", "))
}

fn stacks(timeline: &Timeline, lanes: &[&Lane], value: Value) -> Vec<Column> {
    let width = timeline.width as f64;
    let mut stacks = Vec::new();
    for at in 0..timeline.columns {
        let x = (at as f64 * width, (at as f64 + 0.86) * width);
        let mut top = 0.0;
        for lane in lanes {
            let height = value.of(&lane.cells[at]).unwrap_or(0.0);
            if height > 0.0 {
                stacks.push(Column { ink: lane.ink, x, y: (top, top + height) });
                top += height;
            }
        }
    }
    stacks
}

fn drawn_lines(timeline: &Timeline, lanes: &[&Lane], value: Value) -> Vec<Line> {
    let turns = turns(lanes, value);
    lanes.iter().zip(turns).map(|(lane, turn)| line(timeline, lane, value, turn)).collect()
}

fn line(timeline: &Timeline, lane: &Lane, value: Value, (turn, of): (usize, usize)) -> Line {
    let mut runs: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut last: Option<usize> = None;
    for (at, cell) in lane.cells.iter().enumerate() {
        let Some(y) = value.of(cell) else { continue };
        let point = ((at as f64 + 0.5) * timeline.width as f64, y);
        match runs.last_mut().filter(|_| last.is_some_and(|last| at - last <= GAP)) {
            Some(run) => run.push(point),
            None => runs.push(vec![point]),
        }
        last = Some(at);
    }
    if of > 1 {
        let pieces = |run: &Vec<(f64, f64)>| -> Vec<Vec<(f64, f64)>> {
            let starts = (0..run.len()).step_by(TURN).enumerate().filter(|(n, _)| n % of == turn);
            starts.map(|(_, at)| run[at..run.len().min(at + TURN + 1)].to_vec()).collect()
        };
        runs = runs.iter().flat_map(pieces).collect();
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
    for at in 0..timeline.columns {
        let start = timeline.width * at as u64;
        let start = match timeline.axis {
            Axis::Time => duration(start),
            Axis::Events => count(start),
        };
        let value = |lane: &&Lane| quantity.value.of(&lane.cells[at]).map_or("–".to_owned(), quantity.text);
        table.row(&start, lanes.iter().map(value));
    }
    table.finish()
}
