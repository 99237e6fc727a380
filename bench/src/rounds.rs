//! Times of several subjects, taken in turn, so that what disturbs one disturbs all.

use std::time::Instant;

use crate::contender::Subject;

/// How often each subject is timed.
pub const ROUNDS: usize = 31;

/// The cost of one operation.
pub struct Time {
    /// The median of all rounds.
    pub ns: f64,
    /// The median of the ratios to the reference's time in the same round.
    pub ratio: f64,
}

/// Times all subjects; `reference` is the index of the one the others are compared with.
pub fn interleaved(subjects: &mut [Subject], reference: usize) -> Vec<Time> {
    let mut rounds = vec![vec![0.0; subjects.len()]; ROUNDS];
    for (round, times) in rounds.iter_mut().enumerate() {
        for turn in 0..subjects.len() {
            // A different one begins each round.
            let index = (turn + round) % subjects.len();
            let subject = &mut subjects[index];
            subject.renew();
            subject.run(); // Into the processor's caches what the other subjects drove out.
            subject.renew();
            let start = Instant::now();
            subject.run();
            times[index] = start.elapsed().as_nanos() as f64 / subject.operations as f64;
        }
    }
    (0..subjects.len())
        .map(|index| Time {
            ns: median(rounds.iter().map(|times| times[index])),
            ratio: median(rounds.iter().map(|times| times[index] / times[reference])),
        })
        .collect()
}

/// The middle one.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
