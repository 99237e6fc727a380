//! Reads one of the two that are compared.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::figures::{KeySide, SideFigures};
use crate::commands::report::{Axis, Collector, Key, Report, conclude, read};
use crate::error::Error;
use crate::input::{LogReader, sources};
use crate::json;
use crate::progress::Progress;
use crate::units::total;

/// A log or a report.
pub(super) struct Side {
    pub(super) name: String,
    pub(super) is_report: bool,
    pub(super) report: Report,
    /// Every key that was created, as far as it is known.
    pub(super) keys: BTreeMap<String, KeySide>,
    /// `true` if these are all keys that were created.
    pub(super) is_whole: bool,
}

impl Side {
    /// Reads a log, with what rotation left beside it, or a report.
    pub(super) fn read(path: &Path, keys: usize) -> Result<Self, Error> {
        let name = path.display().to_string();
        let mut sources = sources(&[path.to_owned()])?;
        let progress = Progress::bytes(sources.iter().map(crate::input::Source::len).sum());
        let first = sources.remove(0);
        let mut reader = first.open(&progress)?;
        let failed = |error| Error::file(first.name(), error);
        let is_report = sources.is_empty() && is_document(reader.fill_buf().map_err(failed)?);
        if is_report {
            let mut text = String::new();
            reader.read_to_string(&mut text).map_err(failed)?;
            progress.finish();
            let report = parse(first.name(), &text)?;
            let named = report.dearest_keys.iter().chain(&report.rebuilt_keys);
            let keys = named.map(|key| (key.key.clone(), key.into())).collect();
            let is_whole = report.keys.forgotten == 0 && report.keys.other_creation_ns == 0;
            return Ok(Self { name, is_report, report, keys, is_whole });
        }
        let mut log = LogReader::starting_with(first.name(), reader, sources, progress);
        let collector = read(&mut log, Collector::new(keys), |_| {})?;
        let keys = collector.created_keys().into_iter();
        let keys = keys.map(|key| ((&key).into(), key.key)).map(|(side, key)| (key, side)).collect();
        let report = conclude(collector, &log)?;
        let is_whole = report.keys.forgotten == 0;
        Ok(Self { name, is_report, report, keys, is_whole })
    }

    pub(super) fn figures(&self) -> SideFigures {
        let Report { files, processes, events, dropped_events, skipped, axis, span, .. } = &self.report;
        SideFigures {
            name: self.name.clone(),
            is_report: self.is_report,
            files: files.clone(),
            processes: processes.clone(),
            events: *events,
            span_ns: span.filter(|_| *axis == Axis::Time).map(|(first, last)| last.saturating_sub(first)),
            dropped_events: *dropped_events,
            skipped_lines: total(skipped.iter().map(|file| file.lines)),
        }
    }
}

impl From<&Key> for KeySide {
    fn from(key: &Key) -> Self {
        let &Key { created, failed, creation_ns, rebuilt, .. } = key;
        Self { creations: created.saturating_add(failed), failed, creation_ns, rebuilt }
    }
}

/// Returns `true` if what begins like this is one of the program's documents, or was one before another program laid it out or
/// sorted it anew. A line of a log begins with one of its own members.
fn is_document(start: &[u8]) -> bool {
    let Some(rest) = start.trim_ascii_start().strip_prefix(b"{") else { return false };
    let first = rest.trim_ascii_start();
    rest.starts_with(b"\n")
        || rest.starts_with(b"\r")
        || [&b"\"schema\""[..], b"\"axis\""].iter().any(|name| first.starts_with(name))
}

fn parse(name: &str, text: &str) -> Result<Report, Error> {
    let document: Value =
        serde_json::from_str(text).map_err(|error| Error::content(name, error.to_string()))?;
    match &document["schema"] {
        Value::String(schema) if schema == json::REPORT => {}
        Value::String(schema) => {
            let cause = format!("a document of schema `{schema}`; `diff` reads logs and {}", json::REPORT);
            return Err(Error::content(name, cause));
        }
        _ => return Err(Error::content(name, "neither a log nor a report of `report --json`")),
    }
    serde_json::from_value(document)
        .map_err(|error| Error::content(name, format!("no whole report: {error}")))
}
