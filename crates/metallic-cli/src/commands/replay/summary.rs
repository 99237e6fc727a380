//! The result for one cache in a line: what it spent, what could be saved, what to do.

use super::advice::{Advice, Setting, amount};
use super::recording::Recording;
use super::results::CacheReplay;
use crate::units::{nanoseconds, printable};

/// Longest name of a cache, in columns.
const NAME: usize = 40;

/// One cache in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The cache, with its registry if several have one of this name.
    pub cache: String,
    /// The accesses in the log.
    pub accesses: u64,
    /// The evictions of a replay under the policies of the log; `None` for a trace that is no log.
    pub evictions: Option<u64>,
    /// The time spent in creations; `None` where they were not measured.
    pub spent: Option<String>,
    /// The saving of the advice; `None` if there is none.
    pub saves: Option<String>,
    /// The policy to set, in words, or to leave it.
    pub advice: String,
    /// The policy that it is to replace, if the log says so.
    pub present: Option<String>,
    /// The reasons to leave it, or for which there is no advice.
    pub reasons: Vec<String>,
    /// The code that sets the policy.
    pub code: Option<String>,
}

impl Summary {
    /// Sums up a replay of this recording.
    pub fn of(recording: &Recording, replay: &CacheReplay) -> Self {
        let trace = &recording.trace;
        let spent = replay.recorded.as_ref().map(|outcome| nanoseconds(outcome.cost_ns));
        let present = recording.policies.last().filter(|_| replay.recorded.is_some());
        let (saves, advice, reasons, code) = match &replay.advice {
            Advice::Leave(reason) => (None, "leave it as it is".to_owned(), vec![reason.clone()], None),
            Advice::Refused(reasons) => (None, "none, see below".to_owned(), reasons.clone(), None),
            Advice::Set(Setting { candidate, capacity, saves, code, .. }) => {
                let advice = candidate.policy(*capacity).to_string();
                (Some(amount(trace, *saves)), advice, Vec::new(), Some(code.clone()))
            }
        };
        Self {
            cache: name(recording),
            accesses: trace.len() as u64,
            evictions: replay.recorded.map(|outcome| outcome.evictions),
            spent: spent.filter(|_| trace.is_costed()),
            saves,
            present: present.filter(|_| code.is_some()).map(ToString::to_string),
            advice,
            reasons,
            code,
        }
    }
}

/// The cache, with its registry if several have one of this name.
pub(super) fn name(recording: &Recording) -> String {
    let name = printable(&recording.trace.cache, NAME);
    match &recording.registry_name {
        Some(registry) => format!("{name} in {}", printable(registry, NAME)),
        None => name,
    }
}
