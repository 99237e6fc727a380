//! Appends records to a manifest.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::error::ManifestError;
use super::read::{Beginning, LONGEST_LINE, beginning, header_line};
use super::record::{Record, VERSION};

/// The one writer of a manifest in this process. Each record is one write, and in the file when [`append`](Self::append) returns:
/// a process that is killed loses at most the record that it was about to write.
pub struct ManifestWriter {
    out: Box<dyn Write + Send>,
    file: Option<Claim>,
    /// `true` if a write failed: some of its line may be there.
    is_torn: bool,
}

impl ManifestWriter {
    /// Begins a file anew: what it held is gone.
    ///
    /// # Errors
    /// [`ManifestError::File`], [`ManifestError::AlreadyOpen`].
    pub fn create(path: impl AsRef<Path>) -> Result<Self, ManifestError> {
        Self::open(path.as_ref(), true)
    }

    /// Goes on with a file, or begins it. A torn last line in it is left as it is, on its own line.
    ///
    /// # Errors
    /// As [`create`](Self::create); [`ManifestError::AnotherVersion`]; [`ManifestError::NotAManifest`] for a file of something
    /// else, which stays as it is.
    pub fn append_to(path: impl AsRef<Path>) -> Result<Self, ManifestError> {
        Self::open(path.as_ref(), false)
    }

    fn open(path: &Path, anew: bool) -> Result<Self, ManifestError> {
        let failed = |source| ManifestError::File { action: "open", path: path.to_owned(), source };
        // Truncated only once it is this writer's.
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            // A pipe or a device may have no end, and cannot be gone on with.
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")));
        }
        let claim = Claim::new(path)?;
        if anew {
            file.set_len(0).map_err(failed)?;
        }
        let Beginning { version, foreign_lines } = beginning(BufReader::new(&file)).map_err(failed)?;
        if foreign_lines > 0 {
            return Err(ManifestError::NotAManifest { path: path.to_owned(), lines: foreign_lines });
        }
        if version != VERSION {
            return Err(ManifestError::AnotherVersion { path: path.to_owned(), version });
        }
        let mut out = file.try_clone().map_err(failed)?;
        begin(&file, &mut out).map_err(failed)?;
        Ok(Self { out: Box::new(out), file: Some(claim), is_torn: false })
    }

    /// Writes to any destination, beginning with the header.
    ///
    /// # Errors
    /// The destination's.
    pub fn new(mut out: impl Write + Send + 'static) -> io::Result<Self> {
        out.write_all(header_line()?.as_bytes())?;
        out.flush()?;
        Ok(Self { out: Box::new(out), file: None, is_torn: false })
    }

    /// The file; `None` if it writes elsewhere.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|claim| &*claim.0)
    }

    /// Writes a record.
    ///
    /// # Errors
    /// The destination's; [`io::ErrorKind::InvalidData`] for a line of more than a mebibyte, which would not be read back.
    pub fn append(&mut self, record: &Record) -> io::Result<()> {
        let line = record.line()?;
        if line.len() as u64 > LONGEST_LINE {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a key's line takes more than a mebibyte",
            ));
        }
        let line = if self.is_torn { format!("\n{line}") } else { line };
        self.is_torn = true;
        self.out.write_all(line.as_bytes())?;
        self.out.flush()?;
        self.is_torn = false;
        Ok(())
    }
}

impl fmt::Debug for ManifestWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManifestWriter").field("path", &self.path()).finish_non_exhaustive()
    }
}

/// Writes what has to come before the first record: the header of a new file, the end of a line that was torn.
fn begin(mut file: &File, out: &mut File) -> io::Result<()> {
    if file.metadata()?.len() == 0 {
        return out.write_all(header_line()?.as_bytes());
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    if last == *b"\n" { Ok(()) } else { out.write_all(b"\n") }
}

/// Files that are being written by this process.
static OPEN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A file that no other writer of this process has.
struct Claim(PathBuf);

impl Claim {
    /// Claims a file, which is there.
    fn new(path: &Path) -> Result<Self, ManifestError> {
        let failed = |source| ManifestError::File { action: "open", path: path.to_owned(), source };
        let whole = path.canonicalize().map_err(failed)?;
        if open_files().insert(whole.clone()) {
            Ok(Self(whole))
        } else {
            Err(ManifestError::AlreadyOpen { path: path.to_owned() })
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        open_files().remove(&self.0);
    }
}

fn open_files() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}
