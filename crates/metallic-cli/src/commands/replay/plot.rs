//! Curves over capacity, drawn with letters.

use std::io::{self, Write};

use crate::terminal::look;

/// Columns of a plot where there is room for them, and those of its labels and margins.
const WIDTH: usize = 64;
const MARGIN: usize = 16;
const HEIGHT: usize = 14;

/// One curve: its letter, and its values by capacity.
pub(super) struct Line {
    pub(super) mark: char,
    pub(super) values: Vec<f64>,
}

/// Draws the lines over these ascending capacities, which run along a logarithmic axis. Where lines meet, that drawn last
/// is seen.
pub(super) fn draw(
    out: &mut dyn Write,
    capacities: &[usize],
    lines: &[Line],
    label: impl Fn(f64) -> String,
) -> io::Result<()> {
    let (Some(&first), Some(&last)) = (capacities.first(), capacities.last()) else { return Ok(()) };
    let top = lines.iter().flat_map(|line| &line.values).copied().fold(0.0, f64::max);
    if first == last || top <= 0.0 {
        return Ok(());
    }
    let columns = WIDTH.min(look().columns.saturating_sub(MARGIN));
    let mut grid = vec![vec![' '; columns]; HEIGHT];
    let (from, to) = ((first as f64).ln(), (last as f64).ln());
    for line in lines {
        let rows = (0..columns).map(|column| {
            let capacity = (from + (to - from) * column as f64 / (columns - 1) as f64).exp();
            let value = value_at(capacities, &line.values, capacity);
            ((HEIGHT - 1) as f64 * (1.0 - value / top)).round() as usize
        });
        let mut before = None;
        for (column, row) in rows.enumerate() {
            // A steep curve is a line all the same.
            let from = before.replace(row).map_or(row, |before: usize| (before + 1).min(row));
            grid[from..=row].iter_mut().for_each(|cells| cells[column] = line.mark);
        }
    }
    let labels = [label(top), label(top / 2.0), label(0.0)];
    let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    for (row, cells) in grid.iter().enumerate() {
        let label = match row {
            0 => &labels[0],
            _ if row == HEIGHT / 2 => &labels[1],
            _ if row == HEIGHT - 1 => &labels[2],
            _ => "",
        };
        let cells: String = cells.iter().collect();
        writeln!(out, "    {label:>width$} │{}", cells.trim_end())?;
    }
    writeln!(out, "    {:>width$} └{}", "", "─".repeat(columns))?;
    let (first, last) = (first.to_string(), format!("{last} entries, logarithmic"));
    writeln!(out, "    {:>width$}  {first}{last:>rest$}", "", rest = columns.saturating_sub(first.len()))
}

/// The value at a capacity, on the straight line between its neighbours.
fn value_at(capacities: &[usize], values: &[f64], capacity: f64) -> f64 {
    let after = capacities.partition_point(|other| (*other as f64) < capacity).min(capacities.len() - 1);
    let before = after.saturating_sub(1);
    let (low, high) = (capacities[before] as f64, capacities[after] as f64);
    let share = if high > low { ((capacity - low) / (high - low)).clamp(0.0, 1.0) } else { 0.0 };
    values[before] + (values[after] - values[before]) * share
}

#[cfg(test)]
mod tests {
    use super::{Line, draw};

    #[test]
    fn a_falling_curve_falls_from_the_left_to_the_right() {
        let line = Line { mark: 'l', values: vec![1.0, 0.5, 0.0] };
        let mut text = Vec::new();
        draw(&mut text, &[1, 10, 100], &[line], |value| format!("{value:.1}")).unwrap();
        let text = String::from_utf8(text).unwrap();
        let rows: Vec<&str> = text.lines().collect();
        assert!(rows[0].contains("1.0 │l"), "{text}");
        assert!(rows[13].trim_end().ends_with('l') && rows[13].contains("0.0 │"), "{text}");
        assert!(rows[15].ends_with("100 entries, logarithmic"), "{text}");
        let column = |row: &&str| row.chars().position(|c| c == 'l').expect("the curve crosses every row");
        assert!(rows[..14].iter().map(column).is_sorted(), "{text}");
    }
}
