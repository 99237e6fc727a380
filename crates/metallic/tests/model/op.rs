//! The operations, and how any bytes are a sequence of them.

use std::time::Duration;

use metallic::caching::EvictionPolicy;

/// One step of a test.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    /// Something is done to one of the caches. Indices beyond the last mean the last.
    Cache(u8, CacheOp),
    /// The clock moves.
    Advance(Duration),
    /// The registry is given a sink that wants events of these kinds, one bit for each. Before the first of these there is no
    /// sink.
    Listen(u16),
    /// The sink, if there is one, panics from now on whenever it has taken an event, or does not any more.
    Disturb(bool),
    /// `CacheRegistry::next_generation`.
    NextGeneration,
    /// `CacheRegistry::expire_idle`.
    ExpireAll,
    /// `CacheRegistry::clear`.
    ClearAll,
    /// The slot is filled with one thing more.
    FillSlot,
    /// `CacheRegistry::clear_slot`.
    ClearSlot,
}

/// One step on one cache.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CacheOp {
    Get { key: u16, creation: Creation },
    Peek { key: u16 },
    Remove { key: u16 },
    Clear,
    ExpireIdle,
    SetPolicy(Policy),
}

/// How a creation goes, should the cache ask for one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Creation {
    /// The clock moves by this meanwhile.
    pub(crate) cost: Duration,
    pub(crate) ending: Ending,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ending {
    Success,
    /// The resource panics when it is dropped.
    Trap,
    Failure,
    Panic,
    /// The resource is made, and panics when it is asked how much it holds.
    PanicInBytes,
}

/// A policy as a caller spells it: a constructor, and then builders.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) start: Start,
    pub(crate) max: Option<usize>,
    pub(crate) idle: Option<Duration>,
    pub(crate) generations: Option<u32>,
    pub(crate) min: Option<usize>,
}

impl Policy {
    pub(super) fn strategy(&self) -> &'static str {
        match self.start {
            Start::None => "none",
            Start::SizeLimitedLru(_) => "size_limited_lru",
            Start::Lru => "lru",
            Start::Fifo => "fifo",
            Start::IdleTimeout(_) => "idle_timeout",
            Start::Hybrid(..) => "hybrid",
            Start::S3Fifo(_) => "s3_fifo",
            Start::Sieve(_) => "sieve",
        }
    }

    pub(super) fn max_entries(&self) -> Option<usize> {
        self.max.or(match self.start {
            Start::SizeLimitedLru(max) | Start::Hybrid(max, _) | Start::S3Fifo(max) | Start::Sieve(max) => {
                Some(max)
            }
            _ => None,
        })
    }

    pub(super) fn max_idle(&self) -> Option<Duration> {
        self.idle.or(match self.start {
            Start::IdleTimeout(idle) | Start::Hybrid(_, idle) => Some(idle),
            _ => None,
        })
    }

    pub(super) fn min_entries(&self) -> usize {
        self.min.unwrap_or(0)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    None,
    SizeLimitedLru(usize),
    Lru,
    Fifo,
    IdleTimeout(Duration),
    Hybrid(usize, Duration),
    S3Fifo(usize),
    Sieve(usize),
}

impl Policy {
    pub(crate) fn build(self) -> EvictionPolicy {
        let mut policy = match self.start {
            Start::None => EvictionPolicy::none(),
            Start::SizeLimitedLru(max) => EvictionPolicy::size_limited_lru(max),
            Start::Lru => EvictionPolicy::lru(),
            Start::Fifo => EvictionPolicy::fifo(),
            Start::IdleTimeout(idle) => EvictionPolicy::idle_timeout(idle),
            Start::Hybrid(max, idle) => EvictionPolicy::hybrid(max, idle),
            Start::S3Fifo(max) => EvictionPolicy::s3_fifo(max),
            Start::Sieve(max) => EvictionPolicy::sieve(max),
        };
        if let Some(max) = self.max {
            policy = policy.with_max_entries(max);
        }
        if let Some(idle) = self.idle {
            policy = policy.with_max_idle_duration(idle);
        }
        if let Some(generations) = self.generations {
            policy = policy.with_max_idle_generations(generations);
        }
        if let Some(min) = self.min {
            policy = policy.with_min_entries(min);
        }
        policy
    }

