//! More keys than there is room for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use metallic_bench::rounds::median;
use metallic_bench::table;

use crate::Settings;
use crate::contender::{Looks, Row, SINGLE_FLIGHT, rows};
use crate::factory::Factory;
use crate::ours::registry;
use crate::readers::{Script, compared, interleaved, rate};

const KEYS: usize = 2000;
const CAPACITY: usize = KEYS / 2;

pub fn print(settings: &Settings) {
    print_one(settings, "by Zipf's law", &Script::zipf(KEYS));
    print_one(settings, "each as often as any other", &Script::uniform(KEYS));
}

fn print_one(settings: &Settings, title: &str, script: &Script) {
    let rows: Vec<Row> = rows().into_iter().filter(|row| row.is_shared && row.evicts).collect();
    let reference = rows.iter().position(|row| row.name == SINGLE_FLIGHT).unwrap_or(0);
    let threads = settings.most_threads();
    let exact = exact_hit_ratio(script);
    let figures = interleaved(rows.len(), settings.rounds, |row| {
        let factory = Factory::new(settings.busy);
        let rate = rate(&*(rows[row].build)(CAPACITY, &factory), script, threads, Duration::from_millis(200));
        (rate, hit_ratio(&rows[row], script, threads))
    });
    let rates = |row: usize| figures[row].iter().map(|(rate, _)| *rate).collect::<Vec<_>>();
    let mut cells: Vec<_> = rows
        .iter()
        .enumerate()
        .map(|(index, row)| {
            let (rate, ratio) = compared(&rates(index), &rates(reference));
            let hits = median(figures[index].iter().map(|(_, hits)| *hits));
            let away = format!("{:+.2}", 100.0 * (hits - exact));
            vec![
                row.name.to_owned(),
                format!("{:.2}", rate / 1e6),
                format!("{ratio:.2}"),
                format!("{:.2}", 100.0 * hits),
                away,
            ]
        })
        .collect();
    let exact = format!("{:.2}", 100.0 * exact);
    cells.push(vec!["CacheRegistry, one thread".into(), String::new(), String::new(), exact, "0".into()]);
    let title = format!(
        "{KEYS} keys, {title}, and room for {CAPACITY}; {threads} threads, medians of {} rounds",
        settings.rounds
    );
    let header = ["", "M look-ups/s", "ratio to quick_cache", "hits, %", "points from the exact order"];
    table::print(&title, &header.map(str::to_owned), &cells);
}

/// The part of the sequence that hits when threads take its look-ups in turn, after it was looked up once.
fn hit_ratio(row: &Row, script: &Script, threads: usize) -> f64 {
    let factory = Factory::new(false);
    let subject = &*(row.build)(CAPACITY, &factory);
    let run = || {
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let mut reader = subject.reader();
                    while let Some(index) = script.sequence.get(next.fetch_add(1, Ordering::Relaxed)) {
                        reader.look_up(&script.params, std::slice::from_ref(index));
                    }
                });
            }
        });
    };
    hits_of_second(&factory, script, run)
}

fn exact_hit_ratio(script: &Script) -> f64 {
    let factory = Factory::new(false);
    let mut registry = registry(CAPACITY, &factory);
    hits_of_second(&factory, script, || registry.look_up(&script.params, &script.sequence))
}

fn hits_of_second(factory: &Factory, script: &Script, mut run: impl FnMut()) -> f64 {
    run();
    let made = factory.made();
    run();
    1.0 - (factory.made() - made) as f64 / script.sequence.len() as f64
}
