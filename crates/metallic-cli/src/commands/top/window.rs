//! The figures of each of the last seconds.

/// The number of seconds that are kept.
pub(super) const SECONDS: usize = 120;

/// The figures of one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Second {
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) evicted: u64,
    pub(super) creation_ns: u64,
    /// Creations of stored artifacts.
    pub(super) loads: u64,
}

impl Second {
    /// The figures of both.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            hits: self.hits.saturating_add(other.hits),
            misses: self.misses.saturating_add(other.misses),
            evicted: self.evicted.saturating_add(other.evicted),
            creation_ns: self.creation_ns.saturating_add(other.creation_ns),
            loads: self.loads.saturating_add(other.loads),
        }
    }
}

/// The last [`SECONDS`] seconds, counted by the times of the events.
#[derive(Clone, Debug)]
pub(super) struct Window {
    seconds: [Second; SECONDS],
    /// The latest second there is.
    latest: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self { seconds: [Second::default(); SECONDS], latest: 0 }
    }
}

impl Window {
    /// The figures of the second with this number, which becomes the latest one if it is later than that; `None` if it is
    /// too long ago.
    pub(super) fn at(&mut self, second: u64) -> Option<&mut Second> {
        self.advance(second);
        let kept = self.latest - second < SECONDS as u64;
        kept.then(|| &mut self.seconds[(second % SECONDS as u64) as usize])
    }

    /// Makes this second the latest one, if it is later.
    pub(super) fn advance(&mut self, second: u64) {
        let passed = second.saturating_sub(self.latest).min(SECONDS as u64);
        for gone in 0..passed {
            self.seconds[((second - gone) % SECONDS as u64) as usize] = Second::default();
        }
        self.latest = self.latest.max(second);
    }

    /// Adds the figures of another window, each to those of the same second.
    pub(super) fn add(&mut self, other: &Self) {
        for second in other.latest.saturating_sub(SECONDS as u64 - 1)..=other.latest {
            let figures = other.seconds[(second % SECONDS as u64) as usize];
            if let Some(sum) = self.at(second) {
                *sum = sum.plus(figures);
            }
        }
    }

    /// The last `count` seconds, the latest one last.
    pub(super) fn last(&self, count: usize) -> impl Iterator<Item = Second> {
        let count = count.min(SECONDS) as u64;
        (0..count).rev().map(|ago| match self.latest.checked_sub(ago) {
            Some(second) => self.seconds[(second % SECONDS as u64) as usize],
            None => Second::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_pass_out_of_the_window() {
        let mut window = Window::default();
        window.at(1000).unwrap().hits += 3;
        window.at(1001).unwrap().hits += 4;
        assert_eq!(window.last(3).map(|second| second.hits).collect::<Vec<_>>(), [0, 3, 4]);
        window.advance(1000 + SECONDS as u64);
        assert_eq!(window.last(SECONDS).map(|second| second.hits).sum::<u64>(), 4);
        assert_eq!(window.at(1000), None);
    }

    #[test]
    fn windows_that_end_at_different_times_are_added_second_by_second() {
        let (mut one, mut other) = (Window::default(), Window::default());
        one.at(50).unwrap().hits += 1;
        other.at(48).unwrap().hits += 2;
        other.at(50).unwrap().hits += 4;
        other.at(51).unwrap().hits += 8;
        one.add(&other);
        assert_eq!(one.last(4).map(|second| second.hits).collect::<Vec<_>>(), [2, 0, 5, 8]);
    }

    #[test]
    fn an_event_that_comes_late_is_counted_where_it_belongs() {
        let mut window = Window::default();
        window.at(50).unwrap().misses += 1;
        window.at(48).unwrap().misses += 1;
        assert_eq!(window.last(3).map(|second| second.misses).collect::<Vec<_>>(), [1, 0, 1]);
    }
}
