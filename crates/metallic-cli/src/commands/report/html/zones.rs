//! Areas of a plot that tell their figures when the pointer rests on them.

use std::fmt::Write as _;

use super::chart::plot_area;
use super::ink::{SCALE, Size};
use super::markup::escaped;

/// A stretch of the horizontal axis, whose length is 1, and what it tells, line by line.
pub(super) struct Zone {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) lines: Vec<String>,
}

/// Elements to lay over a plot of this size.
pub(super) fn zones(size: Size, zones: &[Zone]) -> String {
    let [left, top, width, height] = plot_area(size).map(|pixels| pixels * SCALE);
    let mut svg = String::new();
    for Zone { from, to, lines } in zones {
        let x = |at: f64| left + (f64::from(width) * at) as i32;
        let lines: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
        let _ = write!(
            svg,
            "<rect class=\"zone\" x=\"{}\" y=\"{top}\" width=\"{}\" height=\"{height}\"><title>{}</title></rect>",
            x(*from),
            x(*to) - x(*from),
            lines.join("\n")
        );
    }
    svg
}
