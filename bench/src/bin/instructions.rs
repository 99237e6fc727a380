//! Prints instructions an operation, of the rows whose `group/contender/size` contains the argument.

use std::env;
use std::io;

use metallic_bench::contender::Subject;
use metallic_bench::scenario::{Group, Row, groups};
use metallic_bench::table;
use metallic_bench::valgrind::{self, instructions};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [flag, name, runs] = &arguments[..]
        && flag == valgrind::CHILD
    {
        valgrind::measured(find(name), runs);
        return Ok(());
    }
    let filter = arguments.first().map_or("", String::as_str);
    for group in groups() {
        let mut rows = Vec::new();
        for row in &group.rows {
            let mut cells = Vec::new();
            for &size in group.sizes {
                let name = name(&group, row, size);
                let asked_for = name.contains(filter);
                cells.push(if asked_for { format!("{:.1}", instructions(&name)?) } else { String::new() });
            }
            if cells.iter().any(|cell| !cell.is_empty()) {
                eprintln!("{}/{}: {}", group.name, row.name, cells.join(" "));
                rows.push([vec![row.name.into()], cells, vec![row.bar.into()]].concat());
            }
        }
        if !rows.is_empty() {
            table::print(group.title, &table::header("instructions", group.sizes, "bar"), &rows);
        }
    }
    Ok(())
}

fn name(group: &Group, row: &Row, size: usize) -> String {
    format!("{}/{}/{size}", group.name, row.name)
}

fn find(wanted: &str) -> Subject {
    for group in groups() {
        for row in &group.rows {
            if let Some(&size) = group.sizes.iter().find(|&&size| name(&group, row, size) == wanted) {
                return row.build(&(group.workload)(size));
            }
        }
    }
    panic!("no row is called {wanted}");
}
