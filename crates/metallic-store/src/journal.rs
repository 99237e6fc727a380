use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::{EntryId, MissCause, SaveError};

/// Takes what stores do, for a log or a program's metrics.
///
/// It is called on the thread that uses the store, and must return at once.
pub trait StoreObserver: Send + Sync {
    /// Takes one event.
    fn observe(&self, event: &StoreEvent<'_>);
}

/// One thing that a store did, by the name of the store or level.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreEvent<'a> {
    /// The store's or level's name.
    pub store: &'a str,
    /// The action.
    pub action: StoreAction<'a>,
}

/// An action of a store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StoreAction<'a> {
    /// An artifact was found and verified.
    Found {
        /// The entry asked for.
        id: EntryId,
        /// Length of its payloads.
        bytes: u64,
        /// The time of reading and verifying; zero where there is no clock.
        elapsed: Duration,
    },
    /// No artifact.
    Missed {
        /// The entry asked for.
        id: EntryId,
        /// Why.
        cause: &'a MissCause,
        /// The time that finding out took; zero where there is no clock.
        elapsed: Duration,
    },
    /// An artifact or link was written.
    Written {
        /// The entry.
        id: EntryId,
        /// Length of its payloads.
        bytes: u64,
        /// The time taken; zero where there is no clock.
        elapsed: Duration,
    },
    /// An artifact or link was not written.
    NotWritten {
        /// The entry.
        id: EntryId,
        /// Why.
        cause: &'a SaveError,
        /// `true` for a write of a [`LayeredStore`](crate::LayeredStore) to one of its levels, which no caller hears of.
        in_background: bool,
    },
    /// An entry was removed because its driver refused it.
    Rejected {
        /// The entry.
        id: EntryId,
        /// The driver's word.
        reason: &'a str,
    },
    /// An entry made room for another.
    Evicted {
        /// The entry.
        id: EntryId,
        /// Bytes it took in the store.
        bytes: u64,
    },
    /// The right to create an entry alone did not come in time, or is not supported: the caller creates for itself.
    Unleased {
        /// The entry.
        id: EntryId,
        /// `true` if there are no leases here, and not merely none in time.
        unsupported: bool,
    },
    /// Something failed that the caller need not know of, such as the removal of a file.
    Fault {
        /// The action that was tried.
        attempt: &'static str,
        /// The system's or server's answer.
        cause: &'a str,
    },
}

/// Counters of what a store did so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreStats {
    /// Artifacts found.
    pub found: u64,
    /// Artifacts not found, by [`MissCause::name`].
    pub missed: BTreeMap<&'static str, u64>,
    /// Entries written.
    pub written: u64,
    /// Entries not written, by [`SaveError::name`].
    pub not_written: BTreeMap<&'static str, u64>,
    /// Entries removed because a driver refused them.
    pub rejected: u64,
    /// Entries that made room.
    pub evicted: u64,
    /// Creations that no lease protected.
    pub unleased: u64,
    /// Other faults, by what was tried.
    pub faults: BTreeMap<&'static str, u64>,
    /// Payload bytes found.
    pub bytes_found: u64,
    /// Payload bytes written.
    pub bytes_written: u64,
    /// Time spent on look-ups.
    pub look_up_time: Duration,
    /// Time spent on writes.
    pub write_time: Duration,
}

/// Counts what a store does, and passes it on to an observer. Every store has one.
pub struct Journal {
    store: String,
    stats: Mutex<StoreStats>,
    observer: Option<Arc<dyn StoreObserver>>,
}

impl Journal {
    /// The journal of the store or level called `store`.
    pub fn new(store: impl Into<String>, observer: Option<Arc<dyn StoreObserver>>) -> Self {
        Self { store: store.into(), stats: Mutex::default(), observer }
    }

    /// The store's name.
    pub fn store(&self) -> &str {
        &self.store
    }

    /// A copy of the counters.
    pub fn stats(&self) -> StoreStats {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts an action and tells the observer.
    pub fn record(&self, action: StoreAction<'_>) {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner).count(&action);
        if let Some(observer) = &self.observer {
            observer.observe(&StoreEvent { store: &self.store, action });
        }
    }

    /// Records a fault, if `result` is one, and forgets it.
    pub fn absorb<T>(&self, attempt: &'static str, result: Result<T, impl fmt::Display>) -> Option<T> {
        result.map_err(|cause| self.record(StoreAction::Fault { attempt, cause: &cause.to_string() })).ok()
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("store", &self.store).finish_non_exhaustive()
    }
}

impl StoreStats {
    /// Artifacts not found, for whatever cause.
    pub fn misses(&self) -> u64 {
        self.missed.values().sum()
    }

    fn count(&mut self, action: &StoreAction<'_>) {
        match action {
            StoreAction::Found { bytes, elapsed, .. } => {
                self.found += 1;
                self.bytes_found += bytes;
                self.look_up_time += *elapsed;
            }
            StoreAction::Missed { cause, elapsed, .. } => {
                *self.missed.entry(cause.name()).or_default() += 1;
                self.look_up_time += *elapsed;
            }
            StoreAction::Written { bytes, elapsed, .. } => {
                self.written += 1;
                self.bytes_written += bytes;
                self.write_time += *elapsed;
            }
            StoreAction::NotWritten { cause, .. } => *self.not_written.entry(cause.name()).or_default() += 1,
            StoreAction::Rejected { .. } => self.rejected += 1,
            StoreAction::Evicted { .. } => self.evicted += 1,
            StoreAction::Unleased { .. } => self.unleased += 1,
            StoreAction::Fault { attempt, .. } => *self.faults.entry(attempt).or_default() += 1,
        }
    }
}

/// Measures time where there is a clock: reading it panics in a browser.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    start: std::time::Instant,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self {
            #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
            start: std::time::Instant::now(),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
        return self.start.elapsed();
        #[cfg(all(target_family = "wasm", target_os = "unknown"))]
        return Duration::ZERO;
    }
}
