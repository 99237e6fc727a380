//! The candidates: policies, capacities and idle times.

use std::collections::BTreeSet;
use std::time::Duration;

use metallic::caching::{EvictionPolicy, EvictionStrategy};

use super::trace::Trace;

/// A policy without its capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Candidate {
    /// `EvictionPolicy::size_limited_lru(n)`.
    SizeLimitedLru,
    /// `EvictionPolicy::lru().with_max_entries(n)`.
    Lru,
    /// `EvictionPolicy::fifo().with_max_entries(n)`.
    Fifo,
    /// `EvictionPolicy::hybrid(n, idle)`.
    Hybrid(Duration),
    /// `EvictionPolicy::s3_fifo(n)`.
    S3Fifo,
    /// `EvictionPolicy::sieve(n)`.
    Sieve,
}

impl Candidate {
    /// The candidate that this policy is at its capacity; `None` if it has none.
    pub fn of(policy: &EvictionPolicy) -> Option<Self> {
        Some(match policy.strategy() {
            EvictionStrategy::SizeLimitedLru => Self::SizeLimitedLru,
            EvictionStrategy::Lru => Self::Lru,
            EvictionStrategy::Fifo => Self::Fifo,
            EvictionStrategy::Hybrid => Self::Hybrid(policy.max_idle_duration()?),
            EvictionStrategy::S3Fifo => Self::S3Fifo,
            EvictionStrategy::Sieve => Self::Sieve,
            _ => return None,
        })
    }

    /// The policy with this capacity.
    pub fn policy(self, capacity: usize) -> EvictionPolicy {
        match self {
            Self::SizeLimitedLru => EvictionPolicy::size_limited_lru(capacity),
            Self::Lru => EvictionPolicy::lru().with_max_entries(capacity),
            Self::Fifo => EvictionPolicy::fifo().with_max_entries(capacity),
            Self::Hybrid(idle) => EvictionPolicy::hybrid(capacity, idle),
            Self::S3Fifo => EvictionPolicy::s3_fifo(capacity),
            Self::Sieve => EvictionPolicy::sieve(capacity),
        }
    }

    /// The policy with this capacity, as Rust code.
    pub fn code(self, capacity: usize) -> String {
        self.policy(capacity).to_code()
    }

    /// The strategy, as it is in the log.
    pub fn name(self) -> &'static str {
        self.policy(1).strategy().name()
    }
}

/// The capacities to try where none are named: about `points` of them, each larger than the one before by the same
/// factor, from 1 to `most`, and those that were in force.
pub(super) fn capacities(points: usize, most: usize, in_force: &[EvictionPolicy]) -> Vec<usize> {
    let most = most.max(1);
    let last = points.max(2) - 1;
    let geometric = (0..=last).map(|point| (most as f64).powf(point as f64 / last as f64).round() as usize);
    let recorded = in_force.iter().filter_map(EvictionPolicy::capacity).filter(|capacity| *capacity <= most);
    let all: BTreeSet<usize> = geometric.chain(recorded).chain([most]).collect();
    all.into_iter().collect()
}

/// The idle times to try where none are named: those that were in force, and those that all but the rarest intervals
/// between two uses of one key stay below.
pub(super) fn idle_times(trace: &Trace, in_force: &[EvictionPolicy]) -> Vec<Duration> {
    let recorded = in_force.iter().filter_map(EvictionPolicy::max_idle_duration);
    let mut all: BTreeSet<Duration> = recorded.collect();
    let intervals = Intervals::of(trace);
    all.extend([0.5, 0.9, 0.99, 0.999].into_iter().filter_map(|share| intervals.below_which(share)));
    all.into_iter().collect()
}

/// The times between two accesses of a key, in classes that are a sixteenth of an octave wide.
struct Intervals {
    counts: Vec<u64>,
}

impl Intervals {
    fn of(trace: &Trace) -> Self {
        let mut counts = vec![0; 64 * 16 + 1];
        let mut last = vec![None; trace.keys()];
        for (access, at) in trace.accesses().zip(trace.times()) {
            if let Some(last) = last[access.key as usize].replace(*at) {
                let ns = at.saturating_sub(last).max(1);
                counts[((ns as f64).log2() * 16.0).ceil() as usize] += 1;
            }
        }
        Self { counts }
    }

    /// A time, in whole milliseconds, that this share of the intervals does not exceed.
    fn below_which(&self, share: f64) -> Option<Duration> {
        let all: u64 = self.counts.iter().sum();
        let wanted = (all as f64 * share).ceil() as u64;
        let mut below = 0;
        let class = self.counts.iter().position(|count| {
            below += count;
            below >= wanted
        })?;
        let ms = ((class as f64 / 16.0).exp2() / 1e6).ceil();
        (all > 0).then(|| Duration::from_millis(ms as u64))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use metallic::caching::EvictionPolicy;

    use super::{Candidate, capacities, idle_times};
    use crate::commands::replay::trace::{Access, Trace};

    #[test]
    fn capacities_reach_from_one_to_all_keys_and_include_those_in_force() {
        let in_force = [EvictionPolicy::size_limited_lru(77), EvictionPolicy::size_limited_lru(5000)];
        assert_eq!(capacities(4, 1000, &in_force), [1, 10, 77, 100, 1000]);
        assert_eq!(capacities(24, 1, &[]), [1]);
    }

    #[test]
    fn idle_times_cover_the_intervals_between_uses() {
        let mut trace = Trace::new("c");
        for second in 0..100 {
            let access = Access { key: second % 10, fails: false, hit: true };
            trace.push(access, Some(u64::from(second) * 1_000_000_000), None);
        }
        let [idle] = idle_times(&trace, &[])[..] else { panic!("all intervals are 10 s") };
        assert!(idle >= Duration::from_secs(10) && idle < Duration::from_secs(11), "{idle:?}");
    }

    #[test]
    fn the_code_names_the_policy_it_stands_for() {
        let idle = Duration::from_millis(2500);
        assert_eq!(Candidate::Hybrid(idle).code(7), "EvictionPolicy::hybrid(7, Duration::from_millis(2500))");
        assert_eq!(Candidate::Hybrid(idle).policy(7), EvictionPolicy::hybrid(7, Duration::from_millis(2500)));
    }
}
