use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use super::{Access, FileHandle, FileSystem, Stat, StatKind};

/// The file system of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct NativeFileSystem;

impl FileSystem for NativeFileSystem {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn FileHandle>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match access {
            Access::Read => {}
            Access::Update => drop(options.write(true).create(true)),
            Access::Create => drop(options.write(true).create_new(true)),
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;

            use rustix::fs::OFlags;
            options.mode(0o600).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32);
        }
        Ok(Box::new(NativeFile { file: options.open(path)?, is_locked: AtomicBool::new(false) }))
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        fs::symlink_metadata(path).map(|metadata| describe(&metadata))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        // Elsewhere a folder cannot be opened as a file, and its names are durable with the files.
        if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
    }

    fn available(&self, folder: &Path) -> io::Result<Option<u64>> {
        #[cfg(unix)]
        return Ok(rustix::fs::statvfs(folder).map(|stat| Some(stat.f_bavail.saturating_mul(stat.f_frsize)))?);
        #[cfg(not(unix))]
        return Ok(folder.metadata().map(|_| None)?);
    }

    fn user(&self) -> Option<u32> {
        #[cfg(unix)]
        return Some(rustix::process::geteuid().as_raw());
        #[cfg(not(unix))]
        return None;
    }
}

/// An open file that unlocks itself: a process that was forked meanwhile has the lock too, and closing the file here would leave
/// it there.
#[derive(Debug)]
struct NativeFile {
    file: File,
    is_locked: AtomicBool,
}

#[expect(
    clippy::incompatible_msrv,
    reason = "the feature `disk` needs Rust 1.89, and says so; the port does not"
)]
impl NativeFile {
    fn try_lock(&self) -> io::Result<bool> {
        match self.file.try_lock() {
            Ok(()) => {
                self.is_locked.store(true, Ordering::Relaxed);
                Ok(true)
            }
            Err(fs::TryLockError::WouldBlock) => Ok(false),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn unlock(&self) {
        if self.is_locked.load(Ordering::Relaxed) {
            // Closing it does the same, where nothing was forked.
            let _ = self.file.unlock();
        }
    }
}

impl Drop for NativeFile {
    fn drop(&mut self) {
        self.unlock();
    }
}

impl FileHandle for NativeFile {
    fn stat(&self) -> io::Result<Stat> {
        self.file.metadata().map(|metadata| describe(&metadata))
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn rewind(&mut self) -> io::Result<()> {
        self.file.rewind()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn try_lock(&self) -> io::Result<bool> {
        NativeFile::try_lock(self)
    }

    fn touch(&self, time: SystemTime) -> io::Result<()> {
        self.file.set_modified(time)
    }
}

fn describe(metadata: &fs::Metadata) -> Stat {
    #[cfg(unix)]
    let (identity, owner) = {
        use std::os::unix::fs::MetadataExt;
        (Some((metadata.dev(), metadata.ino())), Some((metadata.uid(), metadata.mode() & 0o7777)))
    };
    #[cfg(not(unix))]
    let (identity, owner) = (None, None);
    Stat {
        kind: match metadata.file_type() {
            kind if kind.is_file() => StatKind::File,
            kind if kind.is_dir() => StatKind::Folder,
            _ => StatKind::Other,
        },
        len: metadata.len(),
        modified: metadata.modified().ok(),
        identity,
        owner,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_a_forked_process_has_too_is_released_with_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let file = NativeFile { file: File::create(&path).unwrap(), is_locked: AtomicBool::new(false) };
        // What a process has that was forked from this one: the same open file.
        let forked = file.file.try_clone().unwrap();
        assert!(FileHandle::try_lock(&file).unwrap());
        drop(file);
        File::open(&path).unwrap().try_lock().expect("no one has it locked any more");
        drop(forked);
    }
}
