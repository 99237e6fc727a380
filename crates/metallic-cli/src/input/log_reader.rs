//! The events of several logs as one sequence.

use std::io::BufRead;
use std::path::PathBuf;
use std::vec;

use metallic_instrumentation::{Event, JsonlReader, Skipped};

use super::source::{Source, sources};
use crate::error::Error;
use crate::progress::Progress;
use crate::units::counted;

/// Reads the events of all logs, one after the other, in bounded memory. Lines that are not events are passed over and
/// counted; see [`skipped`](Self::skipped).
pub struct LogReader {
    sources: vec::IntoIter<Source>,
    current: Option<(String, JsonlReader<Box<dyn BufRead>>)>,
    skipped: Vec<SkippedIn>,
    progress: Progress,
    lines_before: u64,
    files: Vec<String>,
    /// Events read, of all files.
    events: u64,
    /// The number of events when the current file was begun.
    events_before: u64,
    /// The files that have lines and no event among them.
    foreign: Vec<String>,
}

/// The lines of one file that were passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedIn {
    /// The file as the user named it.
    pub file: String,
    /// The lines, counted, and the first of them named.
    pub skipped: Skipped,
}

impl LogReader {
    /// Reads these logs; see [`sources`].
    ///
    /// # Errors
    /// A file is not there.
    pub fn open(args: &[PathBuf]) -> Result<Self, Error> {
        Ok(Self::new(sources(args)?))
    }

    /// Reads these files.
    pub fn new(sources: Vec<Source>) -> Self {
        let progress = Progress::bytes(sources.iter().map(Source::len).sum());
        Self {
            sources: sources.into_iter(),
            current: None,
            skipped: Vec::new(),
            progress,
            lines_before: 0,
            files: Vec::new(),
            events: 0,
            events_before: 0,
            foreign: Vec::new(),
        }
    }

    /// Reads what `reader` gives, which errors call `name`, and then these files. What is read of the files moves
    /// `progress`.
    pub fn starting_with(
        name: impl Into<String>,
        reader: Box<dyn BufRead>,
        rest: Vec<Source>,
        progress: Progress,
    ) -> Self {
        let name = name.into();
        let files = vec![name.clone()];
        let current = Some((name, JsonlReader::new(reader)));
        Self {
            sources: rest.into_iter(),
            current,
            skipped: Vec::new(),
            progress,
            lines_before: 0,
            files,
            events: 0,
            events_before: 0,
            foreign: Vec::new(),
        }
    }

    /// The file that is read first, as the user named it.
    pub fn first_name(&self) -> &str {
        let next = self.sources.as_slice().first().map_or("", Source::name);
        self.current.as_ref().map_or(next, |(name, _)| name)
    }

    /// The files that were read, or begun to be, in their order, as the user named them.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// The file and the line of the event that was read last.
    pub fn position(&self) -> (&str, u64) {
        self.current.as_ref().map_or(("", 0), |(name, reader)| (name, reader.lines()))
    }

    /// Lines read so far, of all files.
    pub fn lines(&self) -> u64 {
        self.lines_before + self.position().1
    }

    /// The lines that were passed over, by file; complete once the iterator has ended.
    pub fn skipped(&self) -> &[SkippedIn] {
        &self.skipped
    }

    /// Fails if there was no event, or none in one of these files, which is not empty: a command that concludes something from
    /// what is not in a log would conclude it from any file. What lies beside a log and is none is passed over.
    ///
    /// # Errors
    /// [`Error::NotFound`] says which file has no event, and what else it has.
    pub fn refuse_foreign(&self, named: &[PathBuf]) -> Result<(), Error> {
        let named = |file: &&String| named.iter().any(|path| path.display().to_string() == **file);
        match self.foreign.iter().find(named) {
            Some(file) => Err(self.without_event_in(file)),
            None if self.events == 0 => Err(self.without_events()),
            None => Ok(()),
        }
    }

    /// The error for a log that was read to its end and has no event.
    pub fn without_events(&self) -> Error {
        self.without_event_in(self.foreign.first().or(self.files.first()).map_or("", String::as_str))
    }

    fn without_event_in(&self, file: &str) -> Error {
        let Some(other) = self.skipped.iter().find(|skipped| skipped.file == file) else {
            return Error::NotFound(format!("{file}: the log is empty"));
        };
        let lines = counted(other.skipped.total(), "other line", "other lines");
        let first =
            other.skipped.first.first().map_or_else(String::new, |line| format!("; the first, {line}"));
        Error::NotFound(format!("{file}: the log has no events, but {lines}{first}"))
    }

    fn end_file(&mut self) {
        if let Some((file, reader)) = self.current.take() {
            self.lines_before += reader.lines();
            if reader.lines() > 0 && self.events == self.events_before {
                self.foreign.push(file.clone());
            }
            self.events_before = self.events;
            if reader.skipped().total() > 0 {
                self.skipped.push(SkippedIn { file, skipped: reader.skipped().clone() });
            }
        }
    }

    fn read(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some((name, reader)) = &mut self.current {
                match reader.next() {
                    Some(Ok(event)) => {
                        self.events += 1;
                        return Ok(Some(event));
                    }
                    Some(Err(source)) => {
                        let (file, line) = (name.clone(), reader.lines() + 1);
                        return Err(Error::Line { file, line, cause: source.to_string() });
                    }
                    None => self.end_file(),
                }
            }
            let Some(source) = self.sources.next() else { return Ok(None) };
            let reader = source.open(&self.progress)?;
            self.files.push(source.name().to_owned());
            self.current = Some((source.name().to_owned(), JsonlReader::new(reader)));
        }
    }
}

impl Iterator for LogReader {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let event = self.read().transpose();
        if !matches!(event, Some(Ok(_))) {
            self.progress.finish();
            if event.is_some() {
                self.end_file();
                self.sources = Vec::new().into_iter();
            }
        }
        event
    }
}

impl Drop for LogReader {
    fn drop(&mut self) {
        self.progress.finish();
    }
}
