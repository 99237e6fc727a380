//! Telling a log from a file of something else, by its beginning.

use std::error::Error;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::mem;
use std::path::Path;

use super::line::MAX_LINE;
use super::reader::JsonlReader;
use crate::event::EventKind;

/// How each line begins that an exporter writes; the name of the kind and a quote follow.
const START: &[u8] = br#"{"type":""#;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The bytes of a line within which its kind is named.
const NAMED_WITHIN: u64 = 256;

/// Returns `true` if the file is a log as [`JsonlExporter`](super::JsonlExporter) writes it, or nothing is lost if it
/// becomes one.
///
/// It is one if its first line, blank ones aside, is an event, or the beginning of one: a log may have been cut in its
/// first line. A file that is empty or not there can become a log. So can a pipe or a device, which is not read.
///
/// # Errors
///
/// The file cannot be read.
pub fn is_log(path: impl AsRef<Path>) -> io::Result<bool> {
    let path = path.as_ref();
    match fs::metadata(path) {
        // To read a pipe would take from it what another is to read.
        Ok(found) if !found.is_file() || found.len() == 0 => return Ok(true),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    }
    begins_log(BufReader::new(File::open(path)?))
}

/// The file in the place of a log holds something else.
#[derive(Debug)]
pub(crate) struct NotALog;

impl fmt::Display for NotALog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it holds something else than a log")
    }
}

impl Error for NotALog {}

/// Fails with [`NotALog`] as the cause if something else than a log would be emptied or added to.
pub(super) fn refuse_foreign(path: &Path) -> io::Result<()> {
    match is_log(path) {
        Ok(true) => Ok(()),
        Ok(false) => Err(io::Error::new(ErrorKind::InvalidData, NotALog)),
        Err(error) => {
            let cause = format!("what it holds may not be a log, and cannot be read: {error}");
            Err(io::Error::new(error.kind(), cause))
        }
    }
}

fn begins_log(mut reader: impl BufRead) -> io::Result<bool> {
    let mut line = Vec::new();
    let mut first = true;
    loop {
        line.clear();
        // A file of another kind may be one line of any length.
        if reader.by_ref().take(NAMED_WITHIN).read_until(b'\n', &mut line)? == 0 {
            return Ok(true);
        }
        // A byte order mark, which some editors put there.
        if mem::take(&mut first) && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        match start(line.trim_ascii()) {
            Start::Event => return Ok(true),
            // A brace is also how most other JSON begins. If it is what is left of an event, an exporter has gone on after it.
            Start::Cut => {}
            Start::Other => break,
        }
    }
    if !line.trim_ascii_start().starts_with(b"{") {
        return Ok(false);
    }
    // Another program may have written the event again, with its fields in another order.
    if !line.ends_with(b"\n") {
        reader.take(MAX_LINE as u64).read_until(b'\n', &mut line)?;
    }
    Ok(JsonlReader::new(&*line).next().is_some())
}

/// How a line begins.
enum Start {
    /// As that of an event, up to the kind of it.
    Event,
    /// In the same way, but it ends before the kind does, or is blank.
    Cut,
    Other,
}

fn start(line: &[u8]) -> Start {
    let Some(rest) = line.strip_prefix(START) else {
        return if START.starts_with(line) { Start::Cut } else { Start::Other };
    };
    let mut names = EventKind::ALL.iter().map(|kind| kind.name().as_bytes());
    match rest.iter().position(|&byte| byte == b'"') {
        Some(end) if names.any(|name| name == &rest[..end]) => Start::Event,
        None if names.any(|name| name.starts_with(rest)) => Start::Cut,
        _ => Start::Other,
    }
}
