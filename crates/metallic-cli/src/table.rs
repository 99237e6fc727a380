//! Tables for the terminal.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use crate::paragraph::write_wrapped_in;
use crate::terminal::{Look, TITLE, look, styled};
use crate::units::shortened_apart;

/// Rows under titles. The first column is aligned to the left, the others, which are figures, to the right, but for the last
/// one if it is said to be text.
///
/// A table is as wide as the terminal at most: texts lose their middle first, and then columns are left out, in the order that
/// [`may_lack`](Self::may_lack) gives. Figures are never cut.
#[derive(Debug)]
pub struct Table {
    titles: Vec<String>,
    rows: Vec<Vec<String>>,
    ends_in_text: bool,
    dispensable: Vec<&'static str>,
}

/// Texts keep so many columns as long as another column can be left out instead.
const TEXT: usize = 20;
/// Columns between two columns of a table.
const GAP: usize = 2;

impl Table {
    /// A table with these titles.
    pub fn new<'a>(titles: impl IntoIterator<Item = &'a str>) -> Self {
        let titles = titles.into_iter().map(str::to_owned).collect();
        Self { titles, rows: Vec::new(), ends_in_text: false, dispensable: Vec::new() }
    }

    /// The same, whose last column is aligned to the left.
    pub fn ending_in_text(self) -> Self {
        Self { ends_in_text: true, ..self }
    }

    /// The same, whose columns with these titles are left out where the terminal is too narrow, the first of them first.
    pub fn may_lack(self, titles: impl IntoIterator<Item = &'static str>) -> Self {
        Self { dispensable: titles.into_iter().collect(), ..self }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Writes the table, with `indent` spaces before each line, and a line that names the columns it lacks.
    ///
    /// # Errors
    /// The writer's.
    pub fn write(&self, out: &mut dyn Write, indent: usize) -> io::Result<()> {
        self.write_for(out, indent, look())
    }

    fn write_for(&self, out: &mut dyn Write, indent: usize, look: Look) -> io::Result<()> {
        let (columns, lacking) = self.columns_in(look.columns.saturating_sub(indent));
        let rows = || [&self.titles].into_iter().chain(&self.rows);
        let texts: Vec<Vec<String>> = columns
            .iter()
            .map(|(column, width)| match self.is_text(*column) {
                true => {
                    shortened_apart(rows().map(|row| row.get(*column).map_or("", String::as_str)), *width)
                }
                false => Vec::new(),
            })
            .collect();
        for (number, row) in rows().enumerate() {
            let is_head = number == 0;
            let mut line = " ".repeat(indent);
            for (place, (column, width)) in columns.iter().enumerate() {
                let Some(cell) = row.get(*column) else { break };
                let cell = texts[place].get(number).unwrap_or(cell).clone();
                let space = " ".repeat(width.saturating_sub(cell.width()));
                line.extend(std::iter::repeat_n(' ', if place > 0 { GAP } else { 0 }));
                let cell = if is_head { styled(&cell, TITLE, look) } else { cell };
                let (first, second) = if self.is_text(*column) { (&cell, &space) } else { (&space, &cell) };
                line.push_str(first);
                line.push_str(second);
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        if !lacking.is_empty() {
            let text = format!("({} columns are too few for: {})", look.columns, lacking.join(", "));
            write_wrapped_in(out, look.columns, &" ".repeat(indent), &text)?;
        }
        Ok(())
    }

    fn is_text(&self, column: usize) -> bool {
        column == 0 || self.ends_in_text && column + 1 == self.titles.len()
    }

    /// The columns that fit, with their widths, and the titles of those that do not.
    fn columns_in(&self, width: usize) -> (Vec<(usize, usize)>, Vec<&'static str>) {
        let cells = |column: usize| {
            [&self.titles].into_iter().chain(&self.rows).filter_map(move |row| row.get(column))
        };
        let wanted = |column: usize| cells(column).map(|cell| cell.width()).max().unwrap_or(0);
        let mut columns: Vec<(usize, usize)> =
            (0..self.titles.len()).map(|column| (column, wanted(column))).collect();
        let gaps = |columns: &[(usize, usize)]| GAP * columns.len().saturating_sub(1);
        let least = |columns: &[(usize, usize)]| -> usize {
            let least = |(column, wanted): &(usize, usize)| {
                if self.is_text(*column) { (*wanted).min(TEXT) } else { *wanted }
            };
            columns.iter().map(least).sum::<usize>() + gaps(columns)
        };
        let mut lacking = Vec::new();
        for title in &self.dispensable {
            if least(&columns) <= width {
                break;
            }
            if let Some(place) = columns.iter().position(|(column, _)| self.titles[*column] == *title) {
                columns.remove(place);
                lacking.push(*title);
            }
        }
        // What is too much now, the texts have to do without: the longest first.
        let all: usize = columns.iter().map(|(_, wanted)| wanted).sum::<usize>() + gaps(&columns);
        for _ in width..all {
            let texts = columns.iter_mut().filter(|(column, width)| self.is_text(*column) && *width > 1);
            if let Some((_, width)) = texts.max_by_key(|(_, width)| *width) {
                *width -= 1;
            }
        }
        (columns, lacking)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::units::count;

    fn text(table: &Table, columns: usize) -> String {
        let mut text = Vec::new();
        table.write_for(&mut text, 2, Look { columns, styles: false }).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn figures_are_aligned_to_the_right() {
        let mut table = Table::new(["cache", "hits"]);
        table.row(["gemm".to_owned(), count(1_234_567)]);
        table.row(["a".to_owned(), count(12)]);
        assert_eq!(text(&table, 80), "  cache       hits\n  gemm   1_234_567\n  a             12\n");
    }

    #[test]
    fn what_is_too_wide_loses_the_middle_of_texts_and_then_whole_columns_but_no_digit() {
        let mut table = Table::new(["key", "hits", "misses"]).may_lack(["hits"]);
        table.row(["gemm:GemmKey{m:64,n:64,k:1024}".to_owned(), count(1_234_567), count(7)]);
        assert_eq!(
            text(&table, 44),
            "  key                           hits  misses\n  gemm:GemmKey{m…,k:1024}  1_234_567       7\n"
        );
        assert_eq!(
            text(&table, 34),
            "  key                       misses\n  gemm:GemmKey{m:…,k:1024}       7\n  (34 columns are too few for:\n  hits)\n"
        );
    }

    #[test]
    fn texts_that_differ_in_their_middles_lose_what_they_share() {
        let mut table = Table::new(["key", "hits"]);
        for m in [64, 128] {
            let key =
                format!("tensor_preparation:PreparedTensorKey{{version:{m},form:Transposed,dtype:F32}}");
            table.row([key, count(m)]);
        }
        table.row(["gelu:GeluKey".to_owned(), count(1)]);
        assert_eq!(
            text(&table, 50),
            "  key                                         hits\n  \
             tensor_prepar…version:64,form:Transposed,…    64\n  \
             tensor_prepar…version:128,form:Transposed…   128\n  \
             gelu:GeluKey                                   1\n"
        );
    }

    #[test]
    fn letters_that_are_two_columns_wide_are_counted_as_such() {
        let mut table = Table::new(["key", "n"]);
        table.row(["日本".to_owned(), count(1)]);
        table.row(["ab".to_owned(), count(2)]);
        assert_eq!(text(&table, 80), "  key   n\n  日本  1\n  ab    2\n");
    }

    proptest! {
        #[test]
        fn a_table_that_may_lack_enough_fits(
            rows in prop::collection::vec((".{0,60}", prop::array::uniform4(any::<u64>())), 1..5),
            columns in 52_usize..140,
        ) {
            let mut table = Table::new(["key", "a", "b", "c", "d"]).may_lack(["a", "b", "c"]);
            for (key, figures) in &rows {
                let key = crate::units::printable(key, 200);
                table.row([key].into_iter().chain(figures.map(count)));
            }
            let text = text(&table, columns);
            for line in text.lines() {
                prop_assert!(line.width() <= columns, "{line:?}");
            }
            for (_, figures) in &rows {
                prop_assert!(text.contains(&count(figures[3])));
            }
        }
    }
}
