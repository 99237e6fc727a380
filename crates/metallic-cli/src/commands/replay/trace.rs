//! The accesses of one cache, as they were recorded.

use metallic::caching::EvictionPolicy;

/// The accesses to one cache, in order. An access takes 4 bytes, and 8 more where times are known; a recorded miss with
/// times another 8. What is known of a key is 16 bytes.
#[derive(Debug, Default)]
pub struct Trace {
    /// The cache's name; of a trace in another format, the file's.
    pub cache: String,
    accesses: Vec<u32>,
    /// When each look-up began, in nanoseconds; empty if that is not known of every access.
    times: Vec<u64>,
    /// When the creation of each recorded miss was over, in their order; empty if `times` is.
    done: Vec<u64>,
    /// The steps between the accesses, in order.
    steps: Vec<Step>,
    /// By key; NaN where nothing was measured, before [`finish`](Self::finish).
    prices: Vec<Price>,
    /// Keys of which no creation was measured, and that count as costing the mean of the others.
    pub unmeasured_keys: usize,
    /// Keys that were created again, so that what a rebuild costs was measured.
    pub rebuilt_keys: usize,
    /// The mean size of the resources in bytes, of those keys that have one; `None` if none has.
    pub bytes_per_entry: Option<f64>,
    untimed: bool,
}

/// The creation costs of one key, in nanoseconds: a driver that keeps compiled shaders makes the second one cheap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    /// The first one of a run of the program: the mean, if the log has several runs.
    pub first: f64,
    /// Any other: the mean.
    pub rebuild: f64,
}

impl Price {
    /// Nothing was measured.
    pub const UNKNOWN: Self = Self { first: f64::NAN, rebuild: f64::NAN };

    fn is_unknown(&self) -> bool {
        self.first.is_nan() && self.rebuild.is_nan()
    }
}

/// One look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Numbers the key, from 0 in the order of first appearance.
    pub key: u32,
    /// `true` if the recorded creation failed. In a replay in which the look-up misses, it fails too.
    pub fails: bool,
    /// `true` if the resource was there; `false` in a trace that does not say.
    pub hit: bool,
}

/// A change of a cache between two accesses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// It came before the access with this number.
    pub before: u32,
    /// When, in nanoseconds, if that is known.
    pub at: Option<u64>,
    /// The kind of event.
    pub kind: StepKind,
}

/// See [`Step`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StepKind {
    /// The caller set a policy.
    SetPolicy(EvictionPolicy),
    /// The caller removed this key.
    Remove(u32),
    /// The caller cleared the cache.
    Clear,
    /// Idle entries left without a look-up.
    ExpireIdle,
    /// The program was started anew: the cache was empty and had no policy.
    Restart,
}

const KEY: u32 = (1 << 30) - 1;
const FAILS: u32 = 1 << 30;
const HIT: u32 = 1 << 31;

impl Trace {
    /// A trace without accesses.
    pub fn new(cache: impl Into<String>) -> Self {
        Self { cache: cache.into(), ..Self::default() }
    }

    /// The most keys a trace can have.
    pub const MAX_KEYS: usize = KEY as usize;
    /// The most accesses a trace can have.
    pub const MAX_ACCESSES: usize = u32::MAX as usize - 2;

