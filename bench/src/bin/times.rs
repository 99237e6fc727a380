//! Prints nanoseconds an operation and their ratio to a reference, of the groups whose name contains the argument.

use std::env;

use metallic_bench::rounds::{ROUNDS, interleaved};
use metallic_bench::scenario::{Group, groups};
use metallic_bench::table;

fn main() {
    let filter = env::args().nth(1).unwrap_or_default();
    for group in groups().iter().filter(|group| group.name.contains(&filter)) {
        let reference = group.rows.iter().position(|row| row.name == group.reference);
        if let Some(reference) = reference {
            print(group, reference);
        }
    }
}

fn print(group: &Group, reference: usize) {
    let mut rows: Vec<Vec<String>> = group.rows.iter().map(|row| vec![row.name.into()]).collect();
    for &size in group.sizes {
        let workload = (group.workload)(size);
        let mut subjects: Vec<_> = group.rows.iter().map(|row| row.build(&workload)).collect();
        for (row, time) in rows.iter_mut().zip(interleaved(&mut subjects, reference)) {
            row.push(format!("{:.1} ({:.2} x)", time.ns, time.ratio));
        }
    }
    for (cells, row) in rows.iter_mut().zip(&group.rows) {
        cells.push(row.time_bar.into());
    }
    let title = format!("{}: medians of {ROUNDS} rounds, ratio to {}", group.title, group.reference);
    table::print(&title, &table::header("ns", group.sizes, "bar"), &rows);
}
