use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::Inner;
use super::file_system::{Access, FileHandle, write_all};
use super::ledger::Ledger;
use crate::{Entry, EntryId, SaveError};

/// Room that is reserved for an entry, and the file that is being written. Dropping it gives both back.
struct Reservation<'a> {
    inner: &'a Inner,
    path: PathBuf,
    /// Locked for as long as this process lives and writes.
    file: Option<Box<dyn FileHandle>>,
    bytes: u64,
}

impl Inner {
    /// Reserves room, writes a temporary file, and gives it the entry's name.
    pub(super) fn write(&self, entry: &Entry) -> Result<(), SaveError> {
        self.check_writable()?;
        let bytes = entry.encode(self.secret.as_ref(), SystemTime::now())?;
        let id = entry.key.id();
        let mut reservation = self.reserve(bytes.len() as u64)?;
        reservation.fill(&bytes)?;
        reservation.commit(&id)?;
        if self.durable {
            self.files.sync_folder(&self.layout.shard(id.subject()))?;
        }
        Ok(())
    }

    fn reserve(&self, bytes: u64) -> Result<Reservation<'_>, SaveError> {
        self.create_folder(&self.layout.temporary())?;
        let mut ledger = Ledger::open(self)?;
        if !self.swept.swap(true, Ordering::Relaxed) {
            ledger.sweep();
        }
        ledger.make_room(self, bytes)?;
        ledger.add(bytes)?;
        let path = self.layout.temporary_file(bytes, unique());
        // From here on a failure gives the room back, and the ledger is open already.
        match self.files.open(&path, Access::Create) {
            Ok(file) => {
                // Where there are no locks, age tells what is abandoned.
                let _ = file.try_lock();
                Ok(Reservation { inner: self, path, file: Some(file), bytes })
            }
            Err(error) => {
                ledger.subtract(bytes);
                Err(error.into())
            }
        }
    }

    /// Creates a folder inside the store's, if it is not there.
    pub(super) fn create_folder(&self, folder: &Path) -> io::Result<()> {
        match self.files.stat(folder) {
            Ok(_) => Ok(()),
            Err(_) => self.files.create_folder(folder),
        }
    }
}

/// A number that no other file has: a process of the same number, in another container, writes to this folder too.
fn unique() -> u64 {
    static NEXT: LazyLock<AtomicU64> =
        LazyLock::new(|| AtomicU64::new(RandomState::new().build_hasher().finish()));
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Reservation<'_> {
    fn fill(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(file) = self.file.as_deref_mut() else { return Ok(()) };
        write_all(file, bytes)?;
        if self.inner.durable { file.sync() } else { Ok(()) }
    }

    fn commit(mut self, id: &EntryId) -> Result<(), SaveError> {
        let inner = self.inner;
        inner.create_folder(&inner.layout.shard(id.subject()))?;
        let target = inner.layout.entry(id);
        let mut ledger = Ledger::open(inner)?;
        let replaced = ledger.present(id);
        // Not before the ledger is locked, or a sweep takes the file for abandoned; not later, for a system that does not rename
        // what is open.
        self.file = None;
        if let Err(error) = inner.files.rename(&self.path, &target) {
            // A folder in the place of an entry gives way if it is empty. What is in it was not put there by a store.
            let made_way =
                inner.files.remove_folder(&target).and_then(|()| inner.files.rename(&self.path, &target));
            if made_way.is_err() {
                drop(ledger);
                return Err(error.into());
            }
        }
        ledger.subtract(replaced);
        // The room is the entry's now.
        self.bytes = 0;
        Ok(())
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        // The file first: the total may be too high, never too low.
        let removed = self.inner.files.remove_file(&self.path);
        if self.inner.journal.absorb("remove a temporary file", removed).is_some() {
            if let Some(mut ledger) = self.inner.journal.absorb("open the ledger", Ledger::open(self.inner)) {
                ledger.subtract(self.bytes);
            }
        }
    }
}
