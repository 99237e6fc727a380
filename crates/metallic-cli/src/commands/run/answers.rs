//! The answers of a model, and their latencies.

use std::time::Duration;

use serde::Serialize;

use super::board::Pass;

/// The answer to one prompt.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A decoder's continuation.
    Continuation(Continuation),
    /// An encoder's vector, at length 1.
    Embedding(Vec<f32>),
}

/// The continuation of a prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Continuation {
    /// The tokens, each the likeliest one.
    pub ids: Vec<u32>,
    /// The logits that each was taken from; only the first unless all are asked for.
    pub logits: Vec<Vec<f32>>,
}

impl Answer {
    /// Returns `true` if `later` is the same answer: the same tokens, or the same vector but for rounding, since a GPU need not
    /// add in the same order each time.
    pub(super) fn is_again(&self, later: &Self) -> bool {
        match (self, later) {
            (Self::Continuation(first), Self::Continuation(later)) => first.ids == later.ids,
            (Self::Embedding(first), Self::Embedding(later)) => {
                first.len() == later.len() && first.iter().zip(later).all(|(a, b)| (a - b).abs() <= 1e-5)
            }
            _ => false,
        }
    }

    /// The fault of a pass that has this answer in place of another.
    pub(super) fn differs(&self) -> &'static str {
        match self {
            Self::Continuation(_) => "generates other tokens than pass 1",
            Self::Embedding(_) => "has another vector than pass 1",
        }
    }
}

/// The times of one prompt in one pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Until the first token, or the vector, was there.
    pub first: Duration,
    /// Each token after that.
    pub rest: Vec<Duration>,
    /// The tokens that were generated, or of an encoder those that went in.
    pub tokens: usize,
    /// `true` if something was created meanwhile, by whichever worker: the first prompt of a shape waits for its plans.
    pub is_cold: bool,
}

/// The tokens of all workers together, over some passes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Throughput {
    /// The tokens that were generated, or of an encoder those that went in.
    pub tokens: u64,
    /// The time from the beginning of each pass to its end, in nanoseconds.
    pub wall_ns: u64,
    /// Tokens per second.
    pub tokens_per_second: f64,
}

impl Throughput {
    /// Of these passes; `None` of nothing.
    pub fn of<'a>(passes: impl IntoIterator<Item = &'a Pass>) -> Option<Self> {
        let (mut tokens, mut wall) = (0, Duration::ZERO);
        for pass in passes {
            tokens += pass.timings().map(|timing| timing.tokens as u64).sum::<u64>();
            wall += pass.wall;
        }
        let wall_ns = u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX);
        let tokens_per_second = tokens as f64 / wall.as_secs_f64();
        (tokens > 0 && wall_ns > 0).then_some(Self { tokens, wall_ns, tokens_per_second })
    }
}

/// The times of one prompt in one pass.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Until the first token, or the vector, was there, in nanoseconds.
    pub first_ns: f64,
    /// The mean of the tokens after that, in nanoseconds; `None` if there was none.
    pub token_ns: Option<f64>,
    /// `true` if something was created meanwhile.
    pub cold: bool,
}

impl From<&Timing> for Latency {
    fn from(timing: &Timing) -> Self {
        Self {
            first_ns: timing.first.as_nanos() as f64,
            token_ns: Quantiles::of(timing.rest.clone()).map(|rest| rest.mean_ns),
            cold: timing.is_cold,
        }
    }
}

/// The times of several prompts, or of several passes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latencies {
    /// Until the first token, or the vector, was there.
    pub first: Quantiles,
    /// A token after that; `None` if there was none.
    pub token: Option<Quantiles>,
}

impl Latencies {
    /// Those of these; `None` of nothing.
    pub fn of<'a>(timings: impl IntoIterator<Item = &'a Timing>) -> Option<Self> {
        let (mut first, mut rest) = (Vec::new(), Vec::new());
        for timing in timings {
            first.push(timing.first);
            rest.extend_from_slice(&timing.rest);
        }
        Some(Self { first: Quantiles::of(first)?, token: Quantiles::of(rest) })
    }

    /// Those in which something was created, and the others.
    pub fn cold_and_warm<'a>(timings: impl IntoIterator<Item = &'a Timing>) -> [Option<Self>; 2] {
        let (cold, warm): (Vec<&Timing>, _) = timings.into_iter().partition(|timing| timing.is_cold);
        [cold, warm].map(Self::of)
    }
}

/// Times in nanoseconds. A quantile is one of the times: the least that this share of them does not exceed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    /// Their number.
    pub count: u64,
    /// Their mean.
    pub mean_ns: f64,
    /// The median.
    pub p50_ns: u64,
    /// Of 95 %.
    pub p95_ns: u64,
    /// Of 99 %.
    pub p99_ns: u64,
}

impl Quantiles {
    /// Those of these times; `None` of nothing.
    pub fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let at = |share: usize| {
            let rank = (times.len() * share).div_ceil(100).max(1);
            times.get(rank - 1).map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
        };
        let total: Duration = times.iter().sum();
        Some(Self {
            count: times.len() as u64,
            mean_ns: total.as_nanos() as f64 / times.len() as f64,
            p50_ns: at(50)?,
            p95_ns: at(95)?,
            p99_ns: at(99)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_token_is_no_part_of_the_others_and_the_cold_no_part_of_the_warm() {
        let ms = Duration::from_millis;
        let timings = [
            Timing { first: ms(10), rest: vec![ms(2), ms(4)], tokens: 3, is_cold: false },
            Timing { first: ms(30), rest: vec![], tokens: 1, is_cold: true },
        ];
        let one = |ns: u64| Quantiles { count: 1, mean_ns: ns as f64, p50_ns: ns, p95_ns: ns, p99_ns: ns };
        let [cold, warm] = Latencies::cold_and_warm(&timings);
        assert_eq!(cold, Some(Latencies { first: one(30_000_000), token: None }));
        let token =
            Quantiles { count: 2, mean_ns: 3e6, p50_ns: 2_000_000, p95_ns: 4_000_000, p99_ns: 4_000_000 };
        assert_eq!(warm, Some(Latencies { first: one(10_000_000), token: Some(token) }));
        assert_eq!(Latencies::of([]), None);
        // Of two workers, side by side.
        let [one, other] = timings.map(Some);
        let pass = Pass { timings: vec![one, None, other], wall: ms(40) };
        let throughput = Throughput { tokens: 8, wall_ns: 80_000_000, tokens_per_second: 100.0 };
        assert_eq!(Throughput::of([&pass, &pass]), Some(throughput));
        assert_eq!(Throughput::of([]), None);
    }

    #[test]
    fn a_quantile_is_one_of_the_times() {
        let times = (1..=200).rev().map(Duration::from_nanos).collect();
        let found = Quantiles::of(times).expect("there are some");
        assert_eq!([found.p50_ns, found.p95_ns, found.p99_ns], [100, 190, 198]);
    }

    #[test]
    fn a_vector_is_that_of_the_first_pass_but_for_rounding() {
        let is_again = |first: &[f32], later: &[f32]| {
            Answer::Embedding(first.to_vec()).is_again(&Answer::Embedding(later.to_vec()))
        };
        assert!(is_again(&[0.5, -0.25], &[0.500_001, -0.25]));
        assert!(!is_again(&[0.5, -0.25], &[0.5001, -0.25]) && !is_again(&[0.5], &[f32::NAN]));
    }
}
