//! The calls that a disk store makes of a file system: the port behind which tests inject faults.

#[cfg(feature = "conformance")]
mod crashing;
mod native;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;
use std::time::SystemTime;

#[cfg(feature = "conformance")]
pub use crashing::CrashingFileSystem;
pub use native::NativeFileSystem;

/// A file system. Each method is one system call, or acts as one: it is done, or has changed nothing.
pub trait FileSystem: Send + Sync + fmt::Debug {
    /// Opens a file, never through a symbolic link, and without waiting for a pipe's other end.
    ///
    /// # Errors
    ///
    /// The system's.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn FileHandle>>;

    /// Describes what is at `path`: a link itself, not what it leads to.
    ///
    /// # Errors
    ///
    /// The system's.
    fn stat(&self, path: &Path) -> io::Result<Stat>;

    /// Lists the names in a folder.
    ///
    /// # Errors
    ///
    /// The system's.
    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>>;

    /// Creates a folder that only its owner can enter, and the folders it is in.
    ///
    /// # Errors
    ///
    /// The system's. A folder that is there already is no error.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;

    /// Gives a file another name, in the place of a file that may have it.
    ///
    /// # Errors
    ///
    /// The system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// The system's.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder.
    ///
    /// # Errors
    ///
    /// The system's.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable, where the system can.
    ///
    /// # Errors
    ///
    /// The system's.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// Bytes that the user may still write to the file system of a folder, where it tells.
    ///
    /// # Errors
    ///
    /// The system's.
    fn available(&self, folder: &Path) -> io::Result<Option<u64>> {
        let _ = folder;
        Ok(None)
    }

    /// The user on whose behalf files are opened, where there are such.
    fn user(&self) -> Option<u32>;
}

/// An open file. Dropping it releases its lock.
pub trait FileHandle: Send + Sync + fmt::Debug {
    /// Describes the file.
    ///
    /// # Errors
    ///
    /// The system's.
    fn stat(&self) -> io::Result<Stat>;

    /// Reads once, from where the last read or write ended.
    ///
    /// # Errors
    ///
    /// The system's.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes once, from where the last read or write ended.
    ///
    /// # Errors
    ///
    /// The system's.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Goes back to the beginning.
    ///
    /// # Errors
    ///
    /// The system's.
    fn rewind(&mut self) -> io::Result<()>;

    /// Makes the content durable.
    ///
    /// # Errors
    ///
    /// The system's.
    fn sync(&mut self) -> io::Result<()>;

    /// Locks the file against other handles, also of other processes, if none has it locked.
    ///
    /// # Errors
    ///
    /// The system's, such as that there are no locks here.
    fn try_lock(&self) -> io::Result<bool>;

    /// Sets the time of the last modification, which a store keeps the time of the last use in.
    ///
    /// # Errors
    ///
    /// The system's.
    fn touch(&self, time: SystemTime) -> io::Result<()>;
}

/// The purpose that a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Read,
    /// Reading and writing. A file that is not there is created.
    Update,
    /// Writing. There must be none yet.
    Create,
}

/// The facts about a file or folder.
#[derive(Clone, Copy, Debug)]
pub struct Stat {
    /// Its kind.
    pub kind: StatKind,
    /// Its length, in bytes.
    pub len: u64,
    /// When it was last modified.
    pub modified: Option<SystemTime>,
    /// Device and number, where the system has them.
    pub identity: Option<(u64, u64)>,
    /// Owner and permission bits, where the system has them.
    pub owner: Option<(u32, u32)>,
}

/// The kind of a [`Stat`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, a pipe, a device.
    Other,
}

/// Reads until `buffer` is full or the file ends, and returns how much was read. Interruptions and short reads are neither.
pub(super) fn read_full(file: &mut dyn FileHandle, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Writes all of `bytes`, whatever interrupts.
pub(super) fn write_all(file: &mut dyn FileHandle, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
