//! The figures of a comparison: what `metallic diff --json` prints.

use std::fmt;

use serde::Serialize;

use crate::input::ProcessFigures;

/// All that a comparison says. Durations are in nanoseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diff {
    /// Its value before.
    pub before: SideFigures,
    /// Its value after.
    pub after: SideFigures,
    /// Other things that are not the same, and may be the reason: programs, devices, policies.
    pub conditions: Vec<Condition>,
    /// All caches together.
    pub total: CacheChange,
    /// The caches of both, those that spend most on creation first.
    pub caches: Vec<CacheChange>,
    /// The keys whose figures changed, those that cost most first.
    pub keys: Vec<KeyChange>,
    /// `true` if it is known which keys are new: the report of what was before names all of its keys.
    pub new_known: bool,
    /// `true` if it is known which keys are gone.
    pub gone_known: bool,
}

/// One of the two that are compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SideFigures {
    /// The log or report, as the user named it.
    pub name: String,
    /// `true` if it is a saved report.
    pub is_report: bool,
    /// The log's files.
    pub files: Vec<String>,
    /// The processes that wrote them, as far as they have headers.
    pub processes: Vec<ProcessFigures>,
    /// Events.
    pub events: u64,
    /// The time from the first event to the last; `null` without times.
    pub span_ns: Option<u64>,
    /// Events that the exporter lost.
    pub dropped_events: u64,
    /// Lines that were passed over.
    pub skipped_lines: u64,
}

/// Something around the caches that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// `program`, `library`, `device`, or `policy of CACHE`.
    pub what: String,
    /// Its value before; several in the order of their names.
    pub before: String,
    /// Its value after.
    pub after: String,
}

/// The change of one cache.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CacheChange {
    /// Its name, `total` for all of them.
    pub cache: String,
    /// Its figures before; `null` if it was not there.
    pub before: Option<Figures>,
    /// Its figures now; `null` if it is not there.
    pub after: Option<Figures>,
    /// The number of keys with each kind of change.
    pub keys: KeyCounts,
}

/// The figures of a cache that are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Look-ups that found an entry.
    pub hits: u64,
    /// Look-ups that did not.
    pub misses: u64,
    /// Hits among both, from 0 to 1; `null` if there were none.
    pub hit_rate: Option<f64>,
    /// Entries that a policy evicted.
    pub evictions: u64,
    /// Creations, failed ones among them.
    pub creations: u64,
    /// Creations that failed.
    pub failed: u64,
    /// The time that all creations took.
    pub creation_ns: u64,
    /// Device memory of all that was created, in bytes.
    pub created_bytes: u64,
    /// Creations of entries that a policy had evicted.
    pub rebuilt: u64,
    /// The time that those took.
    pub rebuilt_ns: u64,
    /// Creations in scopes that were armed against them, refused ones among them.
    pub violations: u64,
    /// Those of them that were refused.
    pub refused: u64,
}

/// Numbers of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KeyCounts {
    /// Keys that were created now and not before.
    pub new: u64,
    /// Keys that were created before and not now.
    pub gone: u64,
    /// Keys that were created more often than before.
    pub more: u64,
    /// Keys that were created less often.
    pub fewer: u64,
    /// Keys whose creation takes longer.
    pub dearer: u64,
    /// Keys whose creation takes less time.
    pub cheaper: u64,
}

/// A key whose figures changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyChange {
    /// The key as it is in the log, with its cache's name; cut after 240 bytes.
    pub key: String,
    /// Its cache.
    pub cache: String,
    /// The kinds of the change: one or two.
    pub changes: Vec<Change>,
    /// Its figures before; `null` if it was not created.
    pub before: Option<KeySide>,
    /// Its figures now; `null` if it was not created.
    pub after: Option<KeySide>,
}

/// The figures of a key that are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KeySide {
    /// Creations, failed ones among them.
    pub creations: u64,
    /// Creations that failed.
    pub failed: u64,
    /// The time that all of them took.
    pub creation_ns: u64,
    /// Creations after an eviction.
    pub rebuilt: u64,
}

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Created now and not before.
    New,
    /// Created before and not now.
    Gone,
    /// Created more often.
    More,
    /// Created less often.
    Fewer,
    /// A creation takes longer.
    Dearer,
    /// A creation takes less time.
    Cheaper,
}

impl KeyCounts {
    /// Counts a change.
    pub fn add(&mut self, change: Change) {
        *match change {
            Change::New => &mut self.new,
            Change::Gone => &mut self.gone,
            Change::More => &mut self.more,
            Change::Fewer => &mut self.fewer,
            Change::Dearer => &mut self.dearer,
            Change::Cheaper => &mut self.cheaper,
        } += 1;
    }
}

impl KeySide {
    /// The mean time of a creation.
    pub fn mean_ns(&self) -> f64 {
        self.creation_ns as f64 / self.creations.max(1) as f64
    }
}

/// In words.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} → {}", self.what, self.before, self.after)
    }
}
