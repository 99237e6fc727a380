//! The log that the environment asks for.

use std::env;
use std::ffi::OsString;
use std::io;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;

use crate::event::{Event, EventKind};
use crate::filter::KindFilter;
use crate::jsonl::{ForeignFile, JsonlExporter, JsonlStats, NotALog, Overflow};
use crate::sampling::Sampling;
use crate::sink::EventSink;

const PATH: &str = "METALLIC_METRICS_JSONL_PATH";
const APPEND: &str = "METALLIC_METRICS_JSONL_APPEND";
const OVERFLOW: &str = "METALLIC_METRICS_JSONL_OVERFLOW";
const MAX_BYTES: &str = "METALLIC_METRICS_JSONL_MAX_BYTES";
const KEEP: &str = "METALLIC_METRICS_JSONL_KEEP";
const EVENTS: &str = "METALLIC_METRICS_EVENTS";
const SAMPLE: &str = "METALLIC_METRICS_SAMPLE";

/// Old files kept when rotation is asked for and their number is not.
const DEFAULT_KEEP: usize = 3;

/// An error of [`from_env`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FromEnvError {
    /// A variable has a value that is not accepted.
    #[error("environment variable {variable} is {value:?}, expected {accepted}")]
    BadValue {
        /// The variable's name.
        variable: &'static str,
        /// Its value.
        value: OsString,
        /// The values that are accepted.
        accepted: String,
    },
    /// The file in the place of the log holds something else. It is as it was.
    #[error(
        "environment variable {PATH} is {path:?}, which is there and not a log: it would be overwritten or added to"
    )]
    NotALog {
        /// The path in `METALLIC_METRICS_JSONL_PATH`.
        path: PathBuf,
    },
    /// A file in the place of an older log, into which the log would be rotated, holds something else. Nothing was changed.
    #[error(
        "{path:?} is there and not a log: rotation of environment variable {PATH} would move or overwrite it"
    )]
    RotatedNotALog {
        /// The path in `METALLIC_METRICS_JSONL_PATH`, with the suffix of the older log.
        path: PathBuf,
    },
    /// The log could not be opened.
    #[error("cannot write the event log {}", path.display())]
    Open {
        /// The path in `METALLIC_METRICS_JSONL_PATH`.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// The event log that the environment asks for.
///
/// It is one log for the process, however many registries ask for it, at whatever time: the first call begins the file,
/// the others go on in it.
#[derive(Debug)]
pub struct EnvLog {
    sink: Arc<dyn EventSink>,
    exporter: Arc<JsonlExporter>,
}

impl EnvLog {
    /// Returns the counts of the exporter so far, of events from all callers.
    pub fn stats(&self) -> JsonlStats {
        self.exporter.stats()
    }

    /// Does what [`JsonlExporter::flush`] does.
    ///
    /// # Errors
    ///
    /// Those of [`JsonlExporter::flush`].
    pub fn flush(&self) -> io::Result<()> {
        self.exporter.flush()
    }
}

impl EventSink for EnvLog {
    fn enabled(&self, kind: EventKind) -> bool {
        self.sink.enabled(kind)
    }

    fn record(&self, event: &Event) {
        self.sink.record(event);
    }

    fn flush(&self) {
        self.sink.flush();
    }
}

/// Opens the event log that the environment asks for, if it asks for one; the crate's front page lists the variables.
///
/// # Errors
///
/// A variable has a value it may not have, the file is there and [not a log](crate::is_log), or the log cannot be opened.
pub fn from_env() -> Result<Option<Arc<EnvLog>>, FromEnvError> {
    from_vars(|name| env::var_os(name))
}

/// Does what [`from_env`] does with variables from elsewhere: `var` returns the value of the variable with that name.
///
/// # Errors
///
/// A variable has a value it may not have, the file is there and [not a log](crate::is_log), or the log cannot be opened.
pub fn from_vars(var: impl Fn(&str) -> Option<OsString>) -> Result<Option<Arc<EnvLog>>, FromEnvError> {
    let Some(path) = var(PATH).filter(|path| !path.is_empty()).map(PathBuf::from) else { return Ok(None) };
    let append = parsed(&var, APPEND, "0, 1, true or false", flag)?.unwrap_or(false);
    let overflow = parsed(&var, OVERFLOW, "wait or drop", overflow)?.unwrap_or_default();
    let max_bytes = parsed(&var, MAX_BYTES, "a number of bytes above 0", positive)?;
    let keep = parsed(&var, KEEP, "a number of files", |text| text.parse().ok())?.unwrap_or(DEFAULT_KEEP);
    let kinds = parsed(&var, EVENTS, &format!("a list, with commas, of {}", names_of_kinds()), kinds)?;
    let sample = parsed(&var, SAMPLE, "a number above 0", positive)?;

    let header = kinds.as_ref().is_none_or(|kinds| kinds.contains(&EventKind::LogOpened));
    let mut builder = JsonlExporter::builder().overflow(overflow).header(header);
    if let Some(max_bytes) = max_bytes {
        builder = builder.rotate(max_bytes.get(), keep);
    }
    let opened = builder.only_log(&path, append).map_err(|source| {
        let cause = source.get_ref();
        if let Some(rotated) = cause.and_then(|cause| cause.downcast_ref::<ForeignFile>()) {
            return FromEnvError::RotatedNotALog { path: rotated.path.clone() };
        }
        let foreign = cause.is_some_and(|cause| cause.is::<NotALog>());
        if foreign { FromEnvError::NotALog { path } } else { FromEnvError::Open { path, source } }
    });
    let exporter = Arc::new(opened?);
    let mut sink: Arc<dyn EventSink> = Arc::clone(&exporter) as Arc<dyn EventSink>;
    if let Some(every) = sample {
        sink = Arc::new(Sampling::new(sink, every));
    }
    if let Some(kinds) = kinds {
        sink = Arc::new(KindFilter::new(sink, kinds));
    }
    Ok(Some(Arc::new(EnvLog { sink, exporter })))
}

/// Returns the variable's value; an empty one counts as not set.
fn parsed<T>(
    var: impl Fn(&str) -> Option<OsString>,
    variable: &'static str,
    accepted: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, FromEnvError> {
    let Some(value) = var(variable).filter(|value| !value.is_empty()) else { return Ok(None) };
    match value.to_str().map(str::trim).and_then(parse) {
        Some(parsed) => Ok(Some(parsed)),
        None => Err(FromEnvError::BadValue { variable, value, accepted: accepted.to_owned() }),
    }
}

/// Out of line: the optimizer would unroll it into its caller, and rustc 1.95 takes hours over what comes of that.
#[inline(never)]
fn names_of_kinds() -> String {
    let mut names = String::new();
    for kind in EventKind::ALL {
        if !names.is_empty() {
            names.push_str(", ");
        }
        names.push_str(kind.name());
    }
    names
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

fn overflow(text: &str) -> Option<Overflow> {
    match text {
        "wait" => Some(Overflow::default()),
        "drop" => Some(Overflow::Drop),
        _ => None,
    }
}

fn positive(text: &str) -> Option<NonZeroU64> {
    text.parse().ok()
}

fn kinds(text: &str) -> Option<Vec<EventKind>> {
    text.split(',').map(|name| EventKind::from_name(name.trim())).collect()
}
