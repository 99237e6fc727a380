//! Hits of one thread while another creates.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use metallic_bench::rounds::median;
use metallic_bench::table;
use metallic_bench::workload::{Params, params};

use crate::Settings;
use crate::contender::{Looks, Row, Shared, rows};
use crate::factory::Factory;
use crate::hits::ROOM;
use crate::readers::{BATCH, Script, interleaved};

const KEYS: usize = 1000;
/// Times below this many nanoseconds are told apart.
const TELLS_APART: usize = 1 << 16;

/// The figures of one thread.
struct Seen {
    /// Look-ups a second.
    rate: f64,
    /// Nanoseconds that one of 1000 look-ups exceeded.
    slow: f64,
    /// The longest, in nanoseconds.
    longest: f64,
}

pub fn print_creating(settings: &Settings) {
    let header = ["ns", "99.9th alone", "99.9th then", "longest alone", "longest then", "worst then"];
    let (rows, rounds) = (shared_rows(), settings.rounds);
    let figures = interleaved(rows.len(), rounds, |row| {
        beside(&rows[row], settings.busy, 1, Duration::from_millis(400), |create| {
            (0..8).for_each(|_| create(Duration::from_millis(50)));
        })
    });
    let cells = rows.iter().zip(&figures).map(|(row, seen)| {
        let middle = |figure: fn(&(Seen, Seen)) -> f64| format!("{:.0}", median(seen.iter().map(figure)));
        let worst = seen.iter().map(|(_, then)| then.longest).fold(0.0, f64::max);
        vec![
            row.name.to_owned(),
            middle(|(alone, _)| alone.slow),
            middle(|(_, then)| then.slow),
            middle(|(alone, _)| alone.longest),
            middle(|(_, then)| then.longest),
            format!("{worst:.0}"),
        ]
    });
    let title =
        format!("One hit while another thread creates eight keys of 50 ms: medians of {rounds} rounds");
    table::print(&title, &header.map(str::to_owned), &cells.collect::<Vec<_>>());
}

pub fn print_compiling(settings: &Settings) {
    let header = ["", "M hits/s alone", "M hits/s then", "ratio", "longest then, us", "worst then, us"];
    // One round takes 6 s a row.
    let (rows, rounds) = (shared_rows(), settings.rounds.min(3));
    let figures = interleaved(rows.len(), rounds, |row| {
        beside(&rows[row], settings.busy, BATCH, Duration::from_secs(3), |create| {
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_secs(3) {
                create(Duration::from_millis(20));
            }
        })
    });
    let cells = rows.iter().zip(&figures).map(|(row, seen)| {
        let middle = |figure: fn(&(Seen, Seen)) -> f64| median(seen.iter().map(figure));
        let worst = seen.iter().map(|(_, then)| then.longest).fold(0.0, f64::max);
        vec![
            row.name.to_owned(),
            format!("{:.1}", middle(|(alone, _)| alone.rate) / 1e6),
            format!("{:.1}", middle(|(_, then)| then.rate) / 1e6),
            format!("{:.3}", middle(|(alone, then)| then.rate / alone.rate)),
            format!("{:.0}", middle(|(_, then)| then.longest) / 1e3),
            format!("{:.0}", worst / 1e3),
        ]
    });
    let title = format!(
        "Hits of one thread while another compiles for 3 s, 20 ms each: batches of {BATCH}, medians of {rounds} rounds"
    );
    table::print(&title, &header.map(str::to_owned), &cells.collect::<Vec<_>>());
}

/// All that threads share, and a map of the thread's own, which shows what the machine does to the figures.
fn shared_rows() -> Vec<Row> {
    rows().into_iter().filter(|row| row.is_shared || !row.evicts).collect()
}

/// Looks up for `time` alone, and then while `creator` runs on another thread.
fn beside(
    row: &Row,
    busy: bool,
    batch: usize,
    time: Duration,
    creator: impl FnOnce(&mut dyn FnMut(Duration)) + Send,
) -> (Seen, Seen) {
    let script = Script::zipf(KEYS);
    let factory = Factory::new(busy);
    let subject: &dyn Shared = &*(row.build)(ROOM, &factory);
    let mut reader = subject.reader();
    (0..3).for_each(|_| reader.look_up(&script.params, &script.all()));
    let begin = Instant::now();
    let alone = watch(&mut *reader, &script, batch, || begin.elapsed() < time);
    let over = AtomicBool::new(false);
    let then = thread::scope(|scope| {
        scope.spawn(|| {
            let mut reader = subject.reader();
            let mut key = KEYS;
            creator(&mut |time| {
                factory.take(time);
                let new: [Params; 1] = [params(key)];
                reader.look_up(&new, &[0]);
                key += 1;
            });
            over.store(true, Ordering::Relaxed);
        });
        watch(&mut *reader, &script, batch, || !over.load(Ordering::Relaxed))
    });
    (alone, then)
}

/// Times every `batch` of look-ups for as long as `goes_on` says.
fn watch(reader: &mut dyn Looks, script: &Script, batch: usize, goes_on: impl Fn() -> bool) -> Seen {
    // By the nanosecond, those that took longer together. Memory that is there already: a page fault is not a look-up.
    let mut counts = vec![1_u32; TELLS_APART];
    counts.fill(0);
    let (begin, mut count, mut longest) = (Instant::now(), 0_u64, 0);
    let mut last = begin;
    'all: loop {
        for indices in script.sequence.chunks_exact(batch) {
            reader.look_up(&script.params, indices);
            let now = Instant::now();
            let ns = now.duration_since(last).as_nanos() as usize;
            counts[ns.min(TELLS_APART - 1)] += 1;
            longest = longest.max(ns);
            last = now;
            count += batch as u64;
            if count.is_multiple_of(1 << 10) && !goes_on() {
                break 'all;
            }
        }
    }
    let rate = count as f64 / begin.elapsed().as_secs_f64();
    let mut faster = 0;
    let slow = counts.iter().position(|count_of_ns| {
        faster += u64::from(*count_of_ns);
        faster * 1000 >= count / batch as u64 * 999
    });
    Seen { rate, slow: slow.unwrap_or(TELLS_APART) as f64, longest: longest as f64 }
}
