//! Random cases from a fixed seed, and the smallest one that fails.

use std::fmt::Debug;

use metallic::device::ComputeDevice;
use metallic::tensor::Dtype;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// The fault of a case.
pub(crate) type Outcome = Result<(), String>;

/// Tries `check` on so many cases for each type of element, and panics with the smallest that fails.
pub(crate) fn try_cases<D: ComputeDevice, C: Debug>(
    name: &str,
    device: &D,
    cases: usize,
    strategy: impl Strategy<Value = C>,
    check: impl Fn(&D, Dtype, &C) -> Outcome,
) {
    for dtype in [Dtype::F32, Dtype::F16].into_iter().filter(|dtype| device.supports(*dtype)) {
        let cases = u32::try_from(cases).unwrap_or(u32::MAX);
        // In milliseconds: the smallest case that is found in that time will do.
        let max_shrink_time = 10_000;
        let config = Config { cases, failure_persistence: None, max_shrink_time, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let result = runner.run(&strategy, |case| check(device, dtype, &case).map_err(TestCaseError::fail));
        if let Err(error) = result {
            panic!("{name} of {dtype}: {error}");
        }
    }
}

/// Unwraps a result of the device.
pub(crate) fn done<T>(what: &str, result: Result<T, metallic::error::MetalError>) -> Result<T, String> {
    result.map_err(|error| {
        let source =
            std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        format!("{what}: {error}{source}")
    })
}

/// A size up to about `most`, often one at which something changes: 1, an odd number, a power of two or a neighbour of one.
pub(crate) fn size(most: usize) -> impl Strategy<Value = usize> {
    let edges: Vec<usize> = (0..usize::BITS)
        .map(|power| 1_usize << power)
        .take_while(|power| *power <= most)
        .flat_map(|power| [power - 1, power, power + 1])
        .filter(|edge| *edge > 0)
        .collect();
    prop_oneof![1 => Just(1), 3 => 1..=most, 3 => select(edges)]
}

/// A factor: often one at which something changes.
pub(crate) fn factor() -> impl Strategy<Value = f32> {
    prop_oneof![Just(0.0), Just(1.0), -2.0_f32..2.0]
}

/// Numbers that look random: Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014.
#[derive(Clone, Debug)]
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    fn next_bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// So many numbers around `center`, at most `spread` away.
    pub(crate) fn around(&mut self, center: f32, spread: f32, count: usize) -> Vec<f32> {
        let mut next = || {
            let unit = (self.next_bits() >> 40) as f32 / (1_u64 << 23) as f32 - 1.0;
            center + spread * unit
        };
        (0..count).map(|_| next()).collect()
    }
}
