//! Figures over time, in a bounded number of buckets.

use std::collections::VecDeque;

/// The content of a bucket; two neighbours can be merged.
pub trait Merge: Default {
    /// Takes in the bucket that follows in time.
    fn merge(&mut self, later: Self);
}

/// Buckets of one width over the time a log covers.
///
/// The width is a power of two and doubles whenever the log would need more than [`Buckets::MAX`] of them, so that a log
/// of any length takes the same memory. Times may come in any order.
#[derive(Clone, Debug)]
pub struct Buckets<B> {
    /// The width is `1 << shift`.
    shift: u32,
    /// Which bucket since time 0 the first one is.
    first: u64,
    buckets: VecDeque<B>,
}

impl<B: Merge> Buckets<B> {
    /// The most buckets there ever are.
    pub const MAX: usize = 512;

    /// No buckets yet; the first ones will be `1 << shift` wide.
    pub fn new(shift: u32) -> Self {
        Self { shift, first: 0, buckets: VecDeque::new() }
    }

    /// The bucket that `time` falls into.
    pub fn at(&mut self, time: u64) -> &mut B {
        if self.buckets.is_empty() {
            self.first = time >> self.shift;
            self.buckets.push_back(B::default());
        }
        loop {
            let index = time >> self.shift;
            let last = self.first + (self.buckets.len() - 1) as u64;
            if index.max(last) - index.min(self.first) < Self::MAX as u64 {
                break;
            }
            self.coarsen();
        }
        let index = time >> self.shift;
        while index < self.first {
            self.buckets.push_front(B::default());
            self.first -= 1;
        }
        let offset = (index - self.first) as usize;
        while offset >= self.buckets.len() {
            self.buckets.push_back(B::default());
        }
        &mut self.buckets[offset]
    }

    /// The exponent of the width.
    pub fn shift(&self) -> u32 {
        self.shift
    }

    /// The time at which the first bucket begins and the one at which the last one ends; `None` if there are none.
    pub fn span(&self) -> Option<(u64, u64)> {
        let end = self.first + self.buckets.len() as u64;
        (!self.buckets.is_empty()).then(|| (self.first << self.shift, end.saturating_mul(1 << self.shift)))
    }

    /// Makes the width at least `1 << shift`.
    pub fn coarsen_to(&mut self, shift: u32) {
        while self.shift < shift {
            self.coarsen();
        }
    }

    /// The buckets, each with the time at which it begins.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &B)> {
        self.buckets.iter().zip(self.first..).map(|(bucket, index)| (index << self.shift, bucket))
    }

    /// Doubles the width.
    fn coarsen(&mut self) {
        let halved = self.first >> 1;
        let mut wider: VecDeque<B> = VecDeque::with_capacity(self.buckets.len() / 2 + 1);
        for (bucket, index) in self.buckets.drain(..).zip(self.first..) {
            let place = ((index >> 1) - halved) as usize;
            match wider.get_mut(place) {
                Some(earlier) => earlier.merge(bucket),
                None => wider.push_back(bucket),
            }
        }
        self.buckets = wider;
        self.first = halved;
        self.shift += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, Debug, PartialEq)]
    struct Count(u64);

    impl Merge for Count {
        fn merge(&mut self, later: Self) {
            self.0 += later.0;
        }
    }

    fn filled(times: impl IntoIterator<Item = u64>) -> Buckets<Count> {
        let mut buckets: Buckets<Count> = Buckets::new(0);
        for time in times {
            buckets.at(time).0 += 1;
        }
        buckets
    }

    #[test]
    fn nothing_is_lost_when_buckets_merge() {
        let buckets = filled((0..100_000).map(|n| n * 7919));
        assert!(buckets.iter().count() <= Buckets::<Count>::MAX);
        assert_eq!(buckets.iter().map(|(_, count)| count.0).sum::<u64>(), 100_000);
    }

    #[test]
    fn the_order_of_times_does_not_matter() {
        let forth = filled((0..2000).map(|n| n * 37));
        let back = filled((0..2000).rev().map(|n| n * 37));
        assert_eq!(forth.iter().collect::<Vec<_>>(), back.iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_time_is_in_the_bucket_that_spans_it() {
        let buckets = filled([10_000_000, 10_000_900]);
        let width = 1 << buckets.shift();
        let holding: Vec<_> =
            buckets.iter().filter(|(_, count)| count.0 > 0).map(|(start, _)| start).collect();
        assert!(holding[0] <= 10_000_000 && 10_000_000 < holding[0] + width);
        let last = holding[holding.len() - 1];
        assert!(last <= 10_000_900 && 10_000_900 < last + width);
    }

    #[test]
    fn the_ends_of_time_fit() {
        let buckets = filled([0, u64::MAX]);
        assert_eq!(buckets.iter().map(|(_, count)| count.0).sum::<u64>(), 2);
        assert_eq!(buckets.span(), Some((0, u64::MAX)));
    }
}
