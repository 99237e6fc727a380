//! Every policy at every capacity, on all processors.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use metallic::caching::EvictionPolicy;

use super::advice::weight;
use super::belady::{Foresight, Optimum};
use super::candidates::{Candidate, capacities, idle_times};
use super::recording::Recording;
use super::simulation::{Outcome, under};
use super::trace::Trace;
use crate::args::ReplayArgs;
use crate::progress::Progress;

/// The outcomes of one trace under every candidate.
#[derive(Debug)]
pub struct Sweep {
    /// The capacities, ascending.
    pub capacities: Vec<usize>,
    /// One for each candidate.
    pub curves: Vec<Curve>,
    /// By capacity: what a cache with foresight would have missed.
    pub optimum: Vec<Optimum>,
    /// Under `idle_timeout`, by idle time; empty if the trace has no times.
    pub idle: Vec<(Duration, Outcome)>,
    /// Under no policy: nothing leaves unless the caller makes it.
    pub unlimited: Outcome,
    /// Misses that no policy and no capacity can save, and what they cost in nanoseconds.
    pub compulsory: (u64, f64),
    /// Threads to replay on; `None` for one on each processor.
    pub jobs: Option<usize>,
}

/// The outcomes of one candidate.
#[derive(Debug)]
pub struct Curve {
    /// The candidate.
    pub candidate: Candidate,
    /// By capacity.
    pub outcomes: Vec<Outcome>,
}

/// One piece of work.
enum Job {
    At(Candidate, usize),
    Idle(Duration),
    Optimum(usize),
}

enum Done {
    Outcome(Outcome),
    Optimum(Optimum),
}

impl Sweep {
    /// Replays everything.
    pub fn over(recording: &Recording, args: &ReplayArgs) -> Self {
        let trace = &recording.trace;
        let foresight = Foresight::new(trace);
        let unlimited = under(trace, EvictionPolicy::none());
        let capacities = match &args.capacities[..] {
            [] => capacities(args.points, unlimited.peak, &recording.policies),
            named => {
                let mut named: Vec<usize> = named.iter().map(|capacity| *capacity as usize).collect();
                named.sort_unstable();
                named.dedup();
                named
            }
        };
        let idle_times = match &args.idle[..] {
            _ if !trace.is_timed() => Vec::new(),
            [] => idle_times(trace, &recording.policies),
            named => named.iter().filter_map(|seconds| Duration::try_from_secs_f64(*seconds).ok()).collect(),
        };
        let candidates = candidates(recording, &idle_times);
        let mut jobs = Vec::new();
        for candidate in &candidates {
            jobs.extend(capacities.iter().map(|capacity| Job::At(*candidate, *capacity)));
        }
        jobs.extend(idle_times.iter().map(|idle| Job::Idle(*idle)));
        jobs.extend(capacities.iter().map(|capacity| Job::Optimum(*capacity)));

        let progress = Progress::steps(jobs.len() as u64, "replay");
        let done = in_parallel(args.jobs, jobs.len(), |at| {
            let done = match jobs[at] {
                Job::At(candidate, capacity) => Done::Outcome(under(trace, candidate.policy(capacity))),
                Job::Idle(idle) => Done::Outcome(under(trace, EvictionPolicy::idle_timeout(idle))),
                Job::Optimum(capacity) => Done::Optimum(foresight.optimum(trace, capacity)),
            };
            progress.add(1);
            done
        });
        progress.finish();

        let (mut outcomes, mut optimum) = (Vec::new(), Vec::new());
        for done in done {
            match done {
                Done::Outcome(outcome) => outcomes.push(outcome),
                Done::Optimum(limit) => optimum.push(limit),
            }
        }
        let mut outcomes = outcomes.into_iter();
        let mut curve =
            |candidate| Curve { candidate, outcomes: outcomes.by_ref().take(capacities.len()).collect() };
        let curves = candidates.into_iter().map(&mut curve).collect();
        let idle = idle_times.into_iter().zip(outcomes).collect();
        let compulsory = (foresight.compulsory(), foresight.compulsory_cost_ns());
        Self { capacities, curves, optimum, idle, unlimited, compulsory, jobs: args.jobs }
    }

