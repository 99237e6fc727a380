//! Threads that look up for a while, and how fast they are.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use metallic_bench::rounds::median;
use metallic_bench::workload::{Params, Workload, params};

use crate::contender::Shared;

/// Look-ups between two looks at the clock.
pub const BATCH: usize = 64;

/// Keys and the order they are looked up in.
pub struct Script {
    pub params: Vec<Params>,
    pub sequence: Vec<u32>,
}

impl Script {
    /// `keys` keys by Zipf's law with exponent 1.
    pub fn zipf(keys: usize) -> Self {
        Self { params: (0..keys).map(params).collect(), sequence: Workload::hits(keys).sequence.clone() }
    }

    /// One key of `keys`, over and over.
    pub fn one_key(keys: usize) -> Self {
        Self { sequence: vec![keys as u32 / 2; 1 << 12], ..Self::zipf(keys) }
    }

    /// `keys` keys, each as often as any other, in an order that looks like none.
    pub fn uniform(keys: usize) -> Self {
        let mut state = 0x5eed_u64;
        let sequence = (0..1 << 16)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                ((state >> 33) % keys as u64) as u32
            })
            .collect();
        Self { params: (0..keys).map(params).collect(), sequence }
    }

    /// All keys once.
    pub fn all(&self) -> Vec<u32> {
        (0..self.params.len() as u32).collect()
    }

    /// The sequence in batches, over and over, from a place that depends on the thread.
    pub fn batches(&self, thread: usize) -> impl Iterator<Item = &[u32]> {
        let skipped = thread * 7919 % (self.sequence.len() / BATCH);
        self.sequence.chunks_exact(BATCH).cycle().skip(skipped)
    }
}

/// Look-ups a second of `threads` threads in all.
pub fn rate(subject: &dyn Shared, script: &Script, threads: usize, time: Duration) -> f64 {
    let (stop, begin) = (AtomicBool::new(false), Barrier::new(threads + 1));
    let (stop, begin) = (&stop, &begin);
    thread::scope(|scope| {
        let rates: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let mut reader = subject.reader();
                    for _ in 0..3 {
                        reader.look_up(&script.params, &script.all());
                    }
                    begin.wait();
                    let (start, mut count) = (Instant::now(), 0);
                    for batch in script.batches(thread) {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        reader.look_up(&script.params, batch);
                        count += batch.len();
                    }
                    count as f64 / start.elapsed().as_secs_f64()
                })
            })
            .collect();
        begin.wait();
        thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        rates.into_iter().map(|rate| rate.join().expect("a reader never panics")).sum()
    })
}

/// Figures of several rows, taken in turn: `figures[row]` has one for each round.
pub fn interleaved<T>(rows: usize, rounds: usize, mut measure: impl FnMut(usize) -> T) -> Vec<Vec<T>> {
    let mut figures: Vec<Vec<T>> = (0..rows).map(|_| Vec::with_capacity(rounds)).collect();
    for round in 0..rounds {
        for turn in 0..rows {
            // A different one begins each round.
            let row = (turn + round) % rows;
            figures[row].push(measure(row));
        }
    }
    figures
}

/// The median of the figures, and that of their ratios to the reference's in the same round.
pub fn compared(figures: &[f64], reference: &[f64]) -> (f64, f64) {
    let ratios = figures.iter().zip(reference).map(|(figure, reference)| figure / reference);
    (median(figures.iter().copied()), median(ratios))
}
