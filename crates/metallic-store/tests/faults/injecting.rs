use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use metallic_store::disk::file_system::{Access, FileHandle, FileSystem, NativeFileSystem, Stat};

/// The fault to inject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The call fails.
    Error(ErrorKind),
    /// A read or write does one byte.
    Short,
    /// A read or write does nothing, as at the end of a file.
    Nothing,
    /// A read gives other bytes than were written.
    Garbage,
}

#[derive(Debug, Default)]
struct Plan {
    fault: Option<Fault>,
    /// Calls until the fault.
    left: u64,
    lasting: bool,
    reached: bool,
}

impl Plan {
    /// Counts a call, and returns what is to go wrong with it.
    fn next(&mut self) -> Option<Fault> {
        let fault = self.fault?;
        if self.left > 0 {
            self.left -= 1;
            return None;
        }
        self.reached = true;
        if !self.lasting || fault == Fault::Error(ErrorKind::Interrupted) {
            // Interrupted for ever is no fault of a file system: whoever is interrupted tries again.
            self.fault = None;
        }
        Some(fault)
    }
}

/// The machine's file system, with a fault at one call or from that call on.
#[derive(Debug, Default)]
pub(super) struct InjectingFileSystem {
    plan: Arc<Mutex<Plan>>,
    without_locks: bool,
    meanwhile: Meanwhile,
}

/// The event between the opening of a lease's file and the attempt to lock it.
#[derive(Default)]
struct Meanwhile(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl std::fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meanwhile")
    }
}

impl InjectingFileSystem {
    pub(super) fn without_locks() -> Self {
        Self { without_locks: true, ..Self::default() }
    }

    pub(super) fn inject(&self, fault: Fault, call: u64, lasting: bool) {
        *self.plan.lock().unwrap() = Plan { fault: Some(fault), left: call, lasting, reached: false };
    }

    /// Lets something happen once, after the next lease's file is opened and before it is locked.
    pub(super) fn meanwhile(&self, happens: impl FnOnce() + Send + 'static) {
        *self.meanwhile.0.lock().unwrap() = Some(Box::new(happens));
    }

    /// Ends the fault, and returns whether it was reached.
    pub(super) fn heal(&self) -> bool {
        std::mem::take(&mut *self.plan.lock().unwrap()).reached
    }

    fn fail(&self) -> io::Result<()> {
        fail(&self.plan)
    }
}

/// Calls that move no bytes can only fail.
fn fail(plan: &Mutex<Plan>) -> io::Result<()> {
    match plan.lock().unwrap().next() {
        Some(Fault::Error(kind)) => Err(kind.into()),
        _ => Ok(()),
    }
}

impl FileSystem for InjectingFileSystem {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn FileHandle>> {
        self.fail()?;
        let file = NativeFileSystem.open(path, access)?;
        if path.parent().is_some_and(|folder| folder.ends_with("leases")) {
            let happens = self.meanwhile.0.lock().unwrap().take();
            happens.into_iter().for_each(|happens| happens());
        }
        Ok(Box::new(InjectingFile { file, plan: self.plan.clone(), without_locks: self.without_locks }))
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.fail()?;
        NativeFileSystem.stat(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        self.fail()?;
        NativeFileSystem.list(folder)
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        self.fail()?;
        NativeFileSystem.create_folder(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.fail()?;
        NativeFileSystem.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.fail()?;
        NativeFileSystem.remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.fail()?;
        NativeFileSystem.remove_folder(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.fail()?;
        NativeFileSystem.sync_folder(folder)
    }

    fn user(&self) -> Option<u32> {
        NativeFileSystem.user()
    }
}

#[derive(Debug)]
struct InjectingFile {
    file: Box<dyn FileHandle>,
    plan: Arc<Mutex<Plan>>,
    without_locks: bool,
}

impl FileHandle for InjectingFile {
    fn stat(&self) -> io::Result<Stat> {
        fail(&self.plan)?;
        self.file.stat()
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.plan.lock().unwrap().next() {
            Some(Fault::Error(kind)) => Err(kind.into()),
            Some(Fault::Short) => self.file.read(&mut buffer[..1]),
            Some(Fault::Nothing) => Ok(0),
            Some(Fault::Garbage) => {
                let read = self.file.read(buffer)?;
                buffer[..read].iter_mut().for_each(|byte| *byte = !*byte);
                Ok(read)
            }
            None => self.file.read(buffer),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.plan.lock().unwrap().next() {
            Some(Fault::Error(kind)) => Err(kind.into()),
            Some(Fault::Short) => self.file.write(&bytes[..1]),
            Some(Fault::Nothing) => Ok(0),
            Some(Fault::Garbage) | None => self.file.write(bytes),
        }
    }

    fn rewind(&mut self) -> io::Result<()> {
        fail(&self.plan)?;
        self.file.rewind()
    }

    fn sync(&mut self) -> io::Result<()> {
        fail(&self.plan)?;
        self.file.sync()
    }

    fn try_lock(&self) -> io::Result<bool> {
        if self.without_locks {
            return Err(ErrorKind::Unsupported.into());
        }
        fail(&self.plan)?;
        self.file.try_lock()
    }

    fn touch(&self, time: SystemTime) -> io::Result<()> {
        fail(&self.plan)?;
        self.file.touch(time)
    }
}
