//! The policy to set, as code to paste, or the reasons why the log supports none.

use super::candidates::Candidate;
use super::recording::Recording;
use super::simulation::{Outcome, under};
use super::sweep::{Sweep, in_parallel};
use super::trace::Trace;

/// Fewer accesses than this tell a habit from an accident no better than a guess.
pub const LEAST_ACCESSES: u64 = 1000;
/// Only an access to a key that was there before can be hit or missed by a policy.
pub const LEAST_REUSES: u64 = 100;
/// A log in which a cache of the advised capacity is not filled several times over says nothing of how it settles.
pub const LEAST_ACCESSES_PER_ENTRY: u64 = 10;
/// The share of accesses that may be missing from the log, or have another result in a replay.
pub const MOST_LOST: f64 = 0.01;
/// The tolerated excess over the best, in creation time where it is known, otherwise in the number of misses.
pub const TOLERANCE: f64 = 0.01;

/// The advice for one cache.
#[derive(Debug)]
pub enum Advice {
    /// This policy at this capacity.
    Set(Setting),
    /// None, for these reasons.
    Refused(Vec<String>),
}

/// See [`Advice::Set`].
#[derive(Debug)]
pub struct Setting {
    /// The policy that needs the fewest entries.
    pub candidate: Candidate,
    /// The smallest capacity at which it misses within [`TOLERANCE`] of the best.
    pub capacity: usize,
    /// Its outcome there.
    pub outcome: Outcome,
    /// The outcomes of the others at that capacity, and the entries they need to be as good; in the order of the
    /// curves.
    pub alternatives: Vec<Alternative>,
    /// The code that sets it.
    pub code: String,
}

/// See [`Setting::alternatives`].
#[derive(Debug)]
pub struct Alternative {
    /// The policy.
    pub candidate: Candidate,
    /// Its outcome at the advised capacity.
    pub outcome: Outcome,
    /// The capacity at which it is within [`TOLERANCE`] of the best, if there is one.
    pub needs: Option<usize>,
}

/// The figure that is compared: seconds where creations were measured, otherwise the number of misses.
pub(super) fn weight(trace: &Trace, outcome: &Outcome) -> f64 {
    if trace.is_costed() { outcome.cost_ns } else { outcome.misses as f64 }
}

impl Advice {
    /// Weighs what was tried. `recorded` is the replay under the policies of the log, if it has any.
    pub fn from(recording: &Recording, sweep: &Sweep, recorded: Option<&Outcome>, dropped: u64) -> Self {
        let trace = &recording.trace;
        let reasons = doubts(recording, sweep, recorded, dropped);
        if !reasons.is_empty() {
            return Self::Refused(reasons);
        }
        let weight = |outcome: &Outcome| weight(trace, outcome);
        let tried = sweep.curves.iter().flat_map(|curve| &curve.outcomes).chain([&sweep.unlimited]);
        let best = tried.map(weight).fold(f64::INFINITY, f64::min);
        let good_enough = |outcome: &Outcome| weight(outcome) <= best * (1.0 + TOLERANCE);
        let smallest = in_parallel(sweep.jobs, sweep.curves.len(), |at| {
            sweep.smallest(&sweep.curves[at], trace, good_enough)
        });
        let winner = smallest
            .iter()
            .zip(&sweep.curves)
            .filter_map(|(found, curve)| {
                found.map(|(capacity, outcome)| (curve.candidate, capacity, outcome))
            })
            .min_by(|(_, a, x), (_, b, y)| a.cmp(b).then(weight(x).total_cmp(&weight(y))));
        let Some((candidate, capacity, outcome)) = winner else {
            let reason = "at none of the capacities tried a policy comes within 1 % of the best".to_owned();
            return Self::Refused(vec![reason]);
        };
        let needed = capacity as u64 * LEAST_ACCESSES_PER_ENTRY;
        let accesses = trace.len() as u64;
        if accesses < needed {
            return Self::Refused(vec![format!(
                "{accesses} accesses are fewer than {LEAST_ACCESSES_PER_ENTRY} for each of the {capacity} entries \
                 that the best setting needs"
            )]);
        }
        let others: Vec<(Candidate, Option<usize>)> = sweep
            .curves
            .iter()
            .zip(&smallest)
            .filter(|(curve, _)| curve.candidate != candidate)
            .map(|(curve, found)| (curve.candidate, found.map(|(capacity, _)| capacity)))
            .collect();
        let alternatives = in_parallel(sweep.jobs, others.len(), |at| {
            let (candidate, needs) = others[at];
            Alternative { candidate, outcome: under(trace, candidate.policy(capacity)), needs }
        });
        let code = format!(
            "registry.set_eviction_policy::<K>({}); // K: the kernel whose CACHE_NAME is {:?}",
            candidate.code(capacity),
            trace.cache
        );
        Self::Set(Setting { candidate, capacity, outcome, alternatives, code })
    }
}

/// Why this log supports no advice.
fn doubts(recording: &Recording, sweep: &Sweep, recorded: Option<&Outcome>, dropped: u64) -> Vec<String> {
    let accesses = recording.trace.len() as u64;
    let share = |part: u64| part as f64 / accesses.max(1) as f64;
    let mut reasons = Vec::new();
    if accesses < LEAST_ACCESSES {
        reasons.push(format!("{accesses} accesses are fewer than {LEAST_ACCESSES}"));
    }
    let reuses = accesses.saturating_sub(sweep.compulsory.0);
    if reuses < LEAST_REUSES {
        reasons.push(format!(
            "{reuses} accesses, fewer than {LEAST_REUSES}, are to a key that was there before: on the others all \
             policies are alike"
        ));
    }
    let missing = recording.missing.max(dropped);
    if share(missing) > MOST_LOST {
        let why = if recording.missing > dropped {
            "the accesses are sampled, or were dropped"
        } else {
            "the exporter dropped events"
        };
        reasons.push(format!("{missing} accesses or more are missing from the log: {why}"));
    } else if let Some(divergence) = recorded.and_then(|outcome| outcome.divergence)
        && share(divergence.accesses) > MOST_LOST
    {
        reasons.push(format!(
            "{} accesses have another result in a replay than in the log, the first of them number {}: events are \
             missing, a policy was set before there was a sink, or several registries have a cache of this name",
            divergence.accesses,
            divergence.first + 1
        ));
    }
    reasons
}
