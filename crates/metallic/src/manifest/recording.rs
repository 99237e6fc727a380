//! Recording creations as they happen.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::kernels::{Warming, Written};
use super::record::Record as Line;
use super::writer::ManifestWriter;
use crate::caching::{KernelKey, caught};
use crate::creation::{Record, Recorder};

/// The figures of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordingReport {
    /// Keys in the manifest.
    pub keys: u64,
    /// Creations of keys that cannot be carried, by cache: of kernels that are not registered, or whose keys are not read back
    /// from JSON as they were.
    pub not_portable: BTreeMap<String, u64>,
    /// Records that could not be written, not even at the end.
    pub lost: u64,
    /// The first error of the destination.
    pub error: Option<String>,
}

/// Writes a line for each key when it is first created, and what is to be said of later creations at the end.
pub(super) struct Recording {
    warming: Arc<Warming>,
    state: Arc<Mutex<State>>,
}

struct State {
    writer: ManifestWriter,
    /// By cache, schema and key: creations that the manifest does not have yet.
    known: HashMap<(String, u32, String), Known>,
    order: u64,
    report: RecordingReport,
}

struct Known {
    /// With the number of creations that are not written.
    line: Line,
    /// `true` if the key is in the manifest.
    is_written: bool,
}

impl Recording {
    pub(super) fn new(warming: Arc<Warming>, writer: ManifestWriter) -> Self {
        let state = State { writer, known: HashMap::new(), order: 0, report: RecordingReport::default() };
        Self { warming, state: Arc::new(Mutex::new(state)) }
    }

    /// Writes what is missing.
    pub(super) fn finish(&self) -> RecordingReport {
        let mut state = locked(&self.state);
        for mut known in std::mem::take(&mut state.known).into_values() {
            state.write(&mut known);
            state.report.lost += u64::from(known.line.count > 0);
        }
        state.report.clone()
    }
}

impl Recorder for Recording {
    fn take_down(&self, cache: &str, label: &Arc<str>, key: KernelKey<'_>) -> Option<Record> {
        let written = self.warming.written(key.kernel);
        // A key that panics cannot be carried.
        let json = |written: Written| caught(|| (written.json)(key.key)).flatten();
        let json = written.and_then(|written| Some((written.schema, json(written)?)));
        let phase = self.warming.phases.now();
        let mut state = locked(&self.state);
        let Some((schema, json)) = json else {
            *state.report.not_portable.entry(cache.to_owned()).or_default() += 1;
            return None;
        };
        let order = state.order;
        state.order += 1;
        drop(state);
        let line = Line::new(cache, schema, json, label);
        let line = Line { order, phase: phase.map(Into::into), count: 1, ..line };
        let state = self.state.clone();
        Some(Box::new(move |cost_ns, bytes| locked(&state).created(Line { cost_ns, bytes, ..line })))
    }
}

impl State {
    fn created(&mut self, line: Line) {
        let (cache, schema, key) = line.identity();
        let identity = (cache.to_owned(), schema, key.to_owned());
        let mut known = match self.known.remove(&identity) {
            None => Known { line, is_written: false },
            Some(mut known) => {
                known.line.count += 1;
                known.line.cost_ns = known.line.cost_ns.max(line.cost_ns);
                known
            }
        };
        if !known.is_written {
            self.write(&mut known);
        }
        self.known.insert(identity, known);
    }

    /// Writes what the manifest does not have.
    fn write(&mut self, known: &mut Known) {
        if known.line.count == 0 {
            return;
        }
        match self.writer.append(&known.line) {
            Ok(()) => {
                self.report.keys += u64::from(!known.is_written);
                known.is_written = true;
                known.line.count = 0;
            }
            Err(error) => {
                self.report.error.get_or_insert_with(|| error.to_string());
            }
        }
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
