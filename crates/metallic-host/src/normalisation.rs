//! The normalisation of a row.

use pulp::{Simd, WithSimd};

/// `output = gamma (input - mean) / sqrt(variance + epsilon) + beta`, with the mean and the biased variance of `input`. Both are
/// summed in `f64`, in two passes: a mean far from 0 costs no precision.
pub(crate) fn normalise(input: &[f32], epsilon: f32, gamma: &[f32], beta: &[f32], output: &mut [f32]) {
    pulp::Arch::new().dispatch(Normalise { input, epsilon, gamma, beta, output });
}

struct Normalise<'a> {
    input: &'a [f32],
    epsilon: f32,
    gamma: &'a [f32],
    beta: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for Normalise<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { input, epsilon, gamma, beta, output } = self;
        let count = input.len() as f64;
        let mean = sum(input, |x| x) / count;
        let variance = sum(input, |x| (x - mean) * (x - mean)) / count;
        let factor = 1.0 / (variance + f64::from(epsilon)).sqrt();
        let rows = output.iter_mut().zip(input).zip(gamma).zip(beta);
        for (((output, x), gamma), beta) in rows {
            *output = ((f64::from(*x) - mean) * factor) as f32 * gamma + beta;
        }
    }
}

/// The sum of a function of each element, in as many sums side by side as hide the latency of an addition.
#[inline(always)]
fn sum(input: &[f32], function: impl Fn(f64) -> f64) -> f64 {
    const LANES: usize = 32;
    let mut sums = [0.0_f64; LANES];
    let (blocks, rest) = input.as_chunks::<LANES>();
    for block in blocks {
        for (sum, x) in sums.iter_mut().zip(block) {
            *sum += function(f64::from(*x));
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|x| function(f64::from(*x))).sum::<f64>()
}
