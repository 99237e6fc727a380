use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use super::{Access, FileHandle, FileSystem, NativeFileSystem, Stat};

/// The machine's file system, of a process that is killed at a chosen step: for tests of what the next process finds.
///
/// A step is a call that changes something. The one at which the process is killed does nothing, or half of it if it is a write;
/// all calls after it fail. Locks are free once the store is dropped, as those of a killed process are.
///
/// ```
/// use std::sync::Arc;
///
/// use metallic_store::disk::file_system::CrashingFileSystem;
/// use metallic_store::{Artifact, ArtifactKey, ArtifactStore, DiskOptions, DiskStore, Fingerprint, MissCause};
///
/// let key = ArtifactKey::new("gemm", 1, *b"m64", Fingerprint::new())?;
/// for step in 0.. {
///     let folder = tempfile::tempdir()?;
///     let files = Arc::new(CrashingFileSystem::at(step));
///     let killed = DiskStore::open(folder.path(), DiskOptions::new().with_file_system(files.clone()));
///     let _ = killed.save(&key, &Artifact::native(*b"code"));
///     drop(killed);
///     let next = DiskStore::open(folder.path(), DiskOptions::new());
///     let found = next.load(&key);
///     assert!(found.is_ok() || found == Err(MissCause::Absent), "whole or not at all");
///     if !files.has_crashed() {
///         break; // more steps than a save has
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CrashingFileSystem {
    steps: Arc<Steps>,
}

/// Steps that are left until the crash. It has happened once there are none.
#[derive(Debug)]
struct Steps {
    left: AtomicU64,
    /// `true` from the crash on.
    crashed: AtomicBool,
}

impl CrashingFileSystem {
    /// A process that is killed at this step, counted from 0.
    pub fn at(step: u64) -> Self {
        let crashed = AtomicBool::new(false);
        Self { steps: Arc::new(Steps { left: AtomicU64::new(step), crashed }) }
    }

    /// Returns `true` if the step was reached.
    pub fn has_crashed(&self) -> bool {
        self.steps.crashed.load(Ordering::SeqCst)
    }
}

impl Steps {
    fn gone() -> io::Error {
        io::Error::other("the process was killed")
    }

    /// # Errors
    /// If the process is gone.
    fn alive(&self) -> io::Result<()> {
        if self.crashed.load(Ordering::SeqCst) { Err(Self::gone()) } else { Ok(()) }
    }

    /// Takes a step.
    ///
    /// # Errors
    /// If the process is gone, or is killed by it.
    fn step(&self) -> io::Result<()> {
        self.alive()?;
        let taken = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        taken.map(drop).map_err(|_| {
            self.crashed.store(true, Ordering::SeqCst);
            Self::gone()
        })
    }
}

impl FileSystem for CrashingFileSystem {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn FileHandle>> {
        match access {
            Access::Read => self.steps.alive()?,
            Access::Update | Access::Create => self.steps.step()?,
        }
        let file = NativeFileSystem.open(path, access)?;
        Ok(Box::new(CrashingFile { file, steps: self.steps.clone() }))
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.steps.alive()?;
        NativeFileSystem.stat(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        self.steps.alive()?;
        NativeFileSystem.list(folder)
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        self.steps.step()?;
        NativeFileSystem.create_folder(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.steps.step()?;
        NativeFileSystem.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.steps.step()?;
        NativeFileSystem.remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.steps.step()?;
        NativeFileSystem.remove_folder(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.steps.step()?;
        NativeFileSystem.sync_folder(folder)
    }

    fn available(&self, folder: &Path) -> io::Result<Option<u64>> {
        self.steps.alive()?;
        NativeFileSystem.available(folder)
    }

    fn user(&self) -> Option<u32> {
        NativeFileSystem.user()
    }
}

#[derive(Debug)]
struct CrashingFile {
    file: Box<dyn FileHandle>,
    steps: Arc<Steps>,
}

impl FileHandle for CrashingFile {
    fn stat(&self) -> io::Result<Stat> {
        self.steps.alive()?;
        self.file.stat()
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.steps.alive()?;
        self.file.read(buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.steps.alive()?;
        self.steps.step().inspect_err(|_| {
            // The half that got there; the error is that of the crash.
            let _ = self.file.write(&bytes[..bytes.len() / 2]);
        })?;
        self.file.write(bytes)
    }

    fn rewind(&mut self) -> io::Result<()> {
        self.steps.alive()?;
        self.file.rewind()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.steps.step()?;
        self.file.sync()
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.steps.alive()?;
        self.file.try_lock()
    }

    fn touch(&self, time: SystemTime) -> io::Result<()> {
        self.steps.step()?;
        self.file.touch(time)
    }
}
