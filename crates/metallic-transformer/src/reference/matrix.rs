//! Matrices of f64 on the host, and what transformers do with them.

use std::f64::consts::{FRAC_1_SQRT_2, PI};
use std::thread;

use crate::model::parts::{Layout, Linear, Norm};
use crate::model::{Activation, Weight};

/// Rows of equal width.
#[derive(Clone, Debug)]
pub(super) struct Matrix {
    pub(super) width: usize,
    pub(super) data: Vec<f64>,
}

impl Matrix {
    pub(super) fn zeros(rows: usize, width: usize) -> Self {
        Self { width, data: vec![0.0; rows * width] }
    }

    pub(super) fn rows(&self) -> impl DoubleEndedIterator<Item = &[f64]> {
        self.data.chunks_exact(self.width)
    }

    pub(super) fn row(&self, at: usize) -> &[f64] {
        &self.data[at * self.width..][..self.width]
    }

    /// The sum of rows of tables, for each position.
    pub(super) fn embedded(width: usize, positions: usize, row: impl Fn(usize) -> Vec<f64>) -> Self {
        let data: Vec<f64> = (0..positions).flat_map(row).collect();
        assert_eq!(data.len(), positions * width, "an embedding is as wide as a state");
        Self { width, data }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.data.iter_mut().zip(&other.data).for_each(|(a, b)| *a += b);
    }

    /// Each row through a function that writes a row of `width`, on as many threads as there are processors.
    pub(super) fn map(&self, width: usize, row: impl Fn(&[f64], &mut [f64]) + Sync) -> Self {
        let rows = self.data.len() / self.width;
        let mut result = Self::zeros(rows, width);
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let share = rows.div_ceil(threads).max(1);
        thread::scope(|scope| {
            let inputs = self.data.chunks(share * self.width);
            for (inputs, outputs) in inputs.zip(result.data.chunks_mut(share * width)) {
                let row = &row;
                scope.spawn(move || {
                    let outputs = outputs.chunks_exact_mut(width);
                    inputs
                        .chunks_exact(self.width)
                        .zip(outputs)
                        .for_each(|(input, output)| row(input, output));
                });
            }
        });
        result
    }

    pub(super) fn linear(&self, layer: &Linear) -> Self {
        self.map(layer.outputs(), |input, output| {
            output.iter_mut().zip(layer.bias.data()).for_each(|(out, bias)| *out = f64::from(*bias));
            match layer.layout {
                Layout::OutIn => add_products(&layer.weight, input, output),
                Layout::InOut => {
                    for (at, x) in input.iter().enumerate() {
                        let weights = layer.weight.row(at);
                        output.iter_mut().zip(weights).for_each(|(out, w)| *out += x * f64::from(*w));
                    }
                }
            }
        })
    }

    /// The product with each row of a table.
    pub(super) fn products(&self, table: &Weight) -> Self {
        self.map(table.shape()[0], |input, output| add_products(table, input, output))
    }

    pub(super) fn normalized(&self, norm: &Norm, epsilon: f32) -> Self {
        let count = self.width as f64;
        self.map(self.width, |input, output| {
            let mean = input.iter().sum::<f64>() / count;
            let variance = input.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
            let deviation = (variance + f64::from(epsilon)).sqrt();
            let learned = norm.gain.data().iter().zip(norm.bias.data());
            for ((out, x), (gain, bias)) in output.iter_mut().zip(input).zip(learned) {
                *out = f64::from(*gain) * (x - mean) / deviation + f64::from(*bias);
            }
        })
    }

    pub(super) fn activated(&self, activation: Activation) -> Self {
        self.map(self.width, |input, output| {
            for (out, x) in output.iter_mut().zip(input) {
                *out = match activation {
                    Activation::GeluErf => x / 2.0 * (1.0 + erf(x * FRAC_1_SQRT_2)),
                    Activation::GeluTanh => {
                        x / 2.0 * (1.0 + ((2.0 / PI).sqrt() * (x + 0.044715 * x * x * x)).tanh())
                    }
                };
            }
        })
    }
}

