//! The hashes of keys whose entries were evicted lately.

use std::collections::{HashMap, VecDeque};

use rustc_hash::FxBuildHasher;

/// A queue of hashes in which one can be found and taken out.
#[derive(Default)]
pub(super) struct Ghosts {
    /// Numbers of the hashes in the queue.
    numbers: HashMap<u64, u64, FxBuildHasher>,
    /// From the oldest to the newest. A hash is there no more if its number is another or none: it is skipped later.
    queue: VecDeque<(u64, u64)>,
    last: u64,
    capacity: usize,
}

impl Ghosts {
    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
        while self.numbers.len() > capacity {
            self.forget_oldest();
        }
        self.tidy();
    }

    /// Adds a hash as the newest; the oldest goes if there are too many.
    pub(super) fn insert(&mut self, hash: u64) {
        if self.capacity == 0 {
            return;
        }
        self.last += 1;
        self.numbers.insert(hash, self.last);
        self.queue.push_back((hash, self.last));
        if self.numbers.len() > self.capacity {
            self.forget_oldest();
        }
        self.tidy();
    }

    /// Takes a hash out, if it is there.
    pub(super) fn remove(&mut self, hash: u64) -> bool {
        let was_there = self.numbers.remove(&hash).is_some();
        self.tidy();
        was_there
    }

    pub(super) fn clear(&mut self) {
        *self = Self { capacity: self.capacity, ..Self::default() };
    }

    /// Panics unless every hash is in the queue, which holds not many others.
    pub(super) fn validate(&self) {
        let live = self.queue.iter().filter(|(hash, number)| self.numbers.get(hash) == Some(number));
        assert_eq!(live.count(), self.numbers.len(), "each ghost is in the queue once");
        assert!(self.numbers.len() <= self.capacity, "there are no more ghosts than may be");
        assert!(self.queue.len() <= 2 * self.numbers.len() + SPARE, "few places are of hashes that are gone");
    }

    fn forget_oldest(&mut self) {
        while let Some((hash, number)) = self.queue.pop_front() {
            if self.numbers.get(&hash) == Some(&number) {
                self.numbers.remove(&hash);
                return;
            }
        }
    }

    /// Drops what is skipped when it is the larger part: O(1) a hash that was taken out.
    fn tidy(&mut self) {
        if self.queue.len() > 2 * self.numbers.len() + SPARE {
            self.queue.retain(|(hash, number)| self.numbers.get(hash) == Some(number));
        }
    }
}

const SPARE: usize = 16;
