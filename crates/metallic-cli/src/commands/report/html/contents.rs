//! The contents of a page: the report, and what only a page has room for.

use metallic::manifest::Coverage;
use metallic_instrumentation::EventKind;

use super::super::collector::Collector;
use super::super::figures::{Key, Report};
use super::super::reading::{conclude, read};
use crate::args::{ReplayArgs, TraceFormat};
use crate::commands::manifest::Uses;
use crate::commands::replay::{Input, Recorder, Summary, replay};
use crate::error::Error;
use crate::input::LogReader;

/// Keys that are listed.
const KEYS: usize = 1000;
/// A log with more accesses is replayed by `metallic replay` only: a page should not take longer than its reader waits.
const REPLAYED: u64 = 2_000_000;
/// Capacities tried for the advice, as many as `metallic replay` tries.
const POINTS: usize = 24;

/// All that a page says.
#[derive(Debug)]
pub struct Contents {
    /// The report.
    pub report: Report,
    /// The keys that cost most, the dearest first.
    pub keys: Vec<Key>,
    /// The advice of a replay, a line for each cache; `None` if the log has too many accesses, or none.
    pub advice: Option<Vec<Summary>>,
    /// The uses of the keys that the log's first warm-up created; `None` if the log has no warm-up.
    pub coverage: Option<Coverage>,
}

impl Contents {
    /// Reads a log into a collector that has none of it yet.
    ///
    /// # Errors
    /// The log cannot be read, or holds no event.
    pub fn read(mut log: LogReader, collector: Collector) -> Result<Self, Error> {
        let mut accesses = 0;
        let mut replayed = Some((Recorder::default(), Uses::without_manifest()));
        let collector = read(&mut log, collector, |event| {
            accesses += u64::from(event.kind() == EventKind::ResourceCacheAccess);
            if accesses > REPLAYED {
                replayed = None;
            }
            if let Some((recorder, uses)) = &mut replayed {
                uses.take(&event);
                recorder.record(event);
            }
        })?;
        let keys = collector.top_keys(KEYS, |key| key.creation_ns.saturating_add(key.misses));
        let report = conclude(collector, &log)?;
        let coverage = replayed.as_ref().map(|(_, uses)| uses.coverage());
        Ok(Self {
            keys,
            advice: replayed.and_then(|(recorder, _)| advice(recorder, &report)),
            coverage: coverage.filter(|coverage| coverage.has_warm_up),
            report,
        })
    }
}

fn advice(recorder: Recorder, report: &Report) -> Option<Vec<Summary>> {
    let (recordings, dropped) = recorder.finish();
    let input = Input {
        format: TraceFormat::Jsonl,
        files: report.files.clone(),
        recordings,
        dropped,
        titles: None,
        skipped: Vec::new(),
    };
    let logs = report.files.iter().map(Into::into).collect();
    let args = ReplayArgs { logs, points: POINTS, ..ReplayArgs::default() };
    // Nothing was accessed, or there would be advice.
    let (caches, _) = replay(&input, &args).ok()?;
    Some(caches.iter().map(|cache| Summary::of(&input.recordings[cache.recording], cache)).collect())
}
