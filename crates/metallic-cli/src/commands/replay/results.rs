//! The replays of all caches: what the text and the JSON are made from.

use std::time::Duration;

use super::advice::{Advice, weight};
use super::candidates::Candidate;
use super::formats::Input;
use super::simulation::{Outcome, as_recorded, under};
use super::sweep::Sweep;
use super::trace::Trace;
use crate::args::{ReplayArgs, TraceFormat};
use crate::error::Error;

/// The results for one cache.
#[derive(Debug)]
pub struct CacheReplay {
    /// Which of the input's recordings it is.
    pub recording: usize,
    /// The replay under the policies of the log; `None` for a trace that is no log.
    pub recorded: Option<Outcome>,
    /// The outcomes of the candidates.
    pub sweep: Sweep,
    /// The needs of the accesses under LRU; `None` where the log supports no advice.
    pub needs: Option<Needs>,
    /// The advice.
    pub advice: Advice,
}

/// The knee of the curve under LRU.
#[derive(Debug)]
pub struct Needs {
    /// The capacity.
    pub capacity: usize,
    /// The outcome there.
    pub outcome: Outcome,
    /// The outcome with one entry fewer.
    pub one_fewer: Outcome,
}

impl Needs {
    fn of(trace: &Trace, sweep: &Sweep) -> Option<Self> {
        let curve = sweep.curves.iter().find(|curve| curve.candidate == Candidate::SizeLimitedLru)?;
        let present = weight(trace, curve.outcomes.first()?);
        let (capacity, outcome) = sweep.knee(curve, trace, 1, present)?;
        let fewer = capacity.saturating_sub(1).max(1);
        Some(Self { capacity, outcome, one_fewer: under(trace, Candidate::SizeLimitedLru.policy(fewer)) })
    }
}

/// The most capacities that `--points` may ask for: far more than a table or a plot can show.
const MAX_POINTS: usize = 1000;

/// The most caches that are replayed without being named.
const MAX_CACHES: usize = 64;

/// Replays each cache that the arguments name and that was accessed; if they name none, the 64 that were accessed most. Returns
/// how many were left out, too.
///
/// # Errors
/// There is no such cache, none was accessed, or an argument is out of its range.
pub fn replay(input: &Input, args: &ReplayArgs) -> Result<(Vec<CacheReplay>, usize), Error> {
    let names = || input.recordings.iter().map(|recording| &recording.trace.cache);
    if let Some(missing) = args.caches.iter().find(|name| !names().any(|other| other == *name)) {
        let names: Vec<&str> = names().map(String::as_str).collect();
        return Err(Error::NotFound(format!(
            "no cache has the name `{missing}`; there are: {}",
            names.join(", ")
        )));
    }
    if args.points > MAX_POINTS {
        let cause = format!("--points {}: there are at most {MAX_POINTS}", args.points);
        return Err(Error::Usage(cause));
    }
    if args.points < 2 || args.capacities.contains(&0) {
        return Err(Error::Usage(
            "a replay needs at least two points, and capacities of at least 1".to_owned(),
        ));
    }
    if let Some(wrong) = args.idle.iter().find(|seconds| Duration::try_from_secs_f64(**seconds).is_err()) {
        let cause = match *wrong {
            long if long > 0.0 => format!("--idle {long:e}: longer than a time can be"),
            _ => "--idle: an idle time is a number of seconds, 0 or more".to_owned(),
        };
        return Err(Error::Usage(cause));
    }
    if !args.idle.is_empty() && !input.recordings.iter().any(|recording| recording.trace.is_timed()) {
        return Err(Error::Usage("--idle: no access in the input has a time".to_owned()));
    }
    let wanted = input.recordings.iter().enumerate().filter(|(_, recording)| {
        !recording.trace.is_empty()
            && (args.caches.is_empty() || args.caches.contains(&recording.trace.cache))
    });
    let mut wanted: Vec<_> = wanted.collect();
    let mut left_out = 0;
    if args.caches.is_empty() && wanted.len() > MAX_CACHES {
        left_out = wanted.len() - MAX_CACHES;
        wanted.sort_by_key(|(_, recording)| std::cmp::Reverse(recording.trace.len()));
        wanted.truncate(MAX_CACHES);
        wanted.sort_by_key(|(at, _)| *at);
    }
    let caches: Vec<CacheReplay> = wanted
        .into_iter()
        .map(|(at, recording)| {
            let is_log = input.format == TraceFormat::Jsonl;
            let recorded = is_log.then(|| as_recorded(&recording.trace, None));
            let sweep = Sweep::over(recording, args);
            let advice = Advice::from(recording, &sweep, recorded.as_ref(), input.dropped);
            let needs = match advice {
                Advice::Refused(_) => None,
                _ => Needs::of(&recording.trace, &sweep),
            };
            CacheReplay { recording: at, recorded, sweep, needs, advice }
        })
        .collect();
    if caches.is_empty() {
        return Err(Error::NotFound(format!("{}: no accesses to replay", args.logs[0].display())));
    }
    Ok((caches, left_out))
}
