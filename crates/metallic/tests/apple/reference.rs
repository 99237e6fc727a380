//! The operations in f64, as their definitions read, and numbers to try them on.

use crate::gpu::Element;

/// Numbers in [-1, 1) that look random and are the same every time, rounded to `T`.
pub(crate) fn numbers<T: Element>(count: usize, seed: u64) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    (0..count).map(|_| T::from_f64(next())).collect()
}

pub(crate) fn wide<T: Element>(elements: &[T]) -> Vec<f64> {
    elements.iter().map(|element| element.to_f64()).collect()
}

/// The columns of a matrix as rows.
pub(crate) fn transposed(matrix: &[f64], columns: usize) -> Vec<f64> {
    (0..columns).flat_map(|column| matrix.iter().skip(column).step_by(columns).copied()).collect()
}

/// The product of an `m x k` and a `k x n` matrix.
pub(crate) fn product(a: &[f64], b: &[f64], k: usize, n: usize) -> Vec<f64> {
    let columns = transposed(b, n);
    a.chunks(k).flat_map(|row| columns.chunks(k).map(move |column| dot(row, column))).collect()
}

pub(crate) fn softmax(row: &[f64]) -> Vec<f64> {
    let greatest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = row.iter().map(|x| (x - greatest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Checks that every element is as close to its reference as `bound` says.
#[track_caller]
pub(crate) fn assert_close<T: Element>(what: &str, actual: &[T], expected: &[f64], bound: f64) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (i, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        let actual = actual.to_f64();
        assert!(
            (actual - expected).abs() <= bound,
            "{what}: {actual} instead of {expected} at {i}, bound {bound}"
        );
    }
}
