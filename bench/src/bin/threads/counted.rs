//! Instructions of a hit, and of a miss that evicts, on one thread.

use std::hint::black_box;
use std::io;

use metallic_bench::contender::Subject;
use metallic_bench::table;
use metallic_bench::valgrind;
use metallic_bench::workload::params;

use crate::contender::{Row, SINGLE_FLIGHT, rows};
use crate::factory::Factory;
use crate::hits::ROOM;
use crate::query::{Pipelines, cache, find_clone, find_local, look_up};
use crate::readers::Script;

const KEYS: usize = 1000;
const SHARED_CACHE: &str = "SharedCache, borrowed query";
const LOCAL_CACHE: &str = "LocalSharedCache, borrowed query";

/// Rows whose misses are counted, too.
const MISSING: [&str; 5] =
    ["LocalRegistry", "SharedRegistry", "64 caches, locals", "64 caches, clones", SINGLE_FLIGHT];
/// The beginning of the name of a row whose misses are to be counted.
const MISS: &str = "miss of ";

pub fn print() -> io::Result<()> {
    let names = rows().map(|row| row.name);
    let mut cells = Vec::new();
    for name in names.into_iter().chain([SHARED_CACHE, LOCAL_CACHE]) {
        cells.push(vec![name.to_owned(), format!("{:.1}", valgrind::instructions(name)?)]);
    }
    table::print("A hit on one thread, 1000 keys by Zipf's law; 100 by query", &header(), &cells);
    let mut cells = Vec::new();
    for name in MISSING {
        let instructions = valgrind::instructions(&format!("{MISS}{name}"))?;
        cells.push(vec![name.to_owned(), format!("{instructions:.1}")]);
    }
    table::print("A miss on one thread that evicts one of 1000 entries", &header(), &cells);
    Ok(())
}

fn header() -> [String; 2] {
    ["", "instructions"].map(str::to_owned)
}

/// The program that is measured.
pub fn measured(name: &str, runs: &str) {
    let subject = match name {
        SHARED_CACHE => {
            let (pipelines, cache) = (Pipelines::new(), cache());
            let run = move || look_up(&pipelines, |query| find_clone(&cache, query));
            subject(Pipelines::new().len(), run)
        }
        LOCAL_CACHE => {
            let (pipelines, mut local) = (Pipelines::new(), cache().local());
            let run = move || {
                look_up(&pipelines, |query| {
                    black_box(find_local(&mut local, query));
                });
            };
            subject(Pipelines::new().len(), run)
        }
        _ => {
            let (missed, wanted) = (name.strip_prefix(MISS), name.strip_prefix(MISS).unwrap_or(name));
            let row = rows().into_iter().find(|row| row.name == wanted).expect("a name of the table");
            if missed.is_some() { missing(&row) } else { registry_like(&row) }
        }
    };
    valgrind::measured(subject, runs);
}

fn registry_like(row: &Row) -> Subject {
    let script = Script::zipf(KEYS);
    // Lives as long as the program, as its reader does.
    let contender = Box::leak((row.build)(ROOM, &Factory::new(false)));
    let mut reader = contender.reader();
    reader.look_up(&script.params, &script.all());
    let operations = script.sequence.len();
    subject(operations, move || reader.look_up(&script.params, &script.sequence))
}

/// Keys in turn, so many that none is there any more when it is asked for again.
fn missing(row: &Row) -> Subject {
    let params: Vec<_> = (0..100 * KEYS).map(params).collect();
    let contender = Box::leak((row.build)(KEYS, &Factory::new(false)));
    let mut reader = contender.reader();
    let sequence: Vec<u32> = (0..params.len() as u32).collect();
    subject(sequence.len(), move || reader.look_up(&params, &sequence))
}

/// A subject that has run once, so that all it looks up is there.
fn subject(operations: usize, mut run: impl FnMut() + 'static) -> Subject {
    run();
    Subject::with_loop(operations as u64, run)
}
