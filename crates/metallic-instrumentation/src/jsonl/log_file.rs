//! The log as a file: its opening and its rotation.

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::beginning::is_log;

/// When a log moves on to a new file, and how many of the old ones stay.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rotation {
    pub(super) max_bytes: u64,
    pub(super) keep: usize,
}

/// The file being written, as far as rotation is concerned.
pub(super) struct LogFile {
    path: PathBuf,
    len: u64,
    /// True if it holds more than a header.
    has_events: bool,
    rotation: Rotation,
}

impl LogFile {
    pub(super) fn new(path: &Path, len: u64, rotation: Rotation) -> io::Result<Self> {
        // Absolute, so that a later change of the working directory does not move the log.
        Ok(Self { path: std::path::absolute(path)?, len, has_events: len > 0, rotation })
    }

    /// Counts bytes that were written: of events, or of a header.
    pub(super) fn grew(&mut self, bytes: usize, events: bool) {
        self.len += bytes as u64;
        self.has_events |= events && bytes > 0;
    }

    pub(super) fn has_events(&self) -> bool {
        self.has_events
    }

    /// The length of those lines at the start of `rest` that the file has room for after `header` bytes more, if there
    /// are any.
    pub(super) fn room_for(&self, rest: &[u8], header: usize) -> Option<usize> {
        let room = self.rotation.max_bytes.saturating_sub(self.len).saturating_sub(header as u64);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        if rest.len() <= room { Some(rest.len()) } else { end_of_last_line(&rest[..room]) }
    }

    /// Fails with [`ForeignFile`] as the cause if a rotation would find something else than a log in the place of an older
    /// one.
    pub(super) fn refuse_foreign(path: &Path, rotation: Rotation) -> io::Result<()> {
        Self::new(path, 0, rotation)?.place_for_oldest().map(drop)
    }

    /// Moves `log` to `log.1`, `log.1` to `log.2` and so on, and opens a new `log`. If that fails, the file that was
    /// `log` before still is, and can be written on.
    pub(super) fn rotate(&mut self) -> io::Result<File> {
        // Found out before anything is emptied or moved.
        let oldest = self.place_for_oldest()?;
        // Opened under another name first: descriptors and space run short, and then nothing has been moved yet.
        let new = self.with_suffix("new");
        refuse_foreign(&new)?;
        let file = create(&new)?;
        self.replace_by(&new, oldest).inspect_err(|_| {
            // It is empty, and the next rotation makes it anew.
            let _ = fs::remove_file(&new);
        })?;
        self.len = 0;
        self.has_events = false;
        Ok(file)
    }

    fn replace_by(&self, new: &Path, oldest: usize) -> io::Result<()> {
        if self.rotation.keep == 0 {
            return fs::rename(new, &self.path);
        }
        for age in (1..oldest).rev() {
            fs::rename(self.aged(age), self.aged(age + 1))?;
        }
        fs::rename(&self.path, self.aged(1))?;
        fs::rename(new, &self.path).inspect_err(|_| {
            // Where even this fails the events go on into `log.1`, and the next rotation fails again and is counted.
            let _ = fs::rename(self.aged(1), &self.path);
        })
    }

    /// The age that the oldest file gets: the first that no file has, so that a rotation costs what there is, and one
    /// that failed half-way, and left a gap, is mended by the next. Where all have files, the oldest is overwritten.
    fn place_for_oldest(&self) -> io::Result<usize> {
        for age in 1..=self.rotation.keep {
            let path = self.aged(age);
            match fs::symlink_metadata(&path) {
                Ok(_) => refuse_foreign(&path)?,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(age),
                Err(error) => return Err(error),
            }
        }
        Ok(self.rotation.keep)
    }

    fn aged(&self, age: usize) -> PathBuf {
        self.with_suffix(age)
    }

    fn with_suffix(&self, suffix: impl fmt::Display) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(format!(".{suffix}"));
        name.into()
    }
}

/// Something else than a log is where rotation would put one.
#[derive(Debug)]
pub(crate) struct ForeignFile {
    pub(crate) path: PathBuf,
}

impl fmt::Display for ForeignFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is there and not a log: rotation would move or overwrite it", self.path.display())
    }
}

impl Error for ForeignFile {}

/// Fails with [`ForeignFile`] as the cause if something is there that is not a log.
fn refuse_foreign(path: &Path) -> io::Result<()> {
    if path.is_dir() || !is_log(path)? {
        return Err(io::Error::new(ErrorKind::AlreadyExists, ForeignFile { path: path.to_owned() }));
    }
    Ok(())
}

/// Opens the file empty.
pub(super) fn create(path: &Path) -> io::Result<File> {
    // Opened to append, so that the log survives that another program truncates it, which cannot be asked for together
    // with truncation. And opened once: between two, the reader of a pipe sees its end.
    let file = append(path)?;
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    Ok(file)
}

/// Opens the file to write after what it holds.
pub(super) fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Returns `true` if the file, which is not empty, ends within a line, or cannot be read.
pub(super) fn is_torn(path: &Path) -> bool {
    let last_byte = || {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(-1))?;
        let mut byte = [0];
        file.read_exact(&mut byte)?;
        io::Result::Ok(byte[0])
    };
    last_byte().map_or(true, |byte| byte != b'\n')
}

/// Where the last whole line ends, if there is one.
pub(super) fn end_of_last_line(bytes: &[u8]) -> Option<usize> {
    bytes.iter().rposition(|&byte| byte == b'\n').map(|at| at + 1)
}
