//! Numbers that look random, and are the same on every machine.

/// Steele, Lea and Flood's SplitMix64: a counter, and a function that mixes its bits.
#[derive(Clone, Debug)]
pub struct Random {
    counter: u64,
}

impl Random {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Self {
        Self { counter: seed }
    }

    /// The next number.
    pub fn bits(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.counter ^ (self.counter >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Numbers that are spread evenly about 0, with this standard deviation.
    pub fn spread(&mut self, deviation: f32, count: usize) -> Vec<f32> {
        // Even from -w to w has a deviation of w / √3.
        let widest = deviation * 3f32.sqrt();
        let unit = 2f32 / (1u32 << 24) as f32;
        (0..count).map(|_| ((self.bits() >> 40) as f32 * unit - 1.0) * widest).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn a_seed_gives_the_published_sequence() {
        let mut random = Random::new(1_234_567);
        let first = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([random.bits(), random.bits(), random.bits()], first);
    }

    #[test]
    fn numbers_have_the_deviation_that_was_asked_for() {
        let numbers = Random::new(1).spread(0.5, 10_000);
        let mean = numbers.iter().sum::<f32>() / 1e4;
        let variance = numbers.iter().map(|x| x * x).sum::<f32>() / 1e4;
        assert!(mean.abs() < 0.02 && (variance.sqrt() - 0.5).abs() < 0.01, "{mean} {variance}");
    }
}
