//! The functions of one number that the operations need, without branches, so that the compiler can compute many at once.

use pulp::{Simd, WithSimd};

/// `e^x`, to within 2 ulp. What would be subnormal is 0, what would be above 2^127.5 is infinite; a NaN stays one.
///
/// `x = n ln 2 + r` with an integer `n`, after Cody and Waite, Software Manual for the Elementary Functions, 1980, chapter 6;
/// `e^r` is its Taylor polynomial, which at `|r| <= ln 2 / 2` is exact to 6e-9.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    /// Where `e^x` is 2^-126, and where it is 2^127.5.
    const LEAST: f32 = -87.336_54;
    const MOST: f32 = 88.376_26;
    /// Adding this rounds to an integer, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    /// `ln 2` in two parts, the first of so few bits that its product with `n` is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;

    let inside = if x < LEAST { LEAST } else { x };
    let inside = if inside > MOST { MOST } else { inside };
    let rounded = inside * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (inside - n * LN_2_HIGH) - n * LN_2_LOW;
    let terms = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let mut power = terms[0];
    for term in &terms[1..] {
        power = power * r + term;
    }
    let scaled = f32::from_bits(power.to_bits().wrapping_add(rounded.to_bits() << 23));
    let from_below = if x < LEAST { 0.0 } else { scaled };
    if x > MOST { f32::INFINITY } else { from_below }
}

/// `x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`, which is `x / (1 + e^(-2 u))` for a tanh of `u`.
#[inline(always)]
pub(crate) fn gelu_tanh(x: f32) -> f32 {
    const MINUS_TWICE_SQRT_2_OVER_PI: f32 = -1.595_769;
    x / (1.0 + exp(MINUS_TWICE_SQRT_2_OVER_PI * (x + 0.044_715 * x * x * x)))
}

/// `x / 2 (1 + erf(x / sqrt(2)))`, which is `x` times the normal distribution function.
///
/// Its lower tail, at `-|x|`, is `e^(-x^2 / 2) t P(t)` with `t = 1 / (1 + 0.25 |x|)`: the form of Abramowitz and Stegun, Handbook
/// of Mathematical Functions, 7.1.26. `P` is the Chebyshev interpolant of degree 9 for `|x|` up to 14, beyond which the tail
/// is 0; it is exact to 2e-8 of the tail.
#[inline(always)]
pub(crate) fn gelu_erf(x: f32) -> f32 {
    const P: [f32; 10] = [
        0.015_383_603,
        -0.056_345_463,
        0.036_615_256,
        0.048_318_084,
        -0.003_677_959_4,
        0.095_375_57,
        0.069_011_636,
        0.096_150_87,
        0.099_416_62,
        0.099_751_79,
    ];
    let t = 1.0 / (1.0 + 0.25 * x.abs());
    let mut p = P[0];
    for coefficient in &P[1..] {
        p = p * t + coefficient;
    }
    let tail = exp(-0.5 * x * x) * t * p;
    x * if x < 0.0 { tail } else { 1.0 - tail }
}

/// Sets each output to a function of the input at its place.
pub(crate) fn map(input: &[f32], output: &mut [f32], function: Function) {
    pulp::Arch::new().dispatch(Map { input, output, function });
}

/// A function that [`map`] can compute.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Function {
    GeluErf,
    GeluTanh,
}

struct Map<'a> {
    input: &'a [f32],
    output: &'a mut [f32],
    function: Function,
}

impl WithSimd for Map<'_> {
    type Output = ();

    /// Compiled once for each instruction set, and the loops with it.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let pairs = self.output.iter_mut().zip(self.input);
        match self.function {
            Function::GeluErf => pairs.for_each(|(output, x)| *output = gelu_erf(*x)),
            Function::GeluTanh => pairs.for_each(|(output, x)| *output = gelu_tanh(*x)),
        }
    }
}

/// `output[i] = e^(scale input[i])` over the sum of all of these, computed as `e^(scale input[i] - max)`.
pub(crate) fn softmax(input: &[f32], scale: f32, output: &mut [f32]) {
    pulp::Arch::new().dispatch(Softmax { input, scale, output });
}

