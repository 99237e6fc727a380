//! Tables in Markdown.

/// A header: a title for the names, one column for each size, and the bar.
pub fn header(first: &str, sizes: &[usize], bar: &str) -> Vec<String> {
    let sizes = sizes.iter().map(usize::to_string).collect();
    [vec![first.into()], sizes, vec![bar.into()]].concat()
}

/// Prints a table, its cells padded to the width of their column.
pub fn print(title: &str, header: &[String], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| &row[column]).chain([&header[column]]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).map(|(cell, &width)| format!(" {cell:width$} |"));
        println!("|{}", padded.collect::<String>());
    };
    println!("\n### {title}\n");
    line(header);
    line(&widths.iter().map(|&width| "-".repeat(width)).collect::<Vec<_>>());
    rows.iter().for_each(|row| line(row));
}
