//! Bars from left to right, each under its name: for names as long as keys are.

use plotters::prelude::{Rectangle, Text};

use super::ink::{Drawn, Ink, SCALE, Size, from_left, svg, to_right};
use crate::units::printable;

/// A bar.
pub(super) struct Bar {
    pub(super) ink: Ink,
    pub(super) name: String,
    pub(super) length: f64,
    /// The length, as text.
    pub(super) figure: String,
}

/// Height of a line of a name, and of the bar with what is around it, in pixels.
const LINE: i32 = 16;
const BAR: i32 = 19;
/// A name takes no more lines than that.
const LINES: usize = 2;

/// Draws bars, the longest of which takes the whole width.
pub(super) fn bars(class: &str, width: i32, title: &str, description: &str, bars: &[Bar]) -> String {
    let text_size = if width < 500 { 12 } else { 13 };
    let figure_width = bars.iter().map(|bar| bar.figure.chars().count()).max().unwrap_or(0) as i32 * 8 + 8;
    // Few letters are wider than 0.58 of the font's height, on average.
    let letters = (f64::from(width - figure_width) / (0.58 * f64::from(text_size))) as usize;
    let names: Vec<Vec<String>> = bars.iter().map(|bar| wrapped(&bar.name, letters)).collect();
    let height = names.iter().map(|lines| LINE * lines.len() as i32 + BAR).sum();
    svg(class, Size { width, height }, title, description, |area| {
        let longest = bars.iter().map(|bar| bar.length).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
        let (name_style, figure_style) =
            (from_left(&Ink::Text.text(text_size)), to_right(&Ink::Muted.text(text_size)));
        let right = width * SCALE;
        let mut top = 0;
        for (bar, lines) in bars.iter().zip(names) {
            area.draw(&Text::new(bar.figure.clone(), (right, top + LINE / 2 * SCALE), figure_style.clone()))?;
            for line in lines {
                area.draw(&Text::new(line, (0, top + LINE / 2 * SCALE), name_style.clone()))?;
                top += LINE * SCALE;
            }
            let (from, to) = (top + SCALE, top + 10 * SCALE);
            let end = (f64::from(right) * bar.length / longest).max(f64::from(2 * SCALE)) as i32;
            area.draw(&Rectangle::new([(0, from), (right, to)], Ink::Grid.fill()))?;
            area.draw(&Rectangle::new([(0, from), (end, to)], bar.ink.fill()))?;
            top += BAR * SCALE;
        }
        Drawn::Ok(())
    })
}

/// A name in lines of at most `width` letters, broken behind a comma or a brace where there is one.
fn wrapped(name: &str, width: usize) -> Vec<String> {
    let name = printable(name, width * LINES);
    let mut lines = Vec::new();
    let mut rest = &*name;
    while rest.chars().count() > width && lines.len() + 1 < LINES {
        let hard = rest.char_indices().nth(width).map_or(rest.len(), |(at, _)| at);
        let soft = rest[..hard].rfind([',', '{', ' ', ':']).map(|at| at + 1);
        // What is left must fit into the lines that are left.
        let fits = |at: &usize| rest[*at..].chars().count() <= width * (LINES - lines.len() - 1);
        let (line, after) = rest.split_at(soft.filter(fits).unwrap_or(hard));
        lines.push(line.to_owned());
        rest = after;
    }
    lines.push(rest.to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn a_name_is_broken_behind_a_comma() {
        assert_eq!(wrapped("Key{m:1,n:2,k:3}", 12), ["Key{m:1,n:2,", "k:3}"]);
        assert_eq!(wrapped("short", 12), ["short"]);
    }

    #[test]
    fn a_name_that_is_too_long_keeps_both_ends() {
        let lines = wrapped(&format!("{}{}", "a".repeat(50), "b".repeat(50)), 10);
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with('a') && lines[1].ends_with('b'));
        assert!(lines.iter().all(|line| line.chars().count() <= 10));
    }
}
