//! The figures of KV caches, which have no look-ups: their positions and their memory.

use metallic_instrumentation::{KvCacheRefused, KvCacheResized, KvCacheTruncated};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::buckets::{Buckets, Merge};
use super::level::Level;
use super::tally::FIRST_SHIFT;
use crate::input::RegistryId;
use crate::units::{bytes, count, total};

/// The figures of the KV caches of one name, of all registries together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvCacheFigures {
    /// Its name.
    pub cache: String,
    /// Its layers.
    pub layers: u64,
    /// Positions per sequence that there is room for at the end.
    pub capacity: u64,
    /// The most there ever was room for.
    pub peak_capacity: u64,
    /// The most positions per sequence that an event tells of.
    pub peak_positions: u64,
    /// Memory at the end, in bytes.
    pub bytes: u64,
    /// The most memory, in bytes; while a cache grows, it has its old tensors and its new ones.
    pub peak_bytes: u64,
    /// The number of times that tensors were created or freed.
    pub resized: u64,
    /// The time that those took, in nanoseconds.
    pub resizing_ns: u64,
    /// The number of times that positions were forgotten.
    pub truncated: u64,
    /// The number of times that it could not grow.
    pub refused: u64,
    /// The figures over time. Positions that were added between two events are not in the log.
    pub series: Vec<KvMoment>,
}

impl KvCacheFigures {
    /// The titles of [`cells`](Self::cells).
    pub(super) const TITLES: [&str; 8] =
        ["positions", "room", "most room", "bytes", "peak bytes", "resized", "rolled back", "refused"];

    /// The figures of a row, as they are read.
    pub(super) fn cells(&self) -> [String; 8] {
        [
            count(self.peak_positions),
            count(self.capacity),
            count(self.peak_capacity),
            bytes(self.bytes),
            bytes(self.peak_bytes),
            count(self.resized),
            count(self.truncated),
            count(self.refused),
        ]
    }
}

/// The figures of one KV cache in one bucket of time. Empty buckets are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvMoment {
    /// When the bucket begins.
    pub at: u64,
    /// Positions per sequence.
    pub positions: Option<Level>,
    /// Positions per sequence that there is room for.
    pub capacity: Option<Level>,
    /// Memory, in bytes.
    pub bytes: Option<Level>,
}

/// The figures of the KV caches of one name while a log is read.
#[derive(Clone, Debug)]
pub(super) struct KvTally {
    figures: KvCacheFigures,
    /// Positions, room and bytes by registry.
    now: FxHashMap<RegistryId, [u64; 3]>,
    pub(super) buckets: Buckets<KvBucket>,
}

/// Positions, room and bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct KvBucket([Option<Level>; 3]);

impl Merge for KvBucket {
    fn merge(&mut self, later: Self) {
        self.0.iter_mut().zip(later.0).for_each(|(level, later)| level.merge(later));
    }
}

impl KvTally {
    pub(super) fn new(name: &str) -> Self {
        Self {
            figures: KvCacheFigures {
                cache: name.to_owned(),
                layers: 0,
                capacity: 0,
                peak_capacity: 0,
                peak_positions: 0,
                bytes: 0,
                peak_bytes: 0,
                resized: 0,
                resizing_ns: 0,
                truncated: 0,
                refused: 0,
                series: Vec::new(),
            },
            now: FxHashMap::default(),
            buckets: Buckets::new(FIRST_SHIFT),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.figures.cache
    }

    pub(super) fn resized(&mut self, registry: RegistryId, event: &KvCacheResized, time: u64) {
        self.figures.layers = event.layers;
        self.figures.resized += 1;
        self.figures.resizing_ns = self.figures.resizing_ns.saturating_add(event.duration_ns);
        let others = self.sum(2).saturating_sub(self.now.get(&registry).map_or(0, |now| now[2]));
        self.figures.peak_bytes = self.figures.peak_bytes.max(others.saturating_add(event.peak_bytes));
        self.set(registry, [event.len, event.capacity, event.bytes], time);
    }

    pub(super) fn truncated(&mut self, registry: RegistryId, event: &KvCacheTruncated, time: u64) {
        self.figures.truncated += 1;
        let [_, capacity, bytes] = self.now.get(&registry).copied().unwrap_or_default();
        for positions in [event.from, event.to] {
            self.set(registry, [positions, capacity, bytes], time);
        }
    }

    pub(super) fn refused(&mut self, _: &KvCacheRefused) {
        self.figures.refused += 1;
    }

    /// The registries for which this holds are gone, with their tensors.
    pub(super) fn end(&mut self, is_over: impl Fn(RegistryId) -> bool, time: u64) {
        let over: Vec<_> = self.now.keys().copied().filter(|registry| is_over(*registry)).collect();
        over.into_iter().for_each(|registry| self.set(registry, [0; 3], time));
    }

    fn sum(&self, at: usize) -> u64 {
        total(self.now.values().map(|now| now[at]))
    }

    fn set(&mut self, registry: RegistryId, now: [u64; 3], time: u64) {
        self.now.insert(registry, now);
        let sums = [0, 1, 2].map(|at| self.sum(at));
        let [positions, capacity, bytes] = sums;
        let figures = &mut self.figures;
        figures.peak_positions = figures.peak_positions.max(positions);
        figures.peak_capacity = figures.peak_capacity.max(capacity);
        figures.peak_bytes = figures.peak_bytes.max(bytes);
        (figures.capacity, figures.bytes) = (capacity, bytes);
        let bucket = self.buckets.at(time);
        bucket.0.iter_mut().zip(sums).for_each(|(level, value)| Level::set(level, value));
    }

    pub(super) fn finish(self) -> KvCacheFigures {
        let moment = |(at, bucket): (u64, &KvBucket)| {
            let [positions, capacity, bytes] = bucket.0;
            positions.is_some().then_some(KvMoment { at, positions, capacity, bytes })
        };
        KvCacheFigures { series: self.buckets.iter().filter_map(moment).collect(), ..self.figures }
    }
}
