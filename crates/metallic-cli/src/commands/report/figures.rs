//! The figures of a report: the schema of `metallic report --json`.

use serde::{Deserialize, Serialize};

use super::kv::KvCacheFigures;
use super::level::Level;
use super::violations::ViolationFigures;
use crate::input::ProcessFigures;

/// All that a report says. `metallic report --json` prints it as one JSON object; tables and page are made of it.
///
/// Times and durations are in nanoseconds. Fields are added, but not changed, while [`REPORT`](crate::json::REPORT) stays the
/// same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The files that were read, in their order; `-` is standard input.
    pub files: Vec<String>,
    /// The processes that wrote them, in the order of their headers; empty where a log has no header.
    pub processes: Vec<ProcessFigures>,
    /// Lines read, of all files.
    pub lines: u64,
    /// Events among them.
    pub events: u64,
    /// Events that the exporter lost, as it says itself in the log.
    pub dropped_events: u64,
    /// The lines that were passed over, by file.
    pub skipped: Vec<SkippedLines>,
    /// The unit of the moments in this report: `time` for nanoseconds since the Unix epoch (or since the origin of
    /// a hand-driven clock), `events` for the number of the event, in a log without times.
    pub axis: Axis,
    /// The moment of the first event and that of the last; `null` without events.
    pub span: Option<(u64, u64)>,
    /// The number of times that the log's clock went back by more than 10 seconds. Behind that, moments are counted on from
    /// where it was.
    #[serde(default)]
    pub clock_steps_back: u64,
    /// The longest of those steps.
    #[serde(default)]
    pub longest_step_back_ns: u64,
    /// The width of the buckets of [`CacheFigures::series`], in the unit of the axis.
    pub bucket: u64,
    /// One for each cache, those that spent most on creation first.
    pub caches: Vec<CacheFigures>,
    /// One for each KV cache.
    #[serde(default)]
    pub kv_caches: Vec<KvCacheFigures>,
    /// The creations in scopes that were armed against them: one for each cache that has any.
    #[serde(default)]
    pub violations: Vec<ViolationFigures>,
    /// The keys whose creations took longest, the longest first.
    pub dearest_keys: Vec<Key>,
    /// The keys that were created again after a policy had evicted them, those that cost most first.
    pub rebuilt_keys: Vec<Key>,
    /// The completeness of the figures of keys.
    pub keys: KeyCoverage,
    /// The steps of the program, as far as it says in the log when they were, and what they waited for.
    #[serde(default)]
    pub steps: Steps,
}

/// The steps of a program: tokens, frames, requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps {
    /// Their kinds, by name.
    pub kinds: Vec<Step>,
    /// Those that waited longest for creations, the longest first. A creation within several steps of one thread counts for the
    /// innermost.
    pub longest_waits: Vec<Wait>,
    /// `true` if there were steps on several threads: the log does not say which of those at work waited for a creation, and all of
    /// them count.
    pub several_threads: bool,
}

/// One kind of step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Their number.
    pub count: u64,
    /// Their durations; p50, p95 and p99 are off by 3.2 % at most.
    pub duration_ns: Spread,
    /// 99 % of them took no longer; `null` if there are none.
    pub p99_ns: Option<u64>,
    /// How many of them waited for a creation.
    pub waited: u64,
    /// How long all of these waited.
    pub waited_ns: u64,
}

/// A step that waited for creations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// The kind of step.
    pub step: String,
    /// The text that tells it from others of its kind; `null` if the log does not say.
    pub label: Option<String>,
    /// The name of its thread; `null` if the log does not say.
    pub thread: Option<String>,
    /// When it began.
    pub at: u64,
    /// How long it took.
    pub duration_ns: u64,
    /// How much of that went by during creations.
    pub waited_ns: u64,
    /// The creations that ended within it.
    pub creations: u64,
    /// The key of the longest of them.
    pub key: String,
    /// How long that one took.
    pub key_ns: u64,
}

/// The unit of the moments of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Nanoseconds.
    Time,
    /// Events: the log has no times.
    Events,
}

/// Lines of one file that are not events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedLines {
    /// The file.
    pub file: String,
    /// Their number.
    pub lines: u64,
    /// Their number for each reason; reasons without any are left out.
    pub reasons: Vec<(String, u64)>,
    /// The first of them, each with its number and what is wrong with it.
    pub first: Vec<String>,
}

