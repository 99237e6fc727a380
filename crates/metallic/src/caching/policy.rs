//! Which entries a cache lets go, and when.

mod reason;
mod spelling;

use std::fmt;
use std::time::Duration;

pub use reason::EvictionReason;
pub use spelling::ParsePolicyError;

/// The rule by which a cache evicts entries: a strategy to start from, and limits to adjust it with.
///
/// ```
/// # use std::time::Duration;
/// use metallic::caching::EvictionPolicy;
///
/// let policy = EvictionPolicy::lru()
///     .with_max_entries(1000)
///     .with_max_idle_duration(Duration::from_secs(300))
///     .with_min_entries(10);
/// assert_eq!(policy.max_entries(), Some(1000));
/// assert_eq!(policy.to_string(), "lru:1000,idle=300s,min=10");
/// assert_eq!("lru:1000,idle=300s,min=10".parse(), Ok(policy));
/// ```
///
/// A limit holds on every strategy: with an idle time idle entries expire, with a maximum entries are evicted to make room.
/// The strategy decides which entries those are, and how many per miss:
///
/// | strategy | victim | entries evicted on a miss when the cache is over its limit |
/// |---|---|---|
/// | `none`, `size_limited_lru`, `idle_timeout`, `hybrid` | least recently used | as many as are over it |
/// | `lru` | least recently used | one |
/// | `fifo` | created first | one |
/// | `sieve` | the next in creation order that was not used since it was last passed over | as many as are over it |
/// | `s3_fifo` | a newcomer used at most once, or one that is used no more | as many as are over it |
///
/// A scan, which uses many keys once, empties an LRU cache; `sieve` and `s3_fifo` resist it, and cost a hit no more than
/// `fifo` does.
///
/// As text, a policy is its strategy with the arguments of its constructor and then the other limits, as in
/// `hybrid:100:5s,min=10`; see [`FromStr`](#impl-FromStr-for-EvictionPolicy).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EvictionPolicy {
    strategy: EvictionStrategy,
    max_entries: Option<usize>,
    max_idle: Option<Duration>,
    max_idle_generations: Option<u32>,
    min_entries: usize,
}

/// The order in which entries are evicted to make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VictimOrder {
    Recency,
    Creation,
    Sieve,
    S3Fifo,
}

/// The strategy a policy started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EvictionStrategy {
    /// Evicts nothing.
    None,
    /// Evicts the least recently used entries until the cache is within its limit.
    SizeLimitedLru,
    /// Evicts the least recently used entry.
    Lru,
    /// Evicts the entry created first.
    Fifo,
    /// Entries expire that were not used for a time.
    IdleTimeout,
    /// Both a limit and an idle time.
    Hybrid,
    /// S3-FIFO: newcomers that are not used twice are evicted early.
    S3Fifo,
    /// SIEVE: of the oldest entries, those not used lately are evicted.
    Sieve,
}

impl EvictionStrategy {
    /// The strategy's name in events.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SizeLimitedLru => "size_limited_lru",
            Self::Lru => "lru",
            Self::Fifo => "fifo",
            Self::IdleTimeout => "idle_timeout",
            Self::Hybrid => "hybrid",
            Self::S3Fifo => "s3_fifo",
            Self::Sieve => "sieve",
        }
    }
}

impl fmt::Display for EvictionStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl EvictionPolicy {
    /// Entries stay until they are removed. The policy of a new cache.
    pub const fn none() -> Self {
        Self::start(EvictionStrategy::None)
    }

    /// At most `max_entries` entries: the least recently used ones are evicted. 0 acts as 1, since the caller is handed a
    /// reference to the newest entry.
    pub const fn size_limited_lru(max_entries: usize) -> Self {
        Self::start(EvictionStrategy::SizeLimitedLru).with_max_entries(max_entries)
    }

    /// On a miss in a full cache, evicts the least recently used entry. Evicts nothing unless
    /// [`with_max_entries`](Self::with_max_entries) sets a limit.
    pub const fn lru() -> Self {
        Self::start(EvictionStrategy::Lru)
    }

    /// On a miss in a full cache, evicts the entry created first. Evicts nothing unless
    /// [`with_max_entries`](Self::with_max_entries) sets a limit.
    pub const fn fifo() -> Self {
        Self::start(EvictionStrategy::Fifo)
    }

    /// Entries expire when they were not used for longer than `max_idle`. Whether some were is checked at every
    /// operation of the cache, at the cost of one comparison.
    pub const fn idle_timeout(max_idle: Duration) -> Self {
        Self::start(EvictionStrategy::IdleTimeout).with_max_idle_duration(max_idle)
    }

