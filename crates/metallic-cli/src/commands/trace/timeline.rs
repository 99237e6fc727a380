//! The contents of a log that a time line shows.

use std::collections::HashMap;

use metallic_instrumentation::{CreationOutcome, Event, EventData, ViolationMode};
use serde_json::{Value, json};

use super::counters::{Change, Counters};
use crate::input::{Registries, RegistryId};
use crate::label::CacheNames;

/// The events of a log that last, or happen, or count.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    pub(super) registries: Registries,
    pub(super) tracks: Vec<Track>,
    places: HashMap<Track, usize>,
    pub(super) slices: Vec<Slice>,
    pub(super) instants: Vec<Instant>,
    /// The evictions as such, for a log that does not have the entries one by one.
    pub(super) evictions: Vec<Instant>,
    pub(super) counters: Counters,
    names: CacheNames,
}

/// The track that slices are drawn on: the cache of one registry, or the steps of one thread.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Track {
    Steps { process: u32, thread: String },
    Cache { registry: RegistryId, cache: String },
}

impl Track {
    pub(super) fn process(&self) -> u32 {
        match self {
            Self::Steps { process, .. } => *process,
            Self::Cache { registry, .. } => registry.process,
        }
    }
}

/// Something that lasted.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) track: usize,
    pub(super) begin: u64,
    pub(super) end: u64,
    pub(super) name: String,
    pub(super) args: Value,
}

/// Something that happened.
#[derive(Debug)]
pub(super) struct Instant {
    pub(super) track: usize,
    pub(super) at: u64,
    pub(super) name: String,
    pub(super) args: Value,
}

impl Timeline {
    pub(super) fn is_empty(&self) -> bool {
        self.slices.is_empty() && self.instants.is_empty() && self.evictions.is_empty()
    }

    /// The earliest moment.
    pub(super) fn origin(&self) -> u64 {
        let slices = self.slices.iter().map(|slice| slice.begin);
        let instants = self.instants.iter().chain(&self.evictions).map(|instant| instant.at);
        slices.chain(instants).chain(self.counters.times()).min().unwrap_or(0)
    }

    pub(super) fn take(&mut self, event: &Event) {
        let registry = self.registries.registry_of(event);
        let Some(at) = event.timestamp else { return };
        match &event.data {
            EventData::ResourceCreated(created) => {
                let track = self.cache(registry, &created.cache);
                let name = self.names.split(&created.cache_key).1.to_owned();
                let mut args =
                    json!({"key": created.cache_key, "outcome": created.outcome, "bytes": created.bytes});
                if created.own_duration_ns != created.duration_ns {
                    args["own_us"] = microseconds(created.own_duration_ns);
                }
                if created.loaded {
                    args["loaded"] = true.into();
                }
                if let Some(error) = &created.error {
                    args["error"] = error.as_str().into();
                }
                let begin = at.saturating_sub(created.duration_ns);
                self.slices.push(Slice { track, begin, end: at, name, args });
                if created.outcome == CreationOutcome::Created {
                    self.counters.note(track, at, Change::Created(created.bytes));
                }
            }
            EventData::EntryRemoved(removed) => {
                let track = self.cache(registry, &removed.cache);
                let args =
                    json!({"key": removed.cache_key, "bytes": removed.bytes, "hits": removed.reuse_count});
                let name = removed.cause.name().to_owned();
                self.instants.push(Instant { track, at, name, args });
                self.counters.note(track, at, Change::Removed(removed.bytes));
            }
            EventData::CacheEviction(eviction) => {
                let track = self.cache(registry, &eviction.cache);
                let args = json!({"entries": eviction.count, "strategy": eviction.strategy});
                self.evictions.push(Instant { track, at, name: eviction.reason.to_string(), args });
                self.counters.note(track, at, Change::Entries(eviction.size_after));
            }
            EventData::CacheCleared(cleared) => {
                let track = self.cache(registry, &cleared.cache);
                self.counters.note(track, at, Change::Entries(cleared.size_after));
            }
            EventData::ResourceCacheSummary(summary) => {
                let track = self.cache(registry, &summary.cache);
                self.counters.note(track, at, Change::Entries(summary.size));
            }
            EventData::CreationViolation(violation) => {
                let track = self.cache(registry, &violation.cache);
                let name = match violation.mode {
                    ViolationMode::Refuse => "refused",
                    ViolationMode::Warn => "warned of",
                    _ => "counted",
                };
                let args = json!({
                    "key": violation.cache_key, "scope": violation.scope, "verdict": violation.verdict,
                    "nearest": violation.nearest_key, "caller": violation.caller,
                });
                self.instants.push(Instant { track, at, name: name.to_owned(), args });
            }
            EventData::SpanEnded(span) => {
                let thread = span.thread.clone().unwrap_or_else(|| "steps".to_owned());
                let track = self.place(Track::Steps { process: registry.process, thread });
                let name = match &span.label {
                    Some(label) => format!("{} {label}", span.name),
                    None => span.name.to_string(),
                };
                let end = at.saturating_add(span.duration_ns);
                let args = json!({"step": span.name, "label": span.label});
                self.slices.push(Slice { track, begin: at, end, name, args });
            }
            _ => {}
        }
    }

    fn cache(&mut self, registry: RegistryId, cache: &str) -> usize {
        self.names.learn(cache);
        self.place(Track::Cache { registry, cache: cache.to_owned() })
    }

    fn place(&mut self, track: Track) -> usize {
        let next = self.tracks.len();
        let place = *self.places.entry(track.clone()).or_insert(next);
        if place == next {
            self.tracks.push(track);
        }
        place
    }
}

/// A duration or a moment in the unit of the format.
pub(super) fn microseconds(ns: u64) -> Value {
    (ns as f64 / 1e3).into()
}