/// The figures of the caches of one name, of all registries together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CacheFigures {
    /// Its name.
    pub cache: String,
    /// The policies last set in the registries, or the strategies that evictions name; `null` if the log says neither.
    pub policy: Option<String>,
    /// The figures of each registry that has a cache of this name, in the order of first appearance.
    pub registries: Vec<RegistryFigures>,
    /// Entries at the end, but of processes that others followed; `null` if the log does not say.
    pub entries: Option<u64>,
    /// The most entries there ever were.
    pub peak_entries: u64,
    /// The size of the resources at the end, in bytes; `null` if the log does not say, or not of all that were removed.
    pub bytes: Option<u64>,
    /// The most bytes there ever were; `null` as above.
    pub peak_bytes: Option<u64>,
    /// Look-ups that found an entry.
    pub hits: u64,
    /// Look-ups that did not.
    pub misses: u64,
    /// Hits among both, from 0 to 1; `null` if there were none.
    pub hit_rate: Option<f64>,
    /// The source of hits and misses: they are counted by the accesses in the log or, where the log has fewer than they say there
    /// were, by the summaries.
    pub counted_by: CountedBy,
    /// Accesses in the log.
    pub logged_accesses: u64,
    /// Entries that a policy evicted.
    pub evictions: u64,
    /// The same by reason, the most frequent first.
    pub evictions_by_reason: Vec<(String, u64)>,
    /// Entries that the caller removed or cleared, or outdated by changing what they were made from.
    pub removals: u64,
    /// Creations, failed ones among them.
    pub creations: u64,
    /// Creations that failed or panicked.
    pub failed: u64,
    /// Creations that loaded an artifact from a store, and compiled nothing.
    pub loads: u64,
    /// The time that those took, which is part of `creation_ns`.
    pub load_ns: u64,
    /// Device memory of all that was created, in bytes; 0 if the kernels do not tell.
    #[serde(default)]
    pub created_bytes: u64,
    /// The durations of the creations; p50 and p95 are off by 3.2 % at most.
    pub creation_ns: Spread,
    /// Creations of entries that a policy had evicted.
    pub rebuilt: u64,
    /// The time that those took.
    pub rebuilt_ns: u64,
    /// Creations of what, as far as the log says, was there: another run of the program, or events that are missing.
    pub unexplained: u64,
    /// The time that those took.
    pub unexplained_ns: u64,
    /// Series of counters beyond one for each registry: several runs of a program, or several registries, wrote a log that
    /// does not tell them apart.
    pub restarts: u64,
    /// The idle times of entries when a policy evicted them.
    pub idle_at_eviction: Vec<IdleBar>,
    /// The idle times of entries when they were hit: the time between two look-ups of one key.
    pub idle_at_hit: Vec<IdleBar>,
    /// The figures over time.
    pub series: Vec<Moment>,
}

/// The figures of the cache of one registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryFigures {
    /// Its name, or its number, with its process if there are several.
    pub name: String,
    /// Its process: its place in [`Report::processes`], from 1; 0 if the log has no header.
    pub process: u32,
    /// Its number; `null` in the log of a version that numbered none.
    pub number: Option<u32>,
    /// The policy last set, or the strategy that evictions name; `null` if the log says neither.
    pub policy: Option<String>,
    /// Look-ups that found an entry.
    pub hits: u64,
    /// Look-ups that did not.
    pub misses: u64,
    /// Entries at the end; `null` if the log does not say.
    pub entries: Option<u64>,
    /// Entries that a policy evicted.
    pub evictions: u64,
    /// Creations, failed ones among them.
    pub creations: u64,
    /// The time that those took.
    pub creation_ns: u64,
}

/// The source of the hits and misses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountedBy {
    /// `ResourceCacheAccess` events.
    Accesses,
    /// The differences between `ResourceCacheSummary` events, which come every 100 operations.
    Summaries,
}

/// A distribution of durations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// Their sum.
    pub sum: u64,
    /// Half of them took no longer; `null` if there are none.
    pub p50: Option<u64>,
    /// 95 % of them took no longer; `null` if there are none.
    pub p95: Option<u64>,
    /// The longest.
    pub max: u64,
}

/// A bar of a histogram of idle ages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdleBar {
    /// The shortest age in it.
    pub from: u64,
    /// The age that ends it; `null` for the last bar.
    pub below: Option<u64>,
    /// Their number.
    pub count: u64,
}

/// The figures of one cache in one bucket of time. Empty buckets are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// When the bucket begins.
    pub at: u64,
    /// Hits in it.
    pub hits: u64,
    /// Misses in it.
    pub misses: u64,
    /// Creations in it that went well.
    pub created: u64,
    /// The time of the creations that ended in it, failed ones included.
    pub creation_ns: u64,
    /// Entries that a policy evicted.
    pub evicted: u64,
    /// Entries at its end; `null` if nothing before says.
    pub entries: Option<u64>,
    /// The most entries in it; `null` if nothing in it says.
    pub peak_entries: Option<u64>,
    /// The size of the resources, in bytes; `null` if nothing in it says.
    pub bytes: Option<Level>,
}

/// The cost of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The key as it is in the log, with its cache's name; cut after 240 bytes.
    pub key: String,
    /// Look-ups that found it in any registry, since it was first missed there in the log.
    pub hits: u64,
    /// Look-ups that did not.
    pub misses: u64,
    /// Creations that went well.
    pub created: u64,
    /// Creations that did not.
    pub failed: u64,
    /// The time that all of them took.
    pub creation_ns: u64,
    /// The number of its evictions.
    pub evicted: u64,
    /// Its creations after an eviction.
    pub rebuilt: u64,
    /// The time that those took.
    pub rebuilt_ns: u64,
}

/// The completeness of the figures of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCoverage {
    /// Keys there are figures of.
    pub tracked: u64,
    /// The most there may be.
    pub limit: u64,
    /// The cheaper keys that had to be forgotten when there were more; a key that came back and was forgotten again counts
    /// again. 0 means that what is said of keys is exact.
    pub forgotten: u64,
    /// The misses of the forgotten keys.
    pub forgotten_misses: u64,
    /// The time that their creations took.
    pub forgotten_creation_ns: u64,
    /// The time that their creations after an eviction took.
    pub forgotten_rebuilt_ns: u64,
    /// The creation time that the figures of one key may lack, at most.
    pub lacking_ns: u64,
    /// Creation time of all the keys that are not in `dearest_keys`, forgotten ones among them.
    pub other_creation_ns: u64,
    /// The same of rebuilds, and `rebuilt_keys`.
    pub other_rebuilt_ns: u64,
}