    /// The knee of a curve from this capacity on, where the weight is `present`, and the outcome there; `None` if no capacity
    /// tried is larger or as large. Where the curve ends, it is within a hundredth of its range of the best. The knee is its point
    /// farthest above the straight line to that end: before it an entry buys more than the average, after it less. A curve
    /// without one, which pays steadily or only at its end, as that of a loop does, has it there.
    pub fn knee(&self, curve: &Curve, trace: &Trace, from: usize, present: f64) -> Option<(usize, Outcome)> {
        /// A bend that is less than this part of the curve's range is none.
        const LEAST_BEND: f64 = 0.1;
        let weight = |outcome: &Outcome| weight(trace, outcome);
        let points: Vec<(usize, f64)> = self
            .capacities
            .iter()
            .zip(&curve.outcomes)
            .filter(|(capacity, _)| **capacity >= from)
            .map(|(capacity, outcome)| (*capacity, weight(outcome)))
            .collect();
        let best = points.iter().map(|(_, weight)| *weight).fold(f64::INFINITY, f64::min);
        let end = points.iter().position(|(_, weight)| weight - best <= (present - best) * 0.01)?;
        let (last, least) = points[end];
        let bend = |at: usize| {
            let (capacity, weight) = points[at];
            let saved = (present - weight) / (present - least).max(f64::MIN_POSITIVE);
            saved - (capacity - from.min(capacity)) as f64 / (last - from.min(last)).max(1) as f64
        };
        let sharpest = (0..=end).max_by(|a, b| bend(*a).total_cmp(&bend(*b))).unwrap_or(end);
        let knee = if bend(sharpest) < LEAST_BEND { end } else { sharpest };
        let enough = points[knee].1 + (present - best) * 0.001;
        self.smallest(curve, trace, |outcome| weight(outcome) <= enough)
    }

    /// The smallest capacity at which a candidate's outcome is `good_enough`, and that outcome; `None` if it is at none of
    /// those that were tried. Under LRU more entries never miss more, so that no smaller capacity is good enough; under
    /// FIFO they may, and one might be.
    pub fn smallest(
        &self,
        curve: &Curve,
        trace: &Trace,
        good_enough: impl Fn(&Outcome) -> bool,
    ) -> Option<(usize, Outcome)> {
        let first = curve.outcomes.iter().position(&good_enough)?;
        let (mut least, mut outcome) = (self.capacities[first], curve.outcomes[first]);
        let mut too_small = if first == 0 { 0 } else { self.capacities[first - 1] };
        while least - too_small > 1 {
            let middle = too_small + (least - too_small) / 2;
            let tried = under(trace, curve.candidate.policy(middle));
            if good_enough(&tried) {
                (least, outcome) = (middle, tried);
            } else {
                too_small = middle;
            }
        }
        Some((least, outcome))
    }
}

/// The policies to try. Of two that are equally good the first is advised.
fn candidates(recording: &Recording, idle_times: &[Duration]) -> Vec<Candidate> {
    let mut candidates = vec![Candidate::SizeLimitedLru, Candidate::Lru, Candidate::Fifo];
    let mut in_force = recording.policies.iter().filter_map(EvictionPolicy::max_idle_duration);
    let usual = in_force.next_back().filter(|idle| idle_times.contains(idle)).or(idle_times.last().copied());
    candidates.extend(usual.map(Candidate::Hybrid));
    candidates.extend([Candidate::S3Fifo, Candidate::Sieve]);
    candidates
}

/// Does `len` pieces of work on `threads` threads, and returns what came of them in their order.
pub(super) fn in_parallel<T: Send>(
    threads: Option<usize>,
    len: usize,
    work: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    let cores = || thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(len));
    thread::scope(|scope| {
        for _ in 0..threads.unwrap_or_else(cores).clamp(1, len.max(1)) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= len {
                        break;
                    }
                    let result = work(at);
                    done.lock().expect("no thread panics while it holds the lock").push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no thread panics while it holds the lock");
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
