//! Distributions of durations, in memory that does not grow.

/// Steps in which a power of two is divided.
const STEPS: usize = 16;
const STEP_BITS: u32 = STEPS.trailing_zeros();

/// The number of durations up to which each is kept as it is.
const FEW: usize = 256;

/// A histogram of durations, fine enough for quantiles: they are exact of the first 256, and then off by 6 % at most, and by far
/// less where the durations of a slot are spread over it.
#[derive(Clone, Debug)]
pub struct Durations {
    /// All, as long as they are few.
    few: Vec<u64>,
    counts: Box<[u64]>,
    count: u64,
    sum: u64,
    max: u64,
}

impl Default for Durations {
    fn default() -> Self {
        let slots = STEPS * (u64::BITS - STEP_BITS + 1) as usize;
        Self { few: Vec::new(), counts: vec![0; slots].into(), count: 0, sum: 0, max: 0 }
    }
}

impl Durations {
    /// Adds one of `ns` nanoseconds.
    pub fn add(&mut self, ns: u64) {
        if self.count < FEW as u64 {
            self.few.push(ns);
        }
        self.counts[slot(ns)] += 1;
        self.count += 1;
        self.sum = self.sum.saturating_add(ns);
        self.max = self.max.max(ns);
    }

    /// Their number.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum, in nanoseconds.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The longest, in nanoseconds.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The duration, in nanoseconds, that a share of `quantile` (from 0 to 1) does not exceed; `None` if there are none.
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        let rank = ((self.count as f64 * quantile).ceil() as u64).clamp(1, self.count.max(1));
        if self.count <= FEW as u64 {
            let mut sorted = self.few.clone();
            sorted.sort_unstable();
            return sorted.get(rank as usize - 1).copied();
        }
        let mut seen = 0;
        let slot = self.counts.iter().position(|&count| {
            seen += count;
            seen >= rank
        })?;
        // As if those of a slot were spread evenly over it.
        let (low, width) = bounds(slot);
        let above = (seen - rank) as f64 / self.counts[slot] as f64;
        Some((low + (width as f64 * (1.0 - above)) as u64).min(self.max))
    }
}

fn slot(ns: u64) -> usize {
    let Some(exponent) = ns.checked_ilog2().filter(|&exponent| exponent >= STEP_BITS) else {
        return ns as usize;
    };
    let step = (ns >> (exponent - STEP_BITS)) as usize % STEPS;
    (exponent - STEP_BITS + 1) as usize * STEPS + step
}

/// The shortest duration of a slot, and how many there are in it.
fn bounds(slot: usize) -> (u64, u64) {
    if slot < STEPS {
        return (slot as u64, 1);
    }
    let exponent = (slot / STEPS) as u32 - 1;
    (((STEPS + slot % STEPS) as u64) << exponent, 1 << exponent)
}

const US: u64 = 1_000;
const MS: u64 = 1_000 * US;
const S: u64 = 1_000 * MS;
const MIN: u64 = 60 * S;
const H: u64 = 60 * MIN;
const DAY: u64 = 24 * H;

/// A histogram of idle times on a coarse scale for people: 1, 2, 5, 10 and so on in the usual units.
#[derive(Clone, Debug)]
pub struct IdleAges {
    counts: [u64; IdleAges::EDGES.len() + 1],
}

impl Default for IdleAges {
    fn default() -> Self {
        Self { counts: [0; Self::EDGES.len() + 1] }
    }
}

impl IdleAges {
    /// The ages, in nanoseconds, at which one bar ends and the next begins.
    #[rustfmt::skip]
    pub const EDGES: [u64; 34] = [
        US, 2 * US, 5 * US, 10 * US, 20 * US, 50 * US, 100 * US, 200 * US, 500 * US,
        MS, 2 * MS, 5 * MS, 10 * MS, 20 * MS, 50 * MS, 100 * MS, 200 * MS, 500 * MS,
        S, 2 * S, 5 * S, 10 * S, 20 * S, MIN, 2 * MIN, 5 * MIN, 10 * MIN, 20 * MIN,
        H, 2 * H, 5 * H, DAY, 2 * DAY, 7 * DAY,
    ];

    /// Adds one of `ns` nanoseconds.
    pub fn add(&mut self, ns: u64) {
        self.counts[Self::EDGES.partition_point(|&edge| edge <= ns)] += 1;
    }

    /// The number in each bar: below the first edge, between each two, and from the last one on.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_holds_what_its_bounds_say() {
        for ns in (0..200).chain([1 << 20, (1 << 20) + 12_345, u64::MAX / 3, u64::MAX]) {
            let (low, width) = bounds(slot(ns));
            assert!(low <= ns && ns - low < width, "{ns}: {low} and {width} more");
        }
    }

    #[test]
    fn quantiles_are_near_the_exact_ones() {
        let mut durations = Durations::default();
        (1..=10_000).for_each(|n| durations.add(n * 1_000));
        for (quantile, exact) in [(0.5, 5e6), (0.95, 9.5e6), (1.0, 1e7)] {
            let found = durations.quantile(quantile).unwrap() as f64;
            assert!((found / exact - 1.0).abs() < 0.032, "{quantile}: {found}, not {exact}");
        }
        assert_eq!(durations.max(), 10_000_000);
    }

    #[test]
    fn quantiles_of_few_are_exact_and_none_is_beyond_the_longest() {
        let mut durations = Durations::default();
        durations.add(685);
        assert_eq!([0.5, 0.95].map(|quantile| durations.quantile(quantile)), [Some(685); 2]);
        durations.add(530);
        assert_eq!([0.5, 0.95].map(|quantile| durations.quantile(quantile)), [Some(530), Some(685)]);
        (0..10_000).for_each(|_| durations.add(685));
        assert!(durations.quantile(0.999) <= Some(685) && durations.quantile(0.5) > Some(655));
    }

    #[test]
    fn of_no_durations_there_is_no_quantile() {
        assert_eq!(Durations::default().quantile(0.5), None);
    }

    #[test]
    fn an_age_on_an_edge_is_in_the_bar_above_it() {
        let mut ages = IdleAges::default();
        ages.add(0);
        ages.add(MS);
        ages.add(2 * MS - 1);
        ages.add(u64::MAX);
        let above = |edge| IdleAges::EDGES.iter().position(|&other| other == edge).unwrap() + 1;
        assert_eq!((ages.counts()[0], ages.counts()[above(MS)], ages.counts()[above(7 * DAY)]), (1, 2, 1));
        assert_eq!(ages.counts().iter().sum::<u64>(), 4);
    }

    #[test]
    fn edges_ascend() {
        assert!(IdleAges::EDGES.is_sorted());
    }
}
