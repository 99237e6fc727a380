//! The log as a file: how it is opened, and how it makes room.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// When a log moves on to a new file, and how many of the old ones stay.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rotation {
    pub(super) max_bytes: u64,
    pub(super) keep: usize,
}

/// What rotation has to know of the file being written.
pub(super) struct LogFile {
    path: PathBuf,
    len: u64,
    rotation: Rotation,
}

impl LogFile {
    pub(super) fn new(path: &Path, len: u64, rotation: Rotation) -> io::Result<Self> {
        // Absolute, so that a later change of the working directory does not move the log.
        Ok(Self { path: std::path::absolute(path)?, len, rotation })
    }

    pub(super) fn grew(&mut self, bytes: usize) {
        self.len += bytes as u64;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The length of those lines at the start of `rest` that the file has room for, if there are any.
    pub(super) fn room_for(&self, rest: &[u8]) -> Option<usize> {
        let room = usize::try_from(self.rotation.max_bytes.saturating_sub(self.len)).unwrap_or(usize::MAX);
        if rest.len() <= room { Some(rest.len()) } else { end_of_last_line(&rest[..room]) }
    }

    /// Moves `log` to `log.1`, `log.1` to `log.2` and so on, and opens a new `log`. If that fails, the file that was
    /// `log` before still is, and can be written on.
    pub(super) fn rotate(&mut self) -> io::Result<File> {
        if self.rotation.keep > 0 {
            for age in (1..self.rotation.keep).rev() {
                match fs::rename(self.aged(age), self.aged(age + 1)) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            fs::rename(&self.path, self.aged(1))?;
        }
        let file = create(&self.path).inspect_err(|_| {
            // Where even this fails the events go on into `log.1`, and the next rotation fails again and is counted.
            let _ = fs::rename(self.aged(1), &self.path);
        })?;
        self.len = 0;
        Ok(file)
    }

    fn aged(&self, age: usize) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(format!(".{age}"));
        name.into()
    }
}

/// Opens the file empty.
pub(super) fn create(path: &Path) -> io::Result<File> {
    // One call cannot both truncate and append; appending, the log survives that another program truncates it.
    File::create(path)?;
    append(path)
}

/// Opens the file to write after what it holds.
pub(super) fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Whether the file, which is not empty, ends within a line. One that cannot be read might.
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
