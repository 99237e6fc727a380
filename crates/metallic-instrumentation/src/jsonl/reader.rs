//! Reading a log back.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::iter::FusedIterator;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::line;
use super::skipped::{SkipReason, Skipped};
use crate::event::{Event, EventData, EventKind};

/// Reads the events of a log, line by line, and passes over lines that are not events.
///
/// A log may end in the middle of a line, hold lines of other programs, or come from a newer version: such lines are no
/// errors, but counted in [`skipped`](Self::skipped). Of an event, fields it does not know are ignored, in any order; a
/// timestamp or registry number that is none is left out, and counted.
/// The only errors are those of the underlying reader; the iterator ends after one.
///
/// ```
/// use metallic_instrumentation::JsonlReader;
///
/// let log = concat!(
///     r#"{"type":"EventsDropped","data":{"count":3}}"#, "\n",
///     r#"{"type":"SomethingNewer","data":{}}"#, "\n",
///     r#"{"type":"EventsDro"#,
/// );
/// let mut reader = JsonlReader::new(log.as_bytes());
/// assert_eq!(reader.by_ref().collect::<Result<Vec<_>, _>>()?.len(), 1);
/// assert_eq!(reader.skipped().unknown_types["SomethingNewer"], 1);
/// assert_eq!(reader.skipped().torn, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct JsonlReader<R> {
    reader: R,
    line: Vec<u8>,
    lines: u64,
    ended: bool,
    skipped: Skipped,
    unread_fields: u64,
}

impl JsonlReader<BufReader<File>> {
    /// Opens this file.
    ///
    /// # Errors
    ///
    /// The file cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self::new(BufReader::with_capacity(64 << 10, File::open(path)?)))
    }
}

impl<R> JsonlReader<R> {
    /// The longest line that is read, in bytes. A longer one is passed over and never held in memory.
    pub const MAX_LINE: usize = line::MAX_LINE;

    /// Reads from `reader`.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            line: Vec::new(),
            lines: 0,
            ended: false,
            skipped: Skipped::default(),
            unread_fields: 0,
        }
    }

    /// Returns the lines passed over so far; those of the whole log once the iterator has ended.
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// Returns how many timestamps and registry numbers so far were not numbers. Their events were returned without them.
    pub fn unread_fields(&self) -> u64 {
        self.unread_fields
    }

    /// Returns how many lines were read so far, including those passed over.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The event in the current line; notes why if there is none.
    fn parse(&mut self, whole: bool) -> Option<Event> {
        let skipped = &mut self.skipped;
        let mut skip = |reason, detail: &dyn std::fmt::Display| {
            // Whatever is wrong with a line without an end, that is why.
            skipped.add(self.lines, if whole { reason } else { SkipReason::Torn }, detail);
        };
        let text = match str::from_utf8(&self.line) {
            Ok(text) => text,
            Err(error) => {
                skip(SkipReason::InvalidUtf8, &error);
                return None;
            }
        };
        // A byte order mark, which some editors put there.
        let text = if self.lines == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
        if whole && text.trim_ascii().is_empty() {
            skip(SkipReason::Blank, &"");
            return None;
        }
        let line: Line<'_> = match serde_json::from_str(text) {
            Ok(line) => line,
            Err(error) => {
                skip(SkipReason::Malformed, &error);
                return None;
            }
        };
        let Some(kind) = EventKind::from_name(&line.kind) else {
            skipped.add_unknown(self.lines, &line.kind);
            return None;
        };
        match EventData::from_json(kind, line.data.map_or("null", RawValue::get)) {
            Ok(data) => {
                let timestamp = line.timestamp.and_then(|field| number(field.get()));
                let registry = line.registry.and_then(|field| number(field.get())?.try_into().ok());
                self.unread_fields += u64::from(line.timestamp.is_some() && timestamp.is_none());
                self.unread_fields += u64::from(line.registry.is_some() && registry.is_none());
                Some(Event { data, timestamp, registry })
            }
            Err(error) => {
                skip(SkipReason::Malformed, &format_args!("{kind}: {error}"));
                None
            }
        }
    }
}

/// A line of the log, its data not yet looked into: its form depends on the type, which may come after it.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    // These two are not needed to make sense of the data, so what is wrong with them does not cost the event.
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    registry: Option<&'a RawValue>,
}

/// A whole number from JSON, as other programs may have passed it on: also as a float, or as text.
fn number(json: &str) -> Option<u64> {
    let text = json.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(json);
    text.parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        (0.0..u64::MAX as f64).contains(&number).then_some(number as u64)
    })
}

impl<R: BufRead> JsonlReader<R> {
    /// Reads the next line, and says whether there was one.
    fn next_line(&mut self) -> io::Result<bool> {
        self.line.clear();
        let limit = Self::MAX_LINE as u64 + 1;
        if self.reader.by_ref().take(limit).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(false);
        }
        self.lines += 1;
        Ok(true)
    }
}

impl<R: BufRead> Iterator for JsonlReader<R> {
    type Item = io::Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.next_line() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
            let whole = self.line.pop_if(|last| *last == b'\n').is_some();
            if !whole && self.line.len() > Self::MAX_LINE {
                self.skipped.add(self.lines, SkipReason::TooLong, "");
                if let Err(error) = self.reader.skip_until(b'\n') {
                    self.ended = true;
                    return Some(Err(error));
                }
                continue;
            }
            if let Some(event) = self.parse(whole) {
                return Some(Ok(event));
            }
        }
        self.ended = true;
        None
    }
}

impl<R: BufRead> FusedIterator for JsonlReader<R> {}
