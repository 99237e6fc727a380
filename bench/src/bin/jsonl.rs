//! Prints what a log of every access costs: the caller's time, and how many events a second can be kept up. The
//! argument is the file to log to, which is removed afterwards; it is in the temporary directory unless given.

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use metallic::caching::EvictionPolicy;
use metallic_bench::contender::look_up;
use metallic_bench::ours::{Registry, registry};
use metallic_bench::rounds::{ROUNDS, median};
use metallic_bench::table;
use metallic_bench::workload::Workload;
use metallic_instrumentation::JsonlExporter;

const KEYS: usize = 1000;
/// So few events that the writer is not yet woken: what the log costs the caller where the writer does not share its
/// processor. The sustained figures are those of both at work.
const BURST: usize = 8192;
/// Sequences of 65536 events that are logged in one go, and how often that is done.
const SUSTAINED: usize = 32;
const REPEATS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let in_temp = || env::temp_dir().join(format!("metallic-bench-{}.jsonl", std::process::id()));
    let path = env::args_os().nth(1).map_or_else(in_temp, Into::into);
    let measured = measure(&path);
    fs::remove_file(&path)?;
    measured
}

fn measure(path: &Path) -> Result<(), Box<dyn Error>> {
    let workload = Workload::hits(KEYS);
    let exporter = Arc::new(JsonlExporter::create(path)?);
    let mut plain = filled(&workload);
    let mut logged = filled(&workload).with_sink(exporter.clone());
    let params = workload.params.borrow();

    let (mut beyond, mut unlogged) = (Vec::new(), Vec::new());
    for burst in workload.sequence.chunks_exact(BURST).cycle().take(ROUNDS) {
        look_up(&mut plain, &params, burst); // So that neither is the first to see these keys.
        let bare = ns_each(&workload, &mut plain, burst);
        beyond.push(ns_each(&workload, &mut logged, burst) - bare);
        unlogged.push(bare);
        exporter.flush()?;
    }

    let (mut rates, mut busy) = (Vec::new(), Vec::new());
    for _ in 0..REPEATS {
        let events = (SUSTAINED * workload.sequence.len()) as f64;
        let (start, before) = (Instant::now(), busy_ns());
        for _ in 0..SUSTAINED {
            look_up(&mut logged, &params, &workload.sequence);
        }
        busy.extend(busy_ns().zip(before).map(|(after, before)| (after - before) as f64 / events));
        exporter.flush()?;
        rates.push(events / start.elapsed().as_secs_f64());
    }
    let slowest = rates.iter().copied().fold(f64::INFINITY, f64::min);
    let stats = exporter.stats();
    assert_eq!(lines(path)?, stats.written, "lines in the file");
    let bytes = stats.bytes_written as f64 / stats.written as f64;

    let row =
        |what: &str, figure: f64, bar: &str| vec![what.to_owned(), format!("{figure:.1}"), bar.to_owned()];
    let unlogged = median(unlogged);
    let mut rows = vec![
        row("unlogged hit, ns", unlogged, ""),
        row("beyond it: a burst, ns of the clock a hit", median(beyond), "120"),
        row("sustained, million events a second", median(rates) / 1e6, "1"),
        row("sustained, the slowest of all repeats", slowest / 1e6, "1"),
        row("bytes an event", bytes, ""),
        row("events dropped", stats.dropped as f64, "0"),
    ];
    if !busy.is_empty() {
        rows.insert(
            2,
            row("beyond it: sustained, ns of the processor a hit", median(busy) - unlogged, "120"),
        );
    }
    let header = ["every access logged", "measured", "bar"].map(str::to_owned);
    table::print(&format!("JSONL, {KEYS} keys, {} events", stats.written), &header, &rows);
    Ok(())
}

fn filled(workload: &Rc<Workload>) -> Registry {
    let mut registry = registry(workload, EvictionPolicy::size_limited_lru(KEYS));
    look_up(&mut registry, &workload.params.borrow(), &workload.first);
    registry
}

fn ns_each(workload: &Workload, registry: &mut Registry, indices: &[u32]) -> f64 {
    let params = workload.params.borrow();
    let start = Instant::now();
    look_up(registry, &params, indices);
    start.elapsed().as_nanos() as f64 / indices.len() as f64
}

fn lines(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    let mut lines = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(lines),
            read => lines += buffer[..read].iter().filter(|&&byte| byte == b'\n').count() as u64,
        }
    }
}

/// The time this thread has spent on a processor, where the system tells.
fn busy_ns() -> Option<u64> {
    fs::read_to_string("/proc/thread-self/schedstat").ok()?.split_whitespace().next()?.parse().ok()
}
