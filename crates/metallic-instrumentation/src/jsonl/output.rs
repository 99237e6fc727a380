//! Where lines go: a file or any other writer.

use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::log_file::{self, LogFile, Rotation, end_of_last_line};

/// Takes whole lines, and keeps a line that a failed write tore apart from the next one.
pub(super) struct Output {
    target: Box<dyn Write + Send>,
    /// Whether the last byte written is not the end of a line.
    torn: bool,
    /// The file to rotate, if any.
    log: Option<LogFile>,
    rotations: Rotations,
}

/// What became of the rotations since they were asked for.
#[derive(Default)]
pub(super) struct Rotations {
    pub(super) done: u64,
    pub(super) failed: u64,
    pub(super) error: Option<io::Error>,
}

/// A write that failed.
pub(super) struct PartialWrite {
    /// Bytes, of whole lines, that were written all the same.
    pub(super) whole: usize,
    pub(super) error: io::Error,
}

impl Output {
    pub(super) fn stream(target: Box<dyn Write + Send>) -> Self {
        Self { target, torn: false, log: None, rotations: Rotations::default() }
    }

    /// Empties the file, or goes on after what it holds.
    pub(super) fn file(path: &Path, append: bool, rotation: Option<Rotation>) -> io::Result<Self> {
        let file = if append { log_file::append(path) } else { log_file::create(path) }?;
        let metadata = file.metadata()?;
        let len = if metadata.is_file() { metadata.len() } else { 0 };
        // Only a plain file can be renamed and made anew: not a pipe, not /dev/stdout.
        let log = match rotation.filter(|_| metadata.is_file()) {
            Some(rotation) => Some(LogFile::new(path, len, rotation)?),
            None => None,
        };
        Ok(Self { torn: len > 0 && log_file::is_torn(path), log, ..Self::stream(Box::new(file)) })
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

    /// What became of rotations since the last call.
    pub(super) fn take_rotations(&mut self) -> Rotations {
        std::mem::take(&mut self.rotations)
    }

    /// The length of those lines at the start of `rest` to write now, into a new file if the old one has no room.
    fn make_room(&mut self, rest: &[u8]) -> usize {
        let Some(log) = &mut self.log else { return rest.len() };
        if let Some(len) = log.room_for(rest) {
            return len;
        }
        if !log.is_empty() {
            match log.rotate() {
                Ok(file) => {
                    self.target = Box::new(file);
                    self.torn = false;
                    self.rotations.done += 1;
                }
                Err(error) => {
                    self.rotations.failed += 1;
                    self.rotations.error = Some(error);
                    return rest.len();
                }
            }
        }
        // A line that is longer than a file may be gets a file to itself.
        let first_line = || rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1);
        log.room_for(rest).unwrap_or_else(first_line)
    }

    fn write_piece(&mut self, piece: &[u8]) -> Result<(), PartialWrite> {
        if self.torn {
            write_all(&mut self.target, b"\n").map_err(|(_, error)| PartialWrite { whole: 0, error })?;
            self.torn = false;
            if let Some(log) = &mut self.log {
                log.grew(1);
            }
        }
        let result = write_all(&mut self.target, piece);
        let written = result.as_ref().map_or_else(|(written, _)| *written, |()| piece.len());
        if let Some(log) = &mut self.log {
            log.grew(written);
        }
        result.map_err(|(written, error)| {
            let whole = end_of_last_line(&piece[..written]).unwrap_or(0);
            self.torn = whole < written;
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