/// Attention over queries, keys and values that stand side by side in each row.
pub(super) fn attention(input: &Matrix, heads: usize, scale: f32, causal: bool) -> Matrix {
    let width = input.width / 3;
    let head_width = width / heads;
    let rows = input.data.len() / input.width;
    let positions = Matrix { width: 1, data: (0..rows).map(|row| row as f64).collect() };
    positions.map(width, |position, output| {
        let at = position[0] as usize;
        let seen = if causal { at + 1 } else { rows };
        for (head, output) in output.chunks_exact_mut(head_width).enumerate() {
            let part =
                |row: usize, part: usize| &input.row(row)[part * width + head * head_width..][..head_width];
            let query = part(at, 0);
            let score = |key: usize| {
                query.iter().zip(part(key, 1)).map(|(q, k)| q * k).sum::<f64>() * f64::from(scale)
            };
            let scores: Vec<f64> = (0..seen).map(score).collect();
            let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
            let total: f64 = weights.iter().sum();
            for (key, weight) in weights.iter().enumerate() {
                let value = part(key, 2);
                output.iter_mut().zip(value).for_each(|(out, v)| *out += weight / total * v);
            }
        }
    })
}

/// Adds to each output the product of the input with a row of the table, in several sums that a processor can do at once.
fn add_products(table: &Weight, input: &[f64], output: &mut [f64]) {
    const SUMS: usize = 8;
    for (at, out) in output.iter_mut().enumerate() {
        let row = table.row(at);
        let (inputs, inputs_left) = input.as_chunks::<SUMS>();
        let (weights, weights_left) = row.as_chunks::<SUMS>();
        let mut sums = [0.0; SUMS];
        for (inputs, weights) in inputs.iter().zip(weights) {
            for at in 0..SUMS {
                sums[at] += inputs[at] * f64::from(weights[at]);
            }
        }
        let left = inputs_left.iter().zip(weights_left).map(|(x, w)| x * f64::from(*w)).sum::<f64>();
        *out += sums.iter().sum::<f64>() + left;
    }
}

/// The error function, by a series whose terms are all positive, so that no digits cancel.
fn erf(x: f64) -> f64 {
    if x.abs() >= 6.0 {
        return x.signum();
    }
    let mut term = x;
    let mut sum = x;
    let mut odd = 1.0;
    while term.abs() > sum.abs() * 1e-17 {
        odd += 2.0;
        term *= 2.0 * x * x / odd;
        sum += term;
    }
    2.0 / PI.sqrt() * (-x * x).exp() * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_function_has_the_values_of_the_tables() {
        for (x, value) in [
            (0.0, 0.0),
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (-2.0, -0.995_322_265_018_952_7),
            (4.0, 0.999_999_984_582_742_1),
            (9.0, 1.0),
        ] {
            assert!((erf(x) - value).abs() < 1e-14, "{x}: {}", erf(x));
        }
    }

    #[test]
    fn both_layouts_of_a_linear_layer_give_the_same() {
        let rows = Weight::new("w", &[2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let columns = Weight::new("w", &[3, 2], vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        let bias = || Weight::new("b", &[2], vec![0.5, -0.5]);
        let input = Matrix { width: 3, data: vec![1.0, 0.0, -1.0, 2.0, 1.0, 1.0] };
        for (weight, layout) in [(rows, Layout::OutIn), (columns, Layout::InOut)] {
            let result = input.linear(&Linear { weight, bias: bias(), layout });
            assert_eq!(result.data, [-1.5, -2.5, 7.5, 18.5]);
        }
    }

    #[test]
    fn a_causal_position_sees_itself_and_those_before() {
        // One head of one number: queries of 0 look at all keys alike.
        let input = Matrix { width: 3, data: vec![0.0, 1.0, 2.0, 0.0, 1.0, 4.0] };
        assert_eq!(attention(&input, 1, 1.0, true).data, [2.0, 3.0]);
        assert_eq!(attention(&input, 1, 1.0, false).data, [3.0, 3.0]);
    }
}