    /// The same policy with other idle times.
    pub(crate) fn map_idle(mut self, change: fn(Duration) -> Duration) -> Self {
        self.idle = self.idle.map(change);
        if let Start::IdleTimeout(idle) | Start::Hybrid(_, idle) = &mut self.start {
            *idle = change(*idle);
        }
        self
    }
}

/// Durations are small multiples of this, so that an age often equals a limit. It is no whole number of milliseconds, and
/// few enough nanoseconds that a multiple of it costs no precision as an `f32`.
pub(crate) const UNIT: Duration = Duration::from_micros(1500);

/// Reads operations from any bytes, whatever they are, until they run out.
pub(crate) fn decode(bytes: &[u8]) -> Vec<Op> {
    let mut bytes = bytes.iter().copied();
    std::iter::from_fn(|| {
        let opcode = bytes.next()?;
        let mut next = || bytes.next().unwrap_or(0);
        let cache = opcode >> 6;
        Some(match opcode & 0x3f {
            0 => Op::Advance(duration(next())),
            1 => Op::Listen(u16::from_le_bytes([next(), next()])),
            2 => Op::ExpireAll,
            3 => Op::ClearAll,
            36 => Op::NextGeneration,
            35 => Op::Disturb(next() % 2 == 0),
            4 => Op::FillSlot,
            5 => Op::ClearSlot,
            6 => Op::Cache(cache, CacheOp::Clear),
            7 => Op::Cache(cache, CacheOp::ExpireIdle),
            8..=11 => Op::Cache(cache, CacheOp::Remove { key: key(next()) }),
            12 => Op::Cache(cache, CacheOp::Peek { key: key(next()) }),
            13..=17 => Op::Cache(cache, CacheOp::SetPolicy(policy([next(), next(), next(), next()]))),
            18..=25 => Op::Advance(UNIT * u32::from(next() % 8)),
            rest => {
                let ending = match rest {
                    26..=28 => Ending::Failure,
                    29 | 30 => Ending::Panic,
                    31 => Ending::PanicInBytes,
                    32..=34 => Ending::Trap,
                    _ => Ending::Success,
                };
                let (id, cost) = (next(), UNIT * u32::from(rest % 3));
                Op::Cache(cache, CacheOp::Get { key: key(id), creation: Creation { cost, ending } })
            }
        })
    })
    .collect()
}

fn key(byte: u8) -> u16 {
    u16::from(byte % 32)
}

fn limit(byte: u8) -> usize {
    match byte {
        255 => usize::MAX,
        byte => usize::from(byte % 24),
    }
}

fn duration(byte: u8) -> Duration {
    match byte {
        255 => Duration::MAX,
        254 => Duration::from_nanos(u64::MAX / 2),
        253 => Duration::from_nanos(1),
        byte => UNIT * u32::from(byte % 12),
    }
}

fn policy([start, max, idle, min]: [u8; 4]) -> Policy {
    Policy {
        start: match start % 8 {
            0 => Start::None,
            1 => Start::SizeLimitedLru(limit(max)),
            2 => Start::Lru,
            3 => Start::Fifo,
            4 => Start::IdleTimeout(duration(idle)),
            5 => Start::Hybrid(limit(max), duration(idle)),
            6 => Start::S3Fifo(limit(max)),
            _ => Start::Sieve(limit(max)),
        },
        max: (start & 0x20 != 0).then(|| limit(max)),
        idle: (start & 0x40 != 0).then(|| duration(idle)),
        generations: (start & 0x10 != 0).then(|| u32::from(min % 4)),
        min: (start & 0x80 != 0).then(|| limit(min)),
    }
}