    /// Why nothing may be added any more, if the trace is full.
    pub fn obstacle(&self) -> Option<&'static str> {
        match () {
            () if self.keys() >= Self::MAX_KEYS => Some("more keys than a replay can number, 2^30"),
            () if self.len() >= Self::MAX_ACCESSES => Some("more accesses than a replay can number, 2^32"),
            () => None,
        }
    }

    /// Adds an access. `at` is when the look-up began, `done`, of a recorded miss, when its creation was over.
    pub fn push(&mut self, access: Access, at: Option<u64>, done: Option<u64>) {
        let Access { key, fails, hit } = access;
        self.number(key);
        self.accesses.push(key | if fails { FAILS } else { 0 } | if hit { HIT } else { 0 });
        let Some(at) = at.filter(|_| !self.untimed) else {
            self.forget_times();
            return;
        };
        self.times.push(at);
        if !hit {
            self.done.push(done.unwrap_or(at).max(at));
        }
    }

    /// Adds something that was done before the next access.
    pub fn push_step(&mut self, at: Option<u64>, kind: StepKind) {
        if let StepKind::Remove(key) = kind {
            self.number(key);
        }
        self.steps.push(Step { before: self.accesses.len() as u32, at, kind });
    }

    /// Takes the last step back, if nothing was accessed since and it is one that `is_meant`.
    pub(super) fn take_step_back(&mut self, is_meant: impl Fn(&Step) -> bool) {
        let next = self.accesses.len() as u32;
        self.steps.pop_if(|step| step.before == next && is_meant(step));
    }

    /// Adds that the program was started anew before the access with this number.
    pub(super) fn insert_restart(&mut self, before: u32) {
        let at = self.steps.partition_point(|step| step.before < before);
        self.steps.insert(at, Step { before, at: None, kind: StepKind::Restart });
    }

    /// Takes the restarts back.
    pub(super) fn remove_restarts(&mut self) {
        self.steps.retain(|step| step.kind != StepKind::Restart);
    }

    /// Sets what creating each key costs, by its number; NaN where that was not measured. A key without a measured creation
    /// counts as the mean of the others, and as nothing if there are none. A key whose rebuild was not measured is thought to be
    /// rebuilt in the same proportion to its first creation as those of which both were, and as dearly as it was made first if
    /// there are none; likewise the other way round.
    pub fn finish(&mut self, mut prices: Vec<Price>) {
        prices.resize(self.prices.len(), Price::UNKNOWN);
        self.unmeasured_keys = prices.iter().filter(|price| price.is_unknown()).count();
        self.rebuilt_keys = prices.iter().filter(|price| !price.rebuild.is_nan()).count();
        let both = prices.iter().filter(|price| !price.first.is_nan() && !price.rebuild.is_nan());
        let (first, rebuild) =
            both.fold((0.0, 0.0), |(first, rebuild), price| (first + price.first, rebuild + price.rebuild));
        let ratio = if first > 0.0 && rebuild > 0.0 { rebuild / first } else { 1.0 };
        for price in prices.iter_mut().filter(|price| !price.is_unknown()) {
            if price.first.is_nan() {
                price.first = price.rebuild / ratio;
            } else if price.rebuild.is_nan() {
                price.rebuild = price.first * ratio;
            }
        }
        let known = || prices.iter().filter(|price| !price.is_unknown());
        let mean = known().map(|price| price.first).sum::<f64>() / known().count().max(1) as f64;
        let usual = Price { first: mean, rebuild: mean * ratio };
        self.prices =
            prices.into_iter().map(|price| if price.is_unknown() { usual } else { price }).collect();
        for list in [&mut self.times, &mut self.done] {
            list.shrink_to_fit();
        }
        self.accesses.shrink_to_fit();
    }

    /// Accesses.
    pub fn len(&self) -> usize {
        self.accesses.len()
    }

    /// Returns `true` if there were no accesses.
    pub fn is_empty(&self) -> bool {
        self.accesses.is_empty()
    }

    /// Keys that are accessed in the last quarter of the trace, and not before.
    pub fn new_keys_in_last_quarter(&self) -> usize {
        let mut known = vec![false; self.keys()];
        let mut new_in = |accesses: &[u32]| {
            accesses
                .iter()
                .filter(|access| !std::mem::replace(&mut known[(**access & KEY) as usize], true))
                .count()
        };
        let (before, last) = self.accesses.split_at(self.len() - self.len() / 4);
        new_in(before);
        new_in(last)
    }

    /// Keys that were accessed, or removed.
    pub fn keys(&self) -> usize {
        self.prices.len()
    }

    /// Returns `true` if every access has a time.
    pub fn is_timed(&self) -> bool {
        !self.untimed && !self.times.is_empty()
    }

    /// Returns `true` if creation times were measured.
    pub fn is_costed(&self) -> bool {
        self.unmeasured_keys < self.prices.len()
    }

    /// The creation costs of each key, by its number.
    pub fn prices(&self) -> &[Price] {
        &self.prices
    }

    /// The access with this number.
    #[inline]
    pub fn access(&self, number: usize) -> Access {
        unpack(self.accesses[number])
    }

    /// All accesses.
    pub fn accesses(&self) -> impl ExactSizeIterator<Item = Access> + DoubleEndedIterator + '_ {
        self.accesses.iter().copied().map(unpack)
    }

    /// When the look-ups began, in nanoseconds; empty if the trace is not timed.
    pub fn times(&self) -> &[u64] {
        &self.times
    }

    /// When the creations of the recorded misses were over; empty if the trace is not timed.
    pub fn done(&self) -> &[u64] {
        &self.done
    }

    /// The steps between the accesses, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Makes room for what is known of a key.
    fn number(&mut self, key: u32) {
        if self.prices.len() <= key as usize {
            self.prices.resize(key as usize + 1, Price::UNKNOWN);
        }
    }

    fn forget_times(&mut self) {
        self.untimed = true;
        self.times = Vec::new();
        self.done = Vec::new();
    }
}

#[inline]
fn unpack(packed: u32) -> Access {
    Access { key: packed & KEY, fails: packed & FAILS != 0, hit: packed & HIT != 0 }
}

#[cfg(test)]
mod tests {
    use super::{Access, Price, StepKind, Trace};

    #[test]
    fn accesses_come_out_as_they_went_in() {
        let accesses = [
            Access { key: 0, fails: false, hit: false },
            Access { key: 0, fails: false, hit: true },
            Access { key: Trace::MAX_KEYS as u32 / 1000, fails: true, hit: false },
        ];
        let mut trace = Trace::new("c");
        trace.push_step(None, StepKind::Clear);
        for access in accesses {
            trace.push(access, Some(5), Some(7));
        }
        assert!(trace.accesses().eq(accesses));
        assert_eq!((trace.times(), trace.done()), (&[5; 3][..], &[7; 2][..]));
        assert_eq!(trace.steps()[0].before, 0);
    }

    #[test]
    fn one_access_without_a_time_leaves_the_trace_without_times() {
        let mut trace = Trace::new("c");
        for at in [Some(1), None, Some(3)] {
            trace.push(Access { key: 0, fails: false, hit: true }, at, None);
        }
        assert!(!trace.is_timed() && trace.times().is_empty());
    }

    #[test]
    fn a_key_without_a_measured_creation_counts_as_the_mean() {
        let mut trace = Trace::new("c");
        for key in 0..3 {
            trace.push(Access { key, fails: false, hit: false }, None, None);
        }
        let price = |first, rebuild| Price { first, rebuild };
        trace.finish(vec![price(10.0, f64::NAN), Price::UNKNOWN, price(30.0, 3.0)]);
        assert_eq!(trace.prices(), [price(10.0, 1.0), price(20.0, 2.0), price(30.0, 3.0)]);
        assert_eq!((trace.unmeasured_keys, trace.rebuilt_keys), (1, 1));
    }
}
