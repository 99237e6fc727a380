//! Which entries a cache lets go, and when.

use std::fmt;
use std::time::Duration;

/// How a cache chooses the entries that leave. Six strategies to start from, and limits to adjust them with:
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
/// ```
///
/// A limit that is set holds, whichever strategy it is set on: with an idle time every strategy lets idle entries go,
/// with a maximum every strategy makes room. The strategy decides who leaves to make room, and how many at once:
///
/// | strategy | victim | entries that leave on a miss when the cache is over its limit |
/// |---|---|---|
/// | `none`, `size_limited_lru`, `idle_timeout`, `hybrid` | least recently used | as many as are over it |
/// | `lru` | least recently used | one |
/// | `fifo` | created first | one |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EvictionPolicy {
    strategy: EvictionStrategy,
    max_entries: Option<usize>,
    max_idle: Option<Duration>,
    min_entries: usize,
}

/// The strategy a policy started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EvictionStrategy {
    /// Nothing leaves.
    None,
    /// The least recently used entries leave until the cache is within its limit.
    SizeLimitedLru,
    /// The least recently used entry leaves.
    Lru,
    /// The entry created first leaves.
    Fifo,
    /// Entries leave that were not used for a time.
    IdleTimeout,
    /// Both a limit and an idle time.
    Hybrid,
}

impl EvictionStrategy {
    /// The strategy as it stands in events.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SizeLimitedLru => "size_limited_lru",
            Self::Lru => "lru",
            Self::Fifo => "fifo",
            Self::IdleTimeout => "idle_timeout",
            Self::Hybrid => "hybrid",
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

    /// At most `max_entries` entries: the least recently used ones leave. 0 acts as 1, since the caller is handed a
    /// reference to the newest entry.
    pub const fn size_limited_lru(max_entries: usize) -> Self {
        Self::start(EvictionStrategy::SizeLimitedLru).with_max_entries(max_entries)
    }

    /// The least recently used entry leaves, one on each miss at the limit; without
    /// [`with_max_entries`](Self::with_max_entries) there is none and nothing leaves.
    pub const fn lru() -> Self {
        Self::start(EvictionStrategy::Lru)
    }

    /// The entry created first leaves, one on each miss at the limit; without
    /// [`with_max_entries`](Self::with_max_entries) there is none and nothing leaves.
    pub const fn fifo() -> Self {
        Self::start(EvictionStrategy::Fifo)
    }

    /// Entries leave when they were not used for longer than `max_idle`. Whether some were is checked at every
    /// operation of the cache, at the cost of one comparison.
    pub const fn idle_timeout(max_idle: Duration) -> Self {
        Self::start(EvictionStrategy::IdleTimeout).with_max_idle_duration(max_idle)
    }

    /// [`size_limited_lru`](Self::size_limited_lru) and [`idle_timeout`](Self::idle_timeout) together.
    pub const fn hybrid(max_entries: usize, max_idle: Duration) -> Self {
        Self::start(EvictionStrategy::Hybrid).with_max_entries(max_entries).with_max_idle_duration(max_idle)
    }

    /// Sets the limit on entries.
    pub const fn with_max_entries(mut self, max_entries: usize) -> Self {
        self.max_entries = Some(max_entries);
        self
    }

    /// Sets the time after which an unused entry leaves.
    pub const fn with_max_idle_duration(mut self, max_idle: Duration) -> Self {
        self.max_idle = Some(max_idle);
        self
    }

    /// Sets the number of entries that eviction leaves in place. It goes before the other limits: with as many entries
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

    /// The time after which an unused entry leaves.
    pub const fn max_idle_duration(&self) -> Option<Duration> {
        self.max_idle
    }

    /// The number of entries that eviction leaves in place.
    pub const fn min_entries(&self) -> usize {
        self.min_entries
    }

    /// The limit on entries in force: `max(max_entries, min_entries + 1)`, where there is a maximum.
    pub fn capacity(&self) -> Option<usize> {
        self.max_entries.map(|max| max.max(self.min_entries.saturating_add(1)))
    }

    /// Whether the entries that leave depend on when entries were used.
    pub(super) fn needs_recency(&self) -> bool {
        self.max_idle.is_some() || (self.max_entries.is_some() && !self.needs_creation())
    }

    /// Whether the entries that leave depend on when entries were created.
    pub(super) fn needs_creation(&self) -> bool {
        self.max_entries.is_some() && self.strategy == EvictionStrategy::Fifo
    }

    /// Whether one miss evicts at most one entry for size.
    pub(super) fn evicts_one_at_a_time(&self) -> bool {
        matches!(self.strategy, EvictionStrategy::Lru | EvictionStrategy::Fifo)
    }

    const fn start(strategy: EvictionStrategy) -> Self {
        Self { strategy, max_entries: None, max_idle: None, min_entries: 0 }
    }
}

impl Default for EvictionPolicy {
    fn default() -> Self {
        Self::none()
    }
}
