//! Reads what is written to a file, through its rotations and truncations.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use metallic_instrumentation::JsonlReader;

/// Bytes read at once.
const CHUNK: usize = 256 << 10;
/// Longest line kept while its end is not written yet.
const MAX_LINE: usize = JsonlReader::<io::Empty>::MAX_LINE;

/// The state of a log, besides its lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogState {
    /// `true` if the file was deleted, or moved away, and no other has its name.
    pub is_gone: bool,
    /// The time since something was written to it, where the system tells.
    pub silence: Option<Duration>,
}

/// The end of a log that is being written.
///
/// A log that is rotated is read to its end before the new one is begun; one that is truncated is read from its start. What
/// is rotated away twice between two calls of [`read`](Self::read) is not seen.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    file: Option<Open>,
    /// The begin of a line whose end was not there yet.
    partial: Vec<u8>,
    /// `true` if the bytes up to the next line break belong to a line that was too long.
    overlong: bool,
}

#[derive(Debug)]
struct Open {
    file: File,
    id: Option<(u64, u64)>,
    offset: u64,
}

impl Tail {
    /// The log at `path`, from its start. It need not be there yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), file: None, partial: Vec::new(), overlong: false }
    }

    /// The log.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns `true` if the log exists.
    pub fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// The state of the log at this moment.
    pub fn state(&self, now: SystemTime) -> LogState {
        let Some(open) = &self.file else { return LogState::default() };
        let is_missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        let modified = open.file.metadata().and_then(|metadata| metadata.modified()).ok();
        LogState {
            is_gone: fs::metadata(&self.path).as_ref().is_err_and(is_missing),
            silence: modified.map(|modified| now.duration_since(modified).unwrap_or_default()),
        }
    }

    /// Leaves out what is in the log now.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn skip_to_end(&mut self) -> io::Result<()> {
        self.open()?;
        if let Some(open) = &mut self.file {
            open.offset = open.file.seek(SeekFrom::End(0))?;
            // The end may be in the middle of a line.
            self.overlong = open.offset > 0 && !ends_a_line(&mut open.file)?;
        }
        Ok(())
    }

    /// Appends the next whole lines to `lines`, and says whether there may be more already.
    ///
    /// # Errors
    /// The log is there, but cannot be read.
    pub fn read(&mut self, lines: &mut Vec<u8>) -> io::Result<bool> {
        self.open()?;
        let Some(open) = &mut self.file else { return Ok(false) };
        if open.file.metadata()?.len() < open.offset {
            open.offset = open.file.seek(SeekFrom::Start(0))?;
            self.partial.clear();
            self.overlong = false;
        }
        let before = self.partial.len();
        let read = (&mut open.file).take(CHUNK as u64).read_to_end(&mut self.partial)?;
        open.offset += read as u64;
        if read == 0 {
            return Ok(self.leave_if_rotated());
        }
        let end = self.partial[before..].iter().rposition(|&byte| byte == b'\n').map(|at| before + at + 1);
        if let Some(end) = end {
            let mut whole = &self.partial[..end];
            if self.overlong {
                let first = whole.iter().position(|&byte| byte == b'\n').map_or(whole.len(), |at| at + 1);
                whole = &whole[first..];
                self.overlong = false;
            }
            lines.extend_from_slice(whole);
            self.partial.drain(..end);
        }
        if self.partial.len() > MAX_LINE {
            self.partial.clear();
            self.overlong = true;
        }
        Ok(true)
    }

    fn open(&mut self) -> io::Result<()> {
        if self.file.is_some() {
            return Ok(());
        }
        match File::open(&self.path) {
            Ok(file) => {
                let id = id(&file.metadata()?);
                self.file = Some(Open { file, id, offset: 0 });
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Closes the file if another one has taken the log's place. Returns `true` if so.
    fn leave_if_rotated(&mut self) -> bool {
        let Some(open) = &self.file else { return false };
        let rotated = fs::metadata(&self.path).is_ok_and(|metadata| id(&metadata) != open.id);
        if rotated {
            self.file = None;
            self.partial.clear();
            self.overlong = false;
        }
        rotated
    }
}

fn ends_a_line(file: &mut File) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// The identity of a file, which differs from that of another file of the same name; `None` on systems without one.
#[cfg(unix)]
fn id(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn id(_: &Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// All that is new, as text.
    fn all(tail: &mut Tail) -> String {
        let mut lines = Vec::new();
        while tail.read(&mut lines).unwrap() {}
        String::from_utf8(lines).unwrap()
    }

    fn append(path: &Path, text: &str) {
        File::options().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn a_line_is_read_when_its_end_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut tail = Tail::new(&path);
        assert_eq!(all(&mut tail), "");
        append(&path, "one\ntw");
        assert_eq!(all(&mut tail), "one\n");
        append(&path, "o\nthree\n");
        assert_eq!(all(&mut tail), "two\nthree\n");
    }

    #[cfg(unix)]
    #[test]
    fn a_rotated_log_is_read_to_its_end_and_the_new_one_from_its_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path, "one\n");
        let mut tail = Tail::new(&path);
        assert_eq!(all(&mut tail), "one\n");
        append(&path, "two\n");
        fs::rename(&path, folder.path().join("log.1")).unwrap();
        append(&path, "three\n");
        assert_eq!(all(&mut tail), "two\nthree\n");
    }

    #[test]
    fn a_truncated_log_is_read_from_its_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path, "a long first line\nhalf a l");
        let mut tail = Tail::new(&path);
        all(&mut tail);
        File::create(&path).unwrap();
        append(&path, "new\n");
        assert_eq!(all(&mut tail), "new\n");
    }

    #[test]
    fn what_was_there_can_be_left_out_with_the_rest_of_its_last_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path, "one\ntw");
        let mut tail = Tail::new(&path);
        tail.skip_to_end().unwrap();
        append(&path, "o\nthree\n");
        assert_eq!(all(&mut tail), "three\n");
    }

    #[cfg(unix)]
    #[test]
    fn a_log_says_how_long_it_is_silent_and_that_it_is_gone_until_there_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut tail = Tail::new(&path);
        assert_eq!(tail.state(SystemTime::now()), LogState::default());
        append(&path, "one\n");
        all(&mut tail);
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        let later = Duration::from_secs(12);
        assert_eq!(tail.state(modified + later), LogState { is_gone: false, silence: Some(later) });
        fs::remove_file(&path).unwrap();
        assert_eq!(all(&mut tail), "");
        assert!(tail.state(modified).is_gone);
        append(&path, "two\n");
        assert_eq!(all(&mut tail), "two\n");
        assert!(!tail.state(modified).is_gone);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path, &"x".repeat(2 * MAX_LINE));
        let mut tail = Tail::new(&path);
        assert_eq!(all(&mut tail), "");
        append(&path, "x\nnext\n");
        assert_eq!(all(&mut tail), "next\n");
    }
}
