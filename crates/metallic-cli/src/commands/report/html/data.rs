//! The figures over time for the script, in the finest columns there are.

use serde::Serialize;

use super::quantities::{QUANTITIES, Quantity, Value};
use super::timeline::{Cell, Lane, Timeline};
use crate::commands::report::Level;
use crate::commands::report::figures::{Axis, Report};
use crate::units::printable;

/// As many as one cache has at most; caches at work one after the other may have more together.
const COLUMNS: u64 = 1024;

#[derive(Serialize)]
struct Data {
    axis: Axis,
    /// The width of a column.
    width: u64,
    columns: usize,
    figures: Vec<FigureData>,
}

#[derive(Serialize)]
struct FigureData {
    id: &'static str,
    /// `share`, `sum` or `level`.
    kind: &'static str,
    unit: &'static str,
    lanes: Vec<LaneData>,
}

#[derive(Serialize)]
struct LaneData {
    name: String,
    ink: String,
    /// The column, and its two numbers: part and whole; the sum and 0; the peak and the last value.
    points: Vec<(usize, u64, u64)>,
}

/// A JSON document that can stand within a script element.
pub(super) fn data(report: &Report) -> String {
    let timeline = Timeline::new(report, COLUMNS);
    let data = Data {
        axis: timeline.axis,
        width: timeline.width,
        columns: timeline.columns,
        figures: QUANTITIES.iter().map(|quantity| figure(&timeline, quantity)).collect(),
    };
    let json = serde_json::to_string(&data).expect("numbers and texts have a JSON form");
    // Within a text only: a JSON document has no such character elsewhere.
    json.replace('<', "\\u003c")
}

fn figure(timeline: &Timeline, quantity: &Quantity) -> FigureData {
    let lane = |lane: &Lane| LaneData {
        name: printable(&lane.name, usize::MAX),
        ink: lane.ink.css(),
        points: points(&lane.cells, quantity.value),
    };
    FigureData {
        id: quantity.id,
        kind: match quantity.value {
            Value::Share(_) => "share",
            Value::Sum(_) => "sum",
            Value::Level(_) => "level",
        },
        unit: quantity.unit,
        lanes: quantity.drawn(timeline).into_iter().map(lane).collect(),
    }
}

/// The columns that say something new.
fn points(cells: &[Cell], value: Value) -> Vec<(usize, u64, u64)> {
    let mut before: Option<Level> = None;
    let point = |(at, cell): (usize, &Cell)| match value {
        Value::Share(parts) => {
            Some(parts(cell)).filter(|(_, whole)| *whole > 0).map(|(part, whole)| (at, part, whole))
        }
        Value::Sum(value) => Some(value(cell)).filter(|sum| *sum > 0).map(|sum| (at, sum, 0)),
        Value::Level(level) => {
            let level = level(cell)?;
            let is_new = before != Some(level);
            before = Some(Level { last: level.last, peak: level.last });
            is_new.then_some((at, level.peak, level.last))
        }
    };
    cells.iter().enumerate().filter_map(point).collect()
}
