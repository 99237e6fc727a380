//! The logs that this process writes: one exporter a file, whatever asks for it.
//!
//! Two exporters to one file would empty it for each other, and rotate it under each other's hands.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use super::running::Running;

/// By [`identity`]. An exporter that is starting, or being dropped, has a dead entry here, and a caller that asks for it
/// waits until that is settled.
static OPEN: Mutex<BTreeMap<PathBuf, Weak<Running>>> = Mutex::new(BTreeMap::new());

/// Signals that a dead entry of [`OPEN`] has come alive or was removed.
static SETTLED: Condvar = Condvar::new();

/// The files that were [`begun`], by [`identity`].
static BEGUN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// The path by which a file is known, whether or not it is there yet: without links and relative parts.
///
/// # Errors
///
/// Its folder does not exist, or the path does not name a file.
pub(super) fn identity(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        found => return found,
    }
    let path = std::path::absolute(path)?;
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(ErrorKind::NotFound.into());
    };
    Ok(fs::canonicalize(folder)?.join(name))
}

/// Returns the exporter that writes to this file, or the one that `start` starts. That is told whether another process
/// writes there, so that it goes on after what the file holds, whatever its caller asked for.
pub(super) fn join_or_start(
    log: &Path,
    start: impl FnOnce(bool) -> io::Result<Arc<Running>>,
) -> io::Result<Arc<Running>> {
    let mut open = lock();
    let of_parent = loop {
        let Some(known) = open.get(log) else { break None };
        match known.upgrade() {
            Some(running) if !running.queue().is_forked() => return Ok(running),
            Some(of_parent) => break Some(of_parent),
            None => open = SETTLED.wait(open).unwrap_or_else(PoisonError::into_inner),
        }
    };
    open.insert(log.to_owned(), Weak::new());
    // To open a file may take long, such as a pipe without a reader.
    drop(open);
    let started = start(of_parent.is_some());
    let mut open = lock();
    match &started {
        Ok(running) => open.insert(log.to_owned(), Arc::downgrade(running)),
        Err(_) => open.remove(log),
    };
    drop(open);
    SETTLED.notify_all();
    started
}

/// Tells that the exporter to this file has written its last line.
pub(super) fn closed(log: &Path) {
    lock().remove(log);
    SETTLED.notify_all();
}

/// Notes that this process has begun the file, and is not to empty it again.
pub(super) fn begun(log: PathBuf) {
    BEGUN.lock().unwrap_or_else(PoisonError::into_inner).insert(log);
}

/// Tells the files that this process has [`begun`].
pub(super) fn is_begun(log: &Path) -> bool {
    BEGUN.lock().unwrap_or_else(PoisonError::into_inner).contains(log)
}

/// The map is whole between any two of its operations, so poison means nothing here.
fn lock() -> MutexGuard<'static, BTreeMap<PathBuf, Weak<Running>>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}
