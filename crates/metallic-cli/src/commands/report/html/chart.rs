//! Plots with two axes: lines, and columns that stand on each other or beside each other.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::prelude::{
    Cartesian2d, ChartBuilder, ChartContext, Circle, PathElement, Ranged, Rectangle, SVGBackend, TRANSPARENT,
};

use super::ink::{Area, Drawn, Ink, SCALE, Size};

/// The margins around the data, in pixels.
const MARGIN_TOP: i32 = 10;
const MARGIN_RIGHT: i32 = 16;
const X_LABELS: i32 = 26;

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Scale, Scale>>;

/// From 0 to a maximum, with the ticks that were chosen for it.
struct Scale {
    max: f64,
    ticks: Vec<f64>,
}

impl Ranged for Scale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        limit.0 + (f64::from(limit.1 - limit.0) * value / self.max).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        0.0..self.max
    }
}

/// The two axes. Each begins at 0; the vertical one ends at its last tick.
pub(super) struct Axes<'a> {
    pub(super) x_max: f64,
    pub(super) x_ticks: Vec<f64>,
    pub(super) x_label: &'a dyn Fn(&f64) -> String,
    pub(super) y_ticks: Vec<f64>,
    pub(super) y_label: &'a dyn Fn(&f64) -> String,
}

/// Points of one colour, from left to right.
pub(super) struct Line {
    pub(super) ink: Ink,
    /// Runs of points that belong together; between them there is nothing to show.
    pub(super) runs: Vec<Vec<(f64, f64)>>,
}

/// One column: from where to where on the horizontal axis, from where to where on the vertical one.
pub(super) struct Column {
    pub(super) ink: Ink,
    pub(super) x: (f64, f64),
    pub(super) y: (f64, f64),
}

/// Where a plot of this size has its data, in pixels: left, top, width, height.
pub(super) fn plot_area(size: Size) -> [i32; 4] {
    let left = if size.width < 500 { 58 } else { 60 };
    [left, MARGIN_TOP, size.width - left - MARGIN_RIGHT, size.height - MARGIN_TOP - X_LABELS]
}

/// Draws lines.
pub(super) fn lines(area: &Area<'_>, size: Size, axes: &Axes<'_>, lines: &[Line]) -> Drawn {
    let mut chart = axes.draw(area, size)?;
    for line in lines {
        for run in &line.runs {
            if let [point] = run[..] {
                chart.draw_series([Circle::new(point, 3 * SCALE, line.ink.fill())])?;
            } else {
                chart.draw_series([PathElement::new(run.clone(), line.ink.line(20))])?;
            }
        }
    }
    Ok(())
}

/// Draws columns.
pub(super) fn columns(area: &Area<'_>, size: Size, axes: &Axes<'_>, columns: &[Column]) -> Drawn {
    let mut chart = axes.draw(area, size)?;
    chart.draw_series(columns.iter().map(|column| {
        Rectangle::new([(column.x.0, column.y.0), (column.x.1, column.y.1)], column.ink.fill())
    }))?;
    Ok(())
}

impl Axes<'_> {
    fn draw<'a, 'b>(
        &self,
        area: &'a Area<'b>,
        size: Size,
    ) -> Result<Chart<'a, 'b>, Box<dyn std::error::Error>> {
        let narrow = size.width < 500;
        let y_max = self.y_ticks.last().copied().unwrap_or(1.0);
        let mut chart = ChartBuilder::on(area)
            .margin_top(MARGIN_TOP * SCALE)
            .margin_right(MARGIN_RIGHT * SCALE)
            .x_label_area_size(X_LABELS * SCALE)
            .y_label_area_size(plot_area(size)[0] * SCALE)
            .build_cartesian_2d(
                Scale { max: self.x_max, ticks: self.x_ticks.clone() },
                Scale { max: y_max, ticks: self.y_ticks.clone() },
            )?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .max_light_lines(0)
            .bold_line_style(Ink::Grid.line(10))
            .light_line_style(TRANSPARENT)
            .axis_style(Ink::Muted.line(8))
            .label_style(Ink::Muted.text(if narrow { 12 } else { 13 }))
            .x_label_formatter(self.x_label)
            .y_label_formatter(self.y_label)
            .set_all_tick_mark_size(4 * SCALE)
            .draw()?;
        Ok(chart)
    }
}
