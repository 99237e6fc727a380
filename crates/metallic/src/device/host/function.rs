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
/// Its lower tail, at `-|x|`, is `e^(-x^2 / 2) t P(t)` with `t = 1 / (1 + 0.21 |x|)`: the form of Abramowitz and Stegun, Handbook
/// of Mathematical Functions, 7.1.26. `P` is the Chebyshev interpolant of degree 8 for `|x|` up to 14, beyond which the tail
/// is 0; it is exact to 4e-8 of the tail.
#[inline(always)]
pub(crate) fn gelu_erf(x: f32) -> f32 {
    const P: [f32; 9] = [
        -0.072_917_01,
        0.289_811_68,
        -0.343_357_13,
        0.364_744_2,
        -0.104_830_7,
        0.129_682_05,
        0.067_909_15,
        0.085_257_94,
        0.083_699_8,
    ];
    let t = 1.0 / (1.0 + 0.21 * x.abs());
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

/// What [`map`] can compute.
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
