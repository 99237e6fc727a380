//! Hits of several threads on the same keys.

use std::time::Duration;

use metallic_bench::table;

use crate::Settings;
use crate::contender::{REFERENCE, rows};
use crate::factory::Factory;
use crate::readers::{Script, compared, interleaved, rate};

const KEYS: usize = 1000;
/// Room enough that no contender evicts, those included that divide theirs among shards.
pub const ROOM: usize = 8 * KEYS;

pub fn print(settings: &Settings) {
    print_one(settings, "1000 keys by Zipf's law", &Script::zipf(KEYS));
    print_one(settings, "one key of 1000", &Script::one_key(KEYS));
}

fn print_one(settings: &Settings, title: &str, script: &Script) {
    let rows = rows();
    let factory = Factory::new(false);
    let subjects: Vec<_> = rows.iter().map(|row| (row.build)(ROOM, &factory)).collect();
    let reference = rows.iter().position(|row| row.name == REFERENCE).unwrap_or(0);
    let mut cells: Vec<Vec<String>> = rows.iter().map(|row| vec![row.name.to_owned()]).collect();
    for &threads in &settings.threads {
        let measure = |row: usize| rate(&*subjects[row], script, threads, Duration::from_millis(100));
        let rates = interleaved(rows.len(), settings.rounds, measure);
        for (cells, figures) in cells.iter_mut().zip(&rates) {
            let (rate, ratio) = compared(figures, &rates[reference]);
            cells.push(format!("{:.1} ({ratio:.2} x)", rate / 1e6));
        }
    }
    let header = table::header("million hits per second", &settings.threads, "");
    cells.iter_mut().for_each(|cells| cells.push(String::new()));
    let rounds = settings.rounds;
    let title =
        format!("Hits, {title}: all threads together, medians of {rounds} rounds, ratio to a {REFERENCE}");
    table::print(&title, &header, &cells);
}
