//! The policy to set, as code to paste, or the reasons why the log supports none.

use metallic::caching::EvictionPolicy;

use super::candidates::Candidate;
use super::recording::Recording;
use super::simulation::{Outcome, under};
use super::sweep::{Sweep, in_parallel};
use super::trace::Trace;
use crate::units::{counted, nanoseconds};

/// Fewer accesses than this tell a habit from an accident no better than a guess.
pub const LEAST_ACCESSES: u64 = 1000;
/// Only an access to a key that was there before can be hit or missed by a policy.
pub const LEAST_REUSES: u64 = 100;
/// A log in which a cache of the advised capacity is not filled several times over says nothing of how it settles.
pub const LEAST_ACCESSES_PER_ENTRY: u64 = 10;
/// The share of accesses that may be missing from the log, or have another result in a replay.
pub const MOST_LOST: f64 = 0.01;
/// The least part of the present weight that a change must save.
pub const LEAST_SAVING: f64 = 0.05;
/// The least part of the log's time that a change must save, where the log has times.
pub const LEAST_TIME_SHARE: f64 = 0.001;
/// The same in nanoseconds, where it has none.
const LEAST_TIME_NS: f64 = 1e6;
/// The part of the present weight by which another strategy must be better at one capacity, to be advised.
pub const LEAST_GAIN_OF_A_SWITCH: f64 = 0.1;
/// The most that a change may cost in one half of the log, whatever it saves in the other.
const MOST_LOSS_OF_A_HALF: f64 = 0.01;

/// The advice for one cache.
#[derive(Debug)]
pub enum Advice {
    /// Leave the policy as it is, for this reason.
    Leave(String),
    /// Set this policy at this capacity.
    Set(Setting),
    /// The log supports none, for these reasons.
    Refused(Vec<String>),
}

/// See [`Advice::Set`].
#[derive(Debug)]
pub struct Setting {
    /// The policy: the present one, unless another is better by [`LEAST_GAIN_OF_A_SWITCH`].
    pub candidate: Candidate,
    /// The capacity at the knee: beyond it an entry buys less than the average of those up to the flat end.
    pub knee: usize,
    /// The capacity to set: the knee and a tenth, so that a working set that grows by one does not fall off a cliff.
    pub capacity: usize,
    /// Its outcome there.
    pub outcome: Outcome,
    /// The saving against the recorded run: nanoseconds where creations were measured, otherwise misses. In a trace that is no
    /// log, of the smallest capacity tried.
    pub saves: f64,
    /// The outcomes of the others at that capacity, in the order of the curves.
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
}

/// The figure that is compared: nanoseconds where creations were measured, otherwise the number of misses.
pub(super) fn weight(trace: &Trace, outcome: &Outcome) -> f64 {
    if trace.is_costed() { outcome.cost_ns } else { outcome.misses as f64 }
}

fn weight_of_first_half(trace: &Trace, outcome: &Outcome) -> f64 {
    if trace.is_costed() { outcome.first_half.cost_ns } else { outcome.first_half.misses as f64 }
}

/// Returns `true` if saving this much of `present` is worth a change.
fn matters(trace: &Trace, saving: f64, present: f64) -> bool {
    let least = match trace.times() {
        _ if !trace.is_costed() => 1.0,
        [first, .., last] => last.saturating_sub(*first) as f64 * LEAST_TIME_SHARE,
        _ => LEAST_TIME_NS,
    };
    saving >= least && saving >= present * LEAST_SAVING
}

/// The capacity with a margin against one that is a little too small.
fn with_margin(capacity: usize) -> usize {
    capacity.saturating_add(capacity.div_ceil(10))
}

