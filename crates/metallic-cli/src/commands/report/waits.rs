//! The steps of a program, and the creations that they waited for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use metallic_instrumentation::{ResourceCreated, SpanEnded};

use super::durations::Durations;
use super::figures::{Spread, Step, Steps, Wait};

/// The creations that are remembered until the steps that they are within end.
const RECENT: usize = 4096;
/// The kinds of step that are told apart.
const KINDS: usize = 64;
/// The name under which further ones are counted.
const OTHERS: &str = "(other steps)";
/// So many creations in a row that ended before a step began say that all before them did: threads report nearly in order.
const EARLIER: usize = 64;

/// The steps so far, in bounded memory.
#[derive(Debug, Default)]
pub(super) struct Waits {
    recent: VecDeque<Made>,
    kinds: BTreeMap<Box<str>, Kind>,
    longest: Vec<Wait>,
    /// The threads that had steps, up to two: with several, the log does not say which of them a creation was on.
    threads: Vec<(u32, Option<Box<str>>)>,
}

#[derive(Debug, Default)]
struct Kind {
    durations: Durations,
    waited: u64,
    waited_ns: u64,
}

/// A creation.
#[derive(Debug)]
struct Made {
    process: u32,
    begin: u64,
    end: u64,
    key: Arc<str>,
    /// The threads whose innermost step has been found.
    taken: Vec<Option<Box<str>>>,
}

impl Waits {
    pub(super) fn creation(&mut self, process: u32, created: &ResourceCreated, end: u64) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        let begin = end.saturating_sub(created.duration_ns);
        let key = Arc::clone(&created.cache_key);
        self.recent.push_back(Made { process, begin, end, key, taken: Vec::new() });
    }

    /// A step ended that began at `begin`, and keeps a place among the `named` that waited longest. A creation counts for the
    /// innermost step that it is in, which ends first.
    pub(super) fn step(&mut self, process: u32, span: &SpanEnded, begin: u64, named: usize) {
        let end = begin.saturating_add(span.duration_ns);
        let thread = span.thread.as_deref().map(Box::from);
        if self.threads.len() < 2 && !self.threads.contains(&(process, thread.clone())) {
            self.threads.push((process, thread.clone()));
        }
        let mut earlier = 0;
        let mut within = Vec::new();
        let mut dearest: Option<(u64, Arc<str>)> = None;
        for made in self.recent.iter_mut().rev().filter(|made| made.process == process) {
            if made.end <= begin {
                earlier += 1;
                if earlier == EARLIER {
                    break;
                }
                continue;
            }
            earlier = 0;
            if made.end > end || made.taken.contains(&thread) {
                continue;
            }
            made.taken.push(thread.clone());
            let begin = made.begin.max(begin);
            within.push((begin, made.end));
            let ns = made.end - begin;
            if dearest.as_ref().is_none_or(|(longest, _)| ns > *longest) {
                dearest = Some((ns, Arc::clone(&made.key)));
            }
        }
        let creations = within.len() as u64;
        let waited_ns = covered(within);
        let known = self.kinds.contains_key(&*span.name) || self.kinds.len() < KINDS;
        let kind = self.kinds.entry(if known { &*span.name } else { OTHERS }.into()).or_default();
        kind.durations.add(span.duration_ns);
        let Some((key_ns, key)) = dearest else { return };
        kind.waited += 1;
        kind.waited_ns = kind.waited_ns.saturating_add(waited_ns);
        let place = self.longest.partition_point(|wait| wait.waited_ns >= waited_ns);
        if place < named {
            self.longest.truncate(named - 1);
            let wait = Wait {
                step: span.name.to_string(),
                label: span.label.clone(),
                thread: span.thread.clone(),
                at: begin,
                duration_ns: span.duration_ns,
                waited_ns,
                creations,
                key: key.to_string(),
                key_ns,
            };
            self.longest.insert(place, wait);
        }
    }

    pub(super) fn figures(&self) -> Steps {
        let step = |name: &str, kind: &Kind| Step {
            name: name.to_owned(),
            count: kind.durations.count(),
            duration_ns: Spread {
                sum: kind.durations.sum(),
                p50: kind.durations.quantile(0.5),
                p95: kind.durations.quantile(0.95),
                max: kind.durations.max(),
            },
            p99_ns: kind.durations.quantile(0.99),
            waited: kind.waited,
            waited_ns: kind.waited_ns,
        };
        Steps {
            kinds: self.kinds.iter().map(|(name, kind)| step(name, kind)).collect(),
            longest_waits: self.longest.clone(),
            several_threads: self.threads.len() > 1,
        }
    }
}

/// The time that at least one of these spans covers.
fn covered(mut spans: Vec<(u64, u64)>) -> u64 {
    spans.sort_unstable();
    let (mut sum, mut until) = (0_u64, 0);
    for (begin, end) in spans {
        sum += end.saturating_sub(begin.max(until));
        until = until.max(end);
    }
    sum
}
