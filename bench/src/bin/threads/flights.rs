//! Many threads that need the same new keys.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use metallic_bench::table;

use crate::Settings;
use crate::contender::{Row, SINGLE_FLIGHT, rows};
use crate::factory::Factory;
use crate::hits::ROOM;
use crate::readers::{Script, compared, interleaved};

const KEYS: usize = 64;
const THREADS: usize = 16;

pub fn print(settings: &Settings) {
    let rows: Vec<Row> = rows().into_iter().filter(|row| row.is_shared).collect();
    let reference = rows.iter().position(|row| row.name == SINGLE_FLIGHT).unwrap_or(0);
    let figures = interleaved(rows.len(), settings.rounds, |row| create(&rows[row], settings.busy));
    let times = |row: usize| figures[row].iter().map(|(time, _)| *time).collect::<Vec<_>>();
    let cells = rows.iter().enumerate().map(|(index, row)| {
        let (ms, ratio) = compared(&times(index), &times(reference));
        let creations = figures[index].iter().map(|(_, made)| *made);
        let (least, most) = (creations.clone().min().unwrap_or(0), creations.max().unwrap_or(0));
        let creations = if least == most { most.to_string() } else { format!("{least} to {most}") };
        vec![row.name.to_owned(), creations, format!("{ms:.1}"), format!("{ratio:.2}")]
    });
    let title = format!(
        "{KEYS} keys of 1 ms created by {THREADS} threads in rotated orders: medians of {} rounds",
        settings.rounds
    );
    let header = ["", "creations", "ms", "ratio to quick_cache"].map(str::to_owned);
    table::print(&title, &header, &cells.collect::<Vec<_>>());
}

/// Milliseconds until all threads have all keys, and the resources that were made.
fn create(row: &Row, busy: bool) -> (f64, u64) {
    let script = Script::zipf(KEYS);
    let factory = Factory::new(busy);
    let subject = &*(row.build)(ROOM, &factory);
    factory.take(Duration::from_millis(1));
    let begin = Barrier::new(THREADS + 1);
    let start = thread::scope(|scope| {
        for thread in 0..THREADS {
            let (script, begin) = (&script, &begin);
            scope.spawn(move || {
                let mut order = script.all();
                order.rotate_left(thread * KEYS / THREADS);
                let mut reader = subject.reader();
                begin.wait();
                reader.look_up(&script.params, &order);
            });
        }
        begin.wait();
        Instant::now()
    });
    (start.elapsed().as_secs_f64() * 1e3, factory.made())
}