impl Advice {
    /// Weighs what was tried. `recorded` is the replay under the policies of the log, if it has any.
    pub fn from(recording: &Recording, sweep: &Sweep, recorded: Option<&Outcome>, dropped: u64) -> Self {
        let trace = &recording.trace;
        let gaps = gaps(recording, recorded, dropped);
        // However short a log is, a policy that evicted nothing in it has cost nothing.
        if gaps.is_empty()
            && recording.evictions == 0
            && recorded.is_some_and(|outcome| outcome.evictions == 0)
        {
            return Self::Leave("nothing was evicted".to_owned());
        }
        let reasons = [too_short(recording, sweep), gaps].concat();
        if !reasons.is_empty() {
            return Self::Refused(reasons);
        }
        let weight = |outcome: &Outcome| weight(trace, outcome);
        let in_force = recorded.and(recording.policies.last());
        let own = in_force.and_then(Candidate::of).unwrap_or(Candidate::SizeLimitedLru);
        let own = sweep.curves.iter().find(|curve| curve.candidate == own).or(sweep.curves.first());
        let Some(own) = own else {
            return Self::Refused(vec!["no policy was tried".to_owned()]);
        };
        let present = recorded.map_or_else(|| own.outcomes.first().map_or(0.0, weight), weight);
        let tried = sweep.curves.iter().flat_map(|curve| &curve.outcomes).chain([&sweep.unlimited]);
        let possible = present - tried.map(weight).fold(f64::INFINITY, f64::min);
        if !matters(trace, possible, present) {
            return Self::Leave(format!(
                "no other policy or capacity saves more than {}",
                amount(trace, possible)
            ));
        }
        let from = in_force.and_then(EvictionPolicy::capacity).unwrap_or(1);
        let Some((knee, _)) = sweep.knee(own, trace, from, present) else {
            return Self::Refused(vec!["no capacity tried is as large as that in force".to_owned()]);
        };
        let capacity = with_margin(knee);
        let needed = capacity as u64 * LEAST_ACCESSES_PER_ENTRY;
        let accesses = trace.len() as u64;
        if accesses < needed {
            return Self::Refused(vec![format!(
                "{accesses} accesses are fewer than {LEAST_ACCESSES_PER_ENTRY} for each of the {capacity} entries at the knee"
            )]);
        }
        let mut all = in_parallel(sweep.jobs, sweep.curves.len(), |at| {
            let candidate = sweep.curves[at].candidate;
            Alternative { candidate, outcome: under(trace, candidate.policy(capacity)) }
        });
        let at = |candidate| all.iter().position(|other: &Alternative| other.candidate == candidate);
        let own_at = at(own.candidate).unwrap_or(0);
        let least = all[own_at..].iter().chain(&all[..own_at]).map(|other| weight(&other.outcome));
        let least = least.fold(f64::INFINITY, f64::min);
        // The first of those that are as good: the usual policies come first.
        let best_at = all.iter().position(|other| weight(&other.outcome) <= least).unwrap_or(own_at);
        let gain = weight(&all[own_at].outcome) - least;
        let switches = gain > present * LEAST_GAIN_OF_A_SWITCH && matters(trace, gain, present);
        let Alternative { candidate, outcome } = all.remove(if switches { best_at } else { own_at });
        let saves = present - weight(&outcome);
        if !matters(trace, saves, present) {
            let knee = amount(trace, saves.max(0.0));
            return Self::Leave(format!("up to the knee, {capacity} entries, it would save {knee}"));
        }
        if let Some(recorded) = recorded {
            let halves = |outcome: &Outcome| {
                let first = weight_of_first_half(trace, outcome);
                [first, weight(outcome) - first]
            };
            let worse = |(new, old): (f64, f64)| new > old * (1.0 + MOST_LOSS_OF_A_HALF);
            if halves(&outcome).into_iter().zip(halves(recorded)).any(worse) {
                return Self::Leave("what would save in one half of the log costs in the other".to_owned());
            }
        }
        let policy = candidate.code(capacity);
        // A trace in another format than a log is not of a kernel.
        let code = match recorded {
            Some(_) => format!(
                "// K: the kernel whose CACHE_NAME is {:?}\nregistry.set_eviction_policy::<K>({policy});",
                trace.cache
            ),
            None => format!("cache.set_eviction_policy({policy});"),
        };
        Self::Set(Setting { candidate, knee, capacity, outcome, saves, alternatives: all, code })
    }
}

/// A saving in words.
pub(super) fn amount(trace: &Trace, weight: f64) -> String {
    if trace.is_costed() { nanoseconds(weight) } else { counted(weight as u64, "miss", "misses") }
}

/// Why this log is too short for advice.
fn too_short(recording: &Recording, sweep: &Sweep) -> Vec<String> {
    let accesses = recording.trace.len() as u64;
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
    reasons
}

/// Why this log is not what happened.
fn gaps(recording: &Recording, recorded: Option<&Outcome>, dropped: u64) -> Vec<String> {
    let accesses = recording.trace.len() as u64;
    let share = |part: u64| part as f64 / accesses.max(1) as f64;
    let mut reasons = Vec::new();
    if recording.counts_generations {
        reasons.push(
            "its policy limits idle generations, and a log does not have the moments at which the engine ended them"
                .to_owned(),
        );
    }
    if recording.entangled > 0 {
        reasons.push(
            "several registries have a cache of this name, and the log does not number them: their accesses cannot be told apart"
                .to_owned(),
        );
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
             missing, or a policy was set before there was a sink",
            divergence.accesses,
            divergence.first + 1
        ));
    }
    reasons
}