struct Softmax<'a> {
    input: &'a [f32],
    scale: f32,
    output: &'a mut [f32],
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        /// As many sums side by side, since one alone would be a chain of additions.
        const LANES: usize = 32;
        let Self { input, scale, output } = self;
        let mut most = [f32::NEG_INFINITY; LANES];
        for (output, input) in output.chunks_mut(LANES).zip(input.chunks(LANES)) {
            for ((output, input), most) in output.iter_mut().zip(input).zip(&mut most) {
                *output = scale * input;
                *most = if *output > *most { *output } else { *most };
            }
        }
        let most = most.into_iter().fold(f32::NEG_INFINITY, f32::max);
        let mut sums = [0.0_f32; LANES];
        for output in output.chunks_mut(LANES) {
            for (output, sum) in output.iter_mut().zip(&mut sums) {
                *output = exp(*output - most);
                *sum += *output;
            }
        }
        let sum: f64 = sums.iter().map(|sum| f64::from(*sum)).sum();
        let factor = (1.0 / sum) as f32;
        for output in output {
            *output *= factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use metallic_conformance::reference;

    use super::*;

    /// Numbers of all magnitudes up to `most`, of both signs, and many in between.
    fn numbers(most: f32) -> impl Iterator<Item = f32> {
        let small = (0..60).map(move |power| most / 2_f32.powi(power));
        let even = (0..100_000).map(move |index| most * index as f32 / 100_000.0);
        small.chain(even).flat_map(|x| [x, -x])
    }

    fn units(got: f32, wanted: f64) -> f64 {
        (f64::from(got) - wanted).abs()
            / (f64::from(f32::EPSILON) * wanted.abs().max(f64::from(f32::MIN_POSITIVE)))
    }

    #[test]
    fn powers_of_e_are_within_two_units_in_the_last_place() {
        let worst = numbers(87.3).map(|x| units(exp(x), f64::from(x).exp())).fold(0.0, f64::max);
        assert!(worst < 2.0, "{worst}");
    }

    #[test]
    fn powers_of_e_beyond_all_numbers_are_zero_infinite_or_not_a_number() {
        for (x, power) in
            [(-88.0, 0.0), (f32::NEG_INFINITY, 0.0), (89.0, f32::INFINITY), (f32::INFINITY, f32::INFINITY)]
        {
            assert_eq!(exp(x), power, "e^{x}");
        }
        assert!(exp(f32::NAN).is_nan());
        assert_eq!(exp(0.0), 1.0);
    }

    #[test]
    fn gelu_is_within_some_units_in_the_last_place_in_its_lower_tail_too() {
        // Below 0 it is a product with a power of e, whose exponent is as inexact as it is large.
        for x in numbers(5.0) {
            let exponent = if x < 0.0 { f64::from(x * x) } else { 0.0 };
            let (erf, tanh) = (reference::gelu_erf(x.into()), reference::gelu_tanh(x.into()));
            assert!(
                units(gelu_erf(x), erf) < 4.0 + exponent / 4.0,
                "gelu({x}) is {}, not {erf}",
                gelu_erf(x)
            );
            assert!(
                units(gelu_tanh(x), tanh) < 4.0 + 1.5 * exponent,
                "gelu({x}) is {}, not {tanh}",
                gelu_tanh(x)
            );
        }
    }

    #[test]
    fn gelu_of_large_numbers_is_the_number_or_zero() {
        for x in [15.0, 1e4, 1e19, 3e38] {
            assert_eq!((gelu_erf(x), gelu_tanh(x)), (x, x));
            assert_eq!((gelu_erf(-x), gelu_tanh(-x)), (0.0, 0.0));
        }
        assert!(gelu_erf(f32::NAN).is_nan() && gelu_tanh(f32::NAN).is_nan());
    }

    #[test]
    fn a_softmax_of_equal_numbers_is_even_and_one_that_is_far_larger_takes_all() {
        let mut output = [0.0; 4];
        softmax(&[1e30; 4], 1.0, &mut output);
        assert_eq!(output, [0.25; 4]);
        softmax(&[-1e30, 3.0, 1e30, f32::NEG_INFINITY], 1.0, &mut output);
        assert_eq!(output, [0.0, 0.0, 1.0, 0.0]);
        softmax(&[f32::NAN, 0.0, 0.0, 0.0], 1.0, &mut output);
        assert!(output.iter().all(|x| x.is_nan()), "what is no number is not hidden: {output:?}");
    }
}