    /// [`size_limited_lru`](Self::size_limited_lru) and [`idle_timeout`](Self::idle_timeout) together.
    pub const fn hybrid(max_entries: usize, max_idle: Duration) -> Self {
        Self::start(EvictionStrategy::Hybrid).with_max_entries(max_entries).with_max_idle_duration(max_idle)
    }

    /// At most `max_entries` entries, evicted by S3-FIFO (Yang et al., SOSP 2023): a newcomer passes through a small queue of
    /// a tenth of them, and goes on to the main queue if it was used twice, or if its key was evicted lately. 0 acts as 1.
    pub const fn s3_fifo(max_entries: usize) -> Self {
        Self::start(EvictionStrategy::S3Fifo).with_max_entries(max_entries)
    }

    /// At most `max_entries` entries, evicted by SIEVE (Zhang et al., NSDI 2024): a hand passes over them in creation order,
    /// and the first that was not used since it last passed is evicted. 0 acts as 1.
    pub const fn sieve(max_entries: usize) -> Self {
        Self::start(EvictionStrategy::Sieve).with_max_entries(max_entries)
    }

    /// Sets the limit on entries.
    pub const fn with_max_entries(mut self, max_entries: usize) -> Self {
        self.max_entries = Some(max_entries);
        self
    }

    /// Sets the time after which an unused entry expires.
    pub const fn with_max_idle_duration(mut self, max_idle: Duration) -> Self {
        self.max_idle = Some(max_idle);
        self
    }

    /// Sets the number of generations for which an entry may be unused; one that was last used in an earlier generation expires.
    /// A generation is what the engine calls one, a step, a frame or a request, and ends with the registry's
    /// [`next_generation`](super::CacheRegistry::next_generation), which is when entries expire. For entries that are there
    /// when the limit is first set, it counts from then on.
    pub const fn with_max_idle_generations(mut self, max_idle_generations: u32) -> Self {
        self.max_idle_generations = Some(max_idle_generations);
        self
    }

    /// Sets the number of entries that eviction never goes below. Takes precedence over the other limits: with as many entries
    /// or more as the maximum, the cache may grow to `min_entries + 1`.
    pub const fn with_min_entries(mut self, min_entries: usize) -> Self {
        self.min_entries = min_entries;
        self
    }

    /// The strategy this policy started from.
    pub const fn strategy(&self) -> EvictionStrategy {
        self.strategy
    }

    /// The limit on entries as it was set.
    pub const fn max_entries(&self) -> Option<usize> {
        self.max_entries
    }

    /// The time after which an unused entry expires.
    pub const fn max_idle_duration(&self) -> Option<Duration> {
        self.max_idle
    }

    /// The number of generations for which an entry may be unused.
    pub const fn max_idle_generations(&self) -> Option<u32> {
        self.max_idle_generations
    }

    /// The number of entries that eviction never goes below.
    pub const fn min_entries(&self) -> usize {
        self.min_entries
    }

    /// The limit on entries in force: `max(max_entries, min_entries + 1)`, where there is a maximum.
    pub fn capacity(&self) -> Option<usize> {
        self.max_entries.map(|max| max.max(self.min_entries.saturating_add(1)))
    }

    /// Returns `true` if entries expire.
    #[inline]
    pub(super) fn limits_idleness(&self) -> bool {
        self.max_idle.is_some() || self.max_idle_generations.is_some()
    }

    /// Returns `true` if recency order decides, on victims or on idle entries.
    pub(super) fn needs_recency(&self) -> bool {
        let to_make_room = self.max_entries.is_some() && self.victim_order() == VictimOrder::Recency;
        self.limits_idleness() || to_make_room
    }

    /// The order in which entries are evicted to make room; where there is no limit, that which keeps no state.
    pub(super) fn victim_order(&self) -> VictimOrder {
        match self.strategy {
            EvictionStrategy::Fifo if self.max_entries.is_some() => VictimOrder::Creation,
            EvictionStrategy::S3Fifo => VictimOrder::S3Fifo,
            EvictionStrategy::Sieve => VictimOrder::Sieve,
            _ => VictimOrder::Recency,
        }
    }

    /// Returns `true` if one miss evicts at most one entry for size.
    pub(super) fn evicts_one_at_a_time(&self) -> bool {
        matches!(self.strategy, EvictionStrategy::Lru | EvictionStrategy::Fifo)
    }

    const fn start(strategy: EvictionStrategy) -> Self {
        Self { strategy, max_entries: None, max_idle: None, max_idle_generations: None, min_entries: 0 }
    }
}

impl Default for EvictionPolicy {
    fn default() -> Self {
        Self::none()
    }
}
