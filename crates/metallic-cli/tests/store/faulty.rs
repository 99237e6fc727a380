//! A file system that misbehaves as asked.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, SystemTime};

use metallic_store::disk::file_system::{Access, FileHandle, FileSystem, NativeFileSystem, Stat};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faulty {
    /// Writes fail so.
    pub(crate) writes: Option<ErrorKind>,
    /// Everything belongs to this user.
    pub(crate) owner: Option<u32>,
    /// Its clock is ahead.
    pub(crate) ahead: Duration,
    /// Bytes that it has left.
    pub(crate) available: Option<u64>,
    pub(crate) without_locks: bool,
    /// Reads give other bytes than were written.
    pub(crate) forgets: bool,
}

impl Faulty {
    fn changed(&self, mut stat: Stat) -> Stat {
        stat.owner = stat.owner.map(|(owner, mode)| (self.owner.unwrap_or(owner), mode));
        stat.modified = stat.modified.map(|time| time + self.ahead);
        stat
    }

    fn written(&self) -> io::Result<()> {
        self.writes.map_or(Ok(()), |kind| Err(kind.into()))
    }
}

impl FileSystem for Faulty {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn FileHandle>> {
        if access != Access::Read && self.writes == Some(ErrorKind::ReadOnlyFilesystem) {
            self.written()?;
        }
        Ok(Box::new(FaultyFile { file: NativeFileSystem.open(path, access)?, faults: *self }))
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        NativeFileSystem.stat(path).map(|stat| self.changed(stat))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        NativeFileSystem.list(folder)
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        NativeFileSystem.create_folder(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        NativeFileSystem.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        NativeFileSystem.remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        NativeFileSystem.remove_folder(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        NativeFileSystem.sync_folder(folder)
    }

    fn available(&self, folder: &Path) -> io::Result<Option<u64>> {
        self.available.map_or_else(|| NativeFileSystem.available(folder), |bytes| Ok(Some(bytes)))
    }

    fn user(&self) -> Option<u32> {
        NativeFileSystem.user()
    }
}

#[derive(Debug)]
struct FaultyFile {
    file: Box<dyn FileHandle>,
    faults: Faulty,
}

impl FileHandle for FaultyFile {
    fn stat(&self) -> io::Result<Stat> {
        self.file.stat().map(|stat| self.faults.changed(stat))
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        if self.faults.forgets {
            buffer[..read].fill(0);
        }
        Ok(read)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.faults.written()?;
        self.file.write(bytes)
    }

    fn rewind(&mut self) -> io::Result<()> {
        self.file.rewind()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }

    fn try_lock(&self) -> io::Result<bool> {
        if self.faults.without_locks { Err(ErrorKind::Unsupported.into()) } else { self.file.try_lock() }
    }

    fn touch(&self, time: SystemTime) -> io::Result<()> {
        self.file.touch(time)
    }
}
