//! The answers of a model, and their latencies.

use std::time::Duration;

use serde::Serialize;

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

/// The times of one prompt in one pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Until the first token, or the vector, was there.
    pub first: Duration,
    /// Each token after that.
    pub rest: Vec<Duration>,
}

/// Means over prompts and passes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Until the first token, or the vector, was there, in nanoseconds.
    pub first_ns: f64,
    /// A token after that, in nanoseconds; `None` if there was none.
    pub token_ns: Option<f64>,
}

impl Latency {
    /// The means of these; `None` of nothing.
    pub fn mean<'a>(timings: impl IntoIterator<Item = &'a Timing>) -> Option<Self> {
        let mut first = Vec::new();
        let mut rest = Vec::new();
        for timing in timings {
            first.push(timing.first);
            rest.extend_from_slice(&timing.rest);
        }
        Some(Self { first_ns: mean_ns(&first)?, token_ns: mean_ns(&rest) })
    }
}

fn mean_ns(times: &[Duration]) -> Option<f64> {
    let total: Duration = times.iter().sum();
    (!times.is_empty()).then(|| total.as_nanos() as f64 / times.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_token_is_no_part_of_the_mean_of_the_others() {
        let ms = Duration::from_millis;
        let timings =
            [Timing { first: ms(10), rest: vec![ms(2), ms(4)] }, Timing { first: ms(30), rest: vec![] }];
        assert_eq!(Latency::mean(&timings), Some(Latency { first_ns: 20e6, token_ns: Some(3e6) }));
        assert_eq!(Latency::mean(&timings[1..]), Some(Latency { first_ns: 30e6, token_ns: None }));
        assert_eq!(Latency::mean([]), None);
    }
}
