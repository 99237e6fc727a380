//! Tables for the terminal.

use std::io::{self, Write};

/// Rows under titles. The first column is aligned to the left, the others, which are figures, to the right, but for the last
/// one if it is said to be text.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
    ends_in_text: bool,
}

impl Table {
    /// A table with these titles.
    pub fn new<'a>(titles: impl IntoIterator<Item = &'a str>) -> Self {
        Self { rows: vec![titles.into_iter().map(str::to_owned).collect()], ends_in_text: false }
    }

    /// The same, whose last column is aligned to the left.
    pub fn ending_in_text(self) -> Self {
        Self { ends_in_text: true, ..self }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Writes the table, with `indent` spaces before each line.
    ///
    /// # Errors
    /// The writer's.
    pub fn write(&self, out: &mut dyn Write, indent: usize) -> io::Result<()> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = " ".repeat(indent);
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                if column == 0 {
                    line.push_str(&format!("{cell:<width$}"));
                } else if self.ends_in_text && column + 1 == columns {
                    line.push_str(&format!("  {cell}"));
                } else {
                    line.push_str(&format!("  {cell:>width$}"));
                }
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Table;
    use crate::units::count;

    #[test]
    fn figures_are_aligned_to_the_right() {
        let mut table = Table::new(["cache", "hits"]);
        table.row(["gemm".to_owned(), count(1_234_567)]);
        table.row(["a".to_owned(), count(12)]);
        let mut text = Vec::new();
        table.write(&mut text, 2).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "  cache       hits\n  gemm   1_234_567\n  a             12\n"
        );
    }
}
