//! The limit: what a cache would miss that knew the future.
//!
//! Belady's rule evicts the entry whose next use is farthest away. Here the cache is the set of the moments at which its
//! entries are used next: an access hits exactly if its own number is in the set, and the victim is the set's last
//! element. The set is a tree of 64-bit words, so that one access costs O(log n) with a base of 64.

use super::trace::{StepKind, Trace};

/// The uses of each key in a trace, chained. Made once and asked for every capacity.
#[derive(Debug)]
pub struct Foresight {
    /// By access: the number of the next access that could find what this one leaves behind, or [`NEVER`] or [`NOWHERE`].
    next: Vec<u32>,
    compulsory: u64,
    compulsory_cost_ns: f64,
}

/// The outcome of a cache with foresight.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Optimum {
    /// The fewest misses there can be.
    pub misses: u64,
    /// The time of these misses, in nanoseconds. Where costs differ widely, a policy that minds them can do better than
    /// this, which minds the number alone.
    pub cost_ns: f64,
}

/// The entry is of no more use: it is not asked for again before it is removed.
const NEVER: u32 = u32::MAX;
/// There is no entry: the creation failed.
const NOWHERE: u32 = u32::MAX - 1;

impl Foresight {
    /// Looks through the trace once, in O(n). Takes 4 bytes an access and 9 a key.
    pub fn new(trace: &Trace) -> Self {
        let mut next = vec![NEVER; trace.len()];
        // By key: the access that could last have left an entry behind.
        let mut last = vec![NEVER; trace.keys()];
        let (mut compulsory, mut compulsory_cost_ns) = (0, 0.0);
        let mut made = vec![false; trace.keys()];
        // Entries that were left behind before this access are gone.
        let mut emptied_before = 0;
        let mut steps = trace.steps();
        for (number, access) in trace.accesses().enumerate() {
            while let Some((step, rest)) = steps.split_first()
                && step.before as usize == number
            {
                steps = rest;
                match step.kind {
                    StepKind::Remove(key) => last[key as usize] = NEVER,
                    StepKind::Clear => emptied_before = number as u32,
                    StepKind::Restart => {
                        emptied_before = number as u32;
                        made.fill(false);
                    }
                    StepKind::SetPolicy(_) | StepKind::ExpireIdle => {}
                }
            }
            let last = &mut last[access.key as usize];
            if *last != NEVER && *last >= emptied_before {
                next[*last as usize] = number as u32;
                // What it finds it leaves: a creation that failed is no matter if it was not needed.
                *last = number as u32;
            } else {
                compulsory += 1;
                compulsory_cost_ns += cost(trace, access.key, &mut made);
                if access.fails {
                    next[number] = NOWHERE;
                } else {
                    *last = number as u32;
                }
            }
        }
        Self { next, compulsory, compulsory_cost_ns }
    }

    /// Misses that no policy and no capacity can save: nothing with that key was created before, or not since it was
    /// removed.
    pub fn compulsory(&self) -> u64 {
        self.compulsory
    }

    /// The time of the compulsory misses, in nanoseconds.
    pub fn compulsory_cost_ns(&self) -> f64 {
        self.compulsory_cost_ns
    }

    /// The fewest misses that any policy can have with this many entries. A creation that failed counts as one that
    /// succeeded where the entry could have been there, so that this is a limit with failures too.
    pub fn optimum(&self, trace: &Trace, capacity: usize) -> Optimum {
        let capacity = capacity.max(1);
        let mut uses = MomentSet::new(trace.len());
        let (mut entries, mut useless) = (0_usize, 0_usize);
        let mut optimum = Optimum::default();
        let mut made = vec![false; trace.keys()];
        let mut steps = trace.steps();
        for (number, access) in trace.accesses().enumerate() {
            while let Some((step, rest)) = steps.split_first()
                && step.before as usize == number
            {
                steps = rest;
                if step.kind == StepKind::Restart {
                    made.fill(false);
                }
                if matches!(step.kind, StepKind::Clear | StepKind::Restart) {
                    // All of them are useless: `new` has broken their chains.
                    (entries, useless) = (0, 0);
                }
            }
            let next = self.next[number];
            if uses.remove(number as u32) {
                entries -= 1;
            } else {
                optimum.misses += 1;
                optimum.cost_ns += cost(trace, access.key, &mut made);
                if next == NOWHERE {
                    continue;
                }
                if entries == capacity {
                    if useless > 0 {
                        useless -= 1;
                    } else {
                        uses.remove_last();
                    }
                    entries -= 1;
                }
            }
            entries += 1;
            if next == NEVER {
                useless += 1;
            } else {
                uses.insert(next);
            }
        }
        optimum
    }
}

/// The cost of a miss of this key, which makes it.
fn cost(trace: &Trace, key: u32, made: &mut [bool]) -> f64 {
    let price = &trace.prices()[key as usize];
    if std::mem::replace(&mut made[key as usize], true) { price.rebuild } else { price.first }
}

/// A set of moments: a tree of words in which a bit is set if the word below it is not zero.
struct MomentSet {
    levels: Vec<Vec<u64>>,
}

impl MomentSet {
    fn new(moments: usize) -> Self {
        let mut levels = vec![vec![0; moments.div_ceil(64).max(1)]];
        while let Some(below) = levels.last().map(Vec::len).filter(|len| *len > 1) {
            levels.push(vec![0; below.div_ceil(64)]);
        }
        Self { levels }
    }

    #[inline]
    fn insert(&mut self, moment: u32) {
        let mut at = moment as usize;
        for level in &mut self.levels {
            let word = &mut level[at / 64];
            let was_empty = *word == 0;
            *word |= 1 << (at % 64);
            if !was_empty {
                break;
            }
            at /= 64;
        }
    }

    /// Removes a moment, and says whether it was there.
    #[inline]
    fn remove(&mut self, moment: u32) -> bool {
        let mut at = moment as usize;
        if self.levels[0][at / 64] & 1 << (at % 64) == 0 {
            return false;
        }
        for level in &mut self.levels {
            let word = &mut level[at / 64];
            *word &= !(1 << (at % 64));
            if *word != 0 {
                break;
            }
            at /= 64;
        }
        true
    }

    #[inline]
    fn remove_last(&mut self) {
        let mut at = 0;
        for level in self.levels.iter().rev() {
            let word = level[at];
            if word == 0 {
                return;
            }
            at = at * 64 + 63 - word.leading_zeros() as usize;
        }
        self.remove(at as u32);
    }
}
