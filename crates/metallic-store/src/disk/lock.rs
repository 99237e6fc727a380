use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::file_system::{Access, FileHandle, FileSystem};

/// The answer to an attempt to lock a file.
#[derive(Debug)]
pub(super) enum Locked {
    Held(Box<dyn FileHandle>),
    TimedOut,
    /// The file system has no locks.
    Unsupported,
    /// The file could not be opened.
    Failed(io::Error),
}

/// Locks the file at `path`, which is created if need be, within `wait`.
///
/// The standard library has no lock with a deadline, and so this asks again, after 0.1 ms at first and every 10 ms at
/// last. The system frees the lock of a process that dies.
pub(super) fn lock(files: &dyn FileSystem, path: &Path, wait: Duration) -> Locked {
    let start = Instant::now();
    let mut pause = Duration::from_micros(100);
    loop {
        match try_lock(files, path) {
            Ok(Attempt::Locked(file)) => return Locked::Held(file),
            Ok(Attempt::Unsupported) => return Locked::Unsupported,
            Ok(Attempt::Taken) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Locked::Failed(error),
        }
        let Some(left) = wait.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) else {
            return Locked::TimedOut;
        };
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

enum Attempt {
    Locked(Box<dyn FileHandle>),
    Taken,
    Unsupported,
}

/// Locks the file if it is not locked, and if it is still the one of that name.
fn try_lock(files: &dyn FileSystem, path: &Path) -> io::Result<Attempt> {
    let file = files.open(path, Access::Update)?;
    match file.try_lock() {
        Ok(true) => {}
        Ok(false) => return Ok(Attempt::Taken),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
        Err(_) => return Ok(Attempt::Unsupported),
    }
    // The previous owner may have removed the file after it was opened here. Another process may then have locked a new file.
    match files.stat(path) {
        Ok(present) if present.identity == file.stat()?.identity => Ok(Attempt::Locked(file)),
        Ok(_) => Ok(Attempt::Taken),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Attempt::Taken),
        Err(error) => Err(error),
    }
}

/// Returns `true` if no process has the file at `path` locked. Nothing is known where there are no locks.
pub(super) fn is_abandoned(files: &dyn FileSystem, path: &Path) -> io::Result<Option<Box<dyn FileHandle>>> {
    match try_lock(files, path)? {
        Attempt::Locked(file) => Ok(Some(file)),
        Attempt::Taken | Attempt::Unsupported => Ok(None),
    }
}
