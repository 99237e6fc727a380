//! S3-FIFO and SIEVE as their papers print them, with nothing of a cache but who is in it.

use std::collections::{HashMap, VecDeque};

/// Algorithm 1 of "FIFO queues are all you need for cache eviction", SOSP 2023. The front of a queue is its head.
pub(crate) struct S3Fifo {
    size: usize,
    small: VecDeque<u32>,
    main: VecDeque<u32>,
    ghost: VecDeque<u32>,
    freq: HashMap<u32, u8>,
}

impl S3Fifo {
    pub(crate) fn new(size: usize) -> Self {
        let (small, main, ghost) = Default::default();
        Self { size, small, main, ghost, freq: HashMap::new() }
    }

    /// `true` if it is a hit.
    pub(crate) fn read(&mut self, x: u32) -> bool {
        if let Some(freq) = self.freq.get_mut(&x) {
            *freq = (*freq + 1).min(3);
            return true;
        }
        while self.small.len() + self.main.len() >= self.size {
            if self.small.len() >= self.small_share() { self.evict_s() } else { self.evict_m() }
        }
        if let Some(at) = self.ghost.iter().position(|ghost| *ghost == x) {
            self.ghost.remove(at);
            self.main.push_front(x);
        } else {
            self.small.push_front(x);
        }
        self.freq.insert(x, 0);
        false
    }

    fn evict_s(&mut self) {
        let mut evicted = false;
        while !evicted {
            let Some(t) = self.small.pop_back() else { break };
            if self.freq[&t] > 1 {
                self.freq.insert(t, 0);
                self.main.push_front(t);
                if self.main.len() > self.size - self.small_share() {
                    self.evict_m();
                }
            } else {
                self.freq.remove(&t);
                self.ghost.push_front(t);
                self.ghost.truncate(self.size - self.small_share());
                evicted = true;
            }
        }
    }

    fn evict_m(&mut self) {
        let mut evicted = false;
        while !evicted {
            let Some(t) = self.main.pop_back() else { break };
            if self.freq[&t] > 0 {
                self.main.push_front(t);
                *self.freq.get_mut(&t).expect("what is in the main queue is counted") -= 1;
            } else {
                self.freq.remove(&t);
                evicted = true;
            }
        }
    }

    fn small_share(&self) -> usize {
        (self.size / 10).max(1)
    }
}

/// Algorithm 1 of "SIEVE is Simpler than LRU", NSDI 2024.
pub(crate) struct Sieve {
    size: usize,
    /// From the tail to the head, each with its bit.
    queue: Vec<(u32, bool)>,
    hand: Option<usize>,
}

impl Sieve {
    pub(crate) fn new(size: usize) -> Self {
        Self { size, queue: Vec::new(), hand: None }
    }

    /// `true` if it is a hit.
    pub(crate) fn read(&mut self, x: u32) -> bool {
        if let Some((_, visited)) = self.queue.iter_mut().find(|(key, _)| *key == x) {
            *visited = true;
            return true;
        }
        if self.queue.len() == self.size {
            let mut o = self.hand.unwrap_or(0);
            while self.queue[o].1 {
                self.queue[o].1 = false;
                o = if o + 1 < self.queue.len() { o + 1 } else { 0 };
            }
            self.queue.remove(o);
            // The one before it towards the head is at its place now; none if it was the head.
            self.hand = (o < self.queue.len()).then_some(o);
        }
        self.queue.push((x, false));
        false
    }
}
