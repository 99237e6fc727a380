//! The destination of lines: a file or any other writer.

use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::header::Header;
use super::log_file::{self, LogFile, Rotation, end_of_last_line};

/// Takes whole lines, and keeps a line that a failed write tore apart from the next one.
pub(super) struct Output {
    target: Box<dyn Write + Send>,
    /// True if the last byte written is not the end of a line.
    torn: bool,
    /// The header of each file, and whether the current one still lacks it.
    header: Option<Header>,
    header_due: bool,
    /// The file to rotate, if any.
    log: Option<LogFile>,
    /// Rotations since the start.
    rotated: u64,
    rotations: Rotations,
}

/// The counts of rotations and headers since the last call of [`Output::take_rotations`].
#[derive(Default)]
pub(super) struct Rotations {
    pub(super) done: u64,
    pub(super) failed: u64,
    pub(super) error: Option<io::Error>,
    /// Bytes of headers written.
    pub(super) header_bytes: u64,
}

/// A write that failed.
pub(super) struct PartialWrite {
    /// Bytes, of whole lines, that were written all the same.
    pub(super) whole: usize,
    pub(super) error: io::Error,
}

impl Output {
    pub(super) fn stream(target: Box<dyn Write + Send>) -> Self {
        Self {
            target,
            torn: false,
            header: None,
            header_due: false,
            log: None,
            rotated: 0,
            rotations: Rotations::default(),
        }
    }

    /// Empties the file, or goes on after what it holds.
    pub(super) fn file(
        path: &Path,
        append: bool,
        header: Option<Header>,
        rotation: Option<Rotation>,
    ) -> io::Result<Self> {
        let file = if append { log_file::append(path) } else { log_file::create(path) }?;
        let metadata = file.metadata()?;
        let len = if metadata.is_file() { metadata.len() } else { 0 };
        // Only a plain file can be renamed and made anew: not a pipe, not /dev/stdout.
        let log = match rotation.filter(|_| metadata.is_file()) {
            Some(rotation) => Some(LogFile::new(path, len, rotation)?),
            None => None,
        };
        Ok(Self {
            torn: len > 0 && log_file::is_torn(path),
            header_due: header.is_some(),
            header,
            log,
            ..Self::stream(Box::new(file))
        })
    }

    pub(super) fn write(&mut self, lines: &[u8]) -> Result<(), PartialWrite> {
        let mut start = 0;
        while start < lines.len() {
            let piece = &lines[start..start + self.make_room(&lines[start..])];
            self.write_piece(piece)
                .map_err(|partial| PartialWrite { whole: start + partial.whole, ..partial })?;
            start += piece.len();
        }
        self.target.flush().map_err(|error| PartialWrite { whole: start, error })
    }

    /// Returns the counts since the last call.
    pub(super) fn take_rotations(&mut self) -> Rotations {
        std::mem::take(&mut self.rotations)
    }

    /// The length of those lines at the start of `rest` to write now, into a new file if the old one has no room.
    fn make_room(&mut self, rest: &[u8]) -> usize {
        let header = self.header_line().len();
        let Some(log) = &mut self.log else { return rest.len() };
        if let Some(len) = log.room_for(rest, header) {
            return len;
        }
        if log.has_events() {
            match log.rotate() {
                Ok(file) => {
                    self.target = Box::new(file);
                    self.torn = false;
                    self.header_due = self.header.is_some();
                    self.rotated += 1;
                    self.rotations.done += 1;
                }
                Err(error) => {
                    self.rotations.failed += 1;
                    self.rotations.error = Some(error);
                    return rest.len();
                }
            }
        }
        let header = self.header_line().len();
        // A line that is longer than a file may be gets a file to itself.
        let first_line = || rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1);
        self.log.as_ref().and_then(|log| log.room_for(rest, header)).unwrap_or_else(first_line)
    }

    fn write_piece(&mut self, piece: &[u8]) -> Result<(), PartialWrite> {
        let nothing = |partial| PartialWrite { whole: 0, ..partial };
        if self.torn {
            self.put(b"\n", false).map_err(nothing)?;
        }
        if self.header_due {
            let header = self.header_line();
            let put = self.put(&header, false);
            let whole = put.as_ref().map_or_else(|partial| partial.whole, |()| header.len());
            self.header_due = whole == 0;
            self.rotations.header_bytes += whole as u64;
            put.map_err(nothing)?;
        }
        self.put(piece, true)
    }

    /// The header that the current file still lacks, or nothing.
    fn header_line(&self) -> Vec<u8> {
        let header = self.header.as_ref().filter(|_| self.header_due);
        header.map_or_else(Vec::new, |header| header.line(self.rotated))
    }

    fn put(&mut self, lines: &[u8], events: bool) -> Result<(), PartialWrite> {
        let result = write_all(&mut self.target, lines);
        let written = result.as_ref().map_or_else(|(written, _)| *written, |()| lines.len());
        if let Some(log) = &mut self.log {
            log.grew(written, events);
        }
        if written > 0 {
            self.torn = lines[written - 1] != b'\n';
        }
        result.map_err(|(written, error)| {
            // A line that lacks nothing but its end gets it before the next line, which makes it whole.
            let ends = lines.get(written) == Some(&b'\n');
            let whole = if ends { written + 1 } else { end_of_last_line(&lines[..written]).unwrap_or(0) };
            PartialWrite { whole, error }
        })
    }
}

/// As [`Write::write_all`], and says how many bytes were written before it failed.
fn write_all(target: &mut dyn Write, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut written = 0;
    while written < bytes.len() {
        match target.write(&bytes[written..]) {
            Ok(0) => return Err((written, ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err((written, error)),
        }
    }
    Ok(())
}
