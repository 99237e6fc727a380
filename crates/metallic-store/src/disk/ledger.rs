//! How many bytes are in the folder: the bound of all processes together.
//!
//! The total is changed under a file lock, upwards before an entry is written and downwards after one is removed. So a
//! process that is killed at any moment leaves a total that is too high and never too low, and counting again heals it: that
//! happens when the total says that there is no room, and so before anything is evicted without need. An entry that is being
//! written counts with the bytes that are reserved for it, which its temporary name tells.
//!
//! Where a file system has no locks, each write counts the folder; processes that write at the same moment can then exceed
//! the bound, by one entry each.

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use super::Inner;
use super::eviction::distance;
use super::file_system::{FileHandle, StatKind, read_full, write_all};
use super::layout::Layout;
use super::lock::{self, Locked};
use crate::{EntryId, SaveError};

const MAGIC: [u8; 8] = *b"mtl-led1";
const LEN: usize = 24;

/// A temporary file that cannot be locked, and is this old, is taken for abandoned.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);

/// The ledger of a folder, locked until it is dropped.
pub(super) struct Ledger<'a> {
    inner: &'a Inner,
    /// None where there are no locks.
    file: Option<Box<dyn FileHandle>>,
    total: u64,
}

impl<'a> Ledger<'a> {
    pub(super) fn open(inner: &'a Inner) -> Result<Self, SaveError> {
        // A process that was stopped with the lock costs this one a single wait, and not one a write.
        let wait =
            if inner.is_ledger_stuck.load(Ordering::Relaxed) { Duration::ZERO } else { inner.lock_wait };
        let locked = lock::lock(&*inner.files, &inner.layout.ledger(), wait);
        inner.is_ledger_stuck.store(matches!(locked, Locked::TimedOut), Ordering::Relaxed);
        let file = match locked {
            Locked::Held(file) => Some(file),
            Locked::Unsupported => None,
            Locked::TimedOut => return Err(SaveError::Busy),
            Locked::Failed(error) => return Err(error.into()),
        };
        let mut ledger = Self { inner, file, total: 0 };
        match ledger.file.as_mut().and_then(|file| read_total(&mut **file)) {
            Some(total) => ledger.total = total,
            None => ledger.count()?,
        }
        Ok(ledger)
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Adds bytes that are going to be written.
    pub(super) fn add(&mut self, bytes: u64) -> Result<(), SaveError> {
        self.total = self.total.saturating_add(bytes);
        self.store().inspect_err(|_| self.total -= bytes).map_err(SaveError::from)
    }

    /// Takes off bytes that are no longer there. If that cannot be stored, the total stays too high until it is counted.
    pub(super) fn subtract(&mut self, bytes: u64) {
        self.total = self.total.saturating_sub(bytes);
        let stored = self.store();
        self.inner.journal.absorb("write the ledger", stored);
    }

    /// Counts what is in the folder, and removes what killed processes have left of their writes.
    pub(super) fn count(&mut self) -> io::Result<()> {
        let entries = self.inner.entries(None)?;
        let present = entries.iter().map(|id| self.present(id)).fold(0, u64::saturating_add);
        self.total = present.saturating_add(self.sweep());
        Ok(())
    }

    /// Removes abandoned temporary files and leases, and returns the bytes that are reserved for the others. What has another
    /// name than a store gives is not touched: a user may have named a folder that was there before.
    ///
    /// A temporary file is created under the ledger's lock and locked at once, so that none is taken for abandoned in between.
    pub(super) fn sweep(&self) -> u64 {
        let Inner { files, layout, journal, .. } = self.inner;
        let mut reserved = 0_u64;
        for name in files.list(&layout.temporary()).unwrap_or_default() {
            let Some(bytes) = name.to_str().and_then(Layout::reserved) else { continue };
            let path = layout.temporary().join(&name);
            let abandoned = match lock::is_abandoned(&**files, &path) {
                Ok(Some(_unlocked_when_removed)) => true,
                Ok(None) => self.file.is_none() && self.is_old(&path),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                // Out of descriptors, for one: that says nothing about its writer.
                Err(_) => self.is_old(&path),
            };
            if abandoned {
                journal.absorb("remove a temporary file", files.remove_file(&path));
            } else {
                reserved = reserved.saturating_add(bytes);
            }
        }
        for name in files.list(&layout.leases()).unwrap_or_default() {
            let Some(Ok(_)) = name.to_str().map(str::parse::<EntryId>) else { continue };
            let path = layout.leases().join(&name);
            if let Ok(Some(_unlocked_when_removed)) = lock::is_abandoned(&**files, &path) {
                journal.absorb("remove a lease", files.remove_file(&path));
            }
        }
        reserved
    }

    fn is_old(&self, path: &Path) -> bool {
        let modified = self.inner.files.stat(path).ok().and_then(|stat| stat.modified);
        modified.is_some_and(|modified| distance(SystemTime::now(), modified) > ABANDONED_AFTER)
    }

    /// Length of the entry that is there now, which a new one would replace.
    pub(super) fn present(&self, id: &EntryId) -> u64 {
        let stat = self.inner.files.stat(&self.inner.layout.entry(id));
        stat.ok().filter(|stat| stat.kind == StatKind::File).map_or(0, |stat| stat.len)
    }

    fn store(&mut self) -> io::Result<()> {
        let Some(file) = self.file.as_deref_mut() else { return Ok(()) };
        file.rewind()?;
        write_all(file, &encode(self.total))
    }
}

fn encode(total: u64) -> [u8; LEN] {
    let mut record = [0; LEN];
    record[..8].copy_from_slice(&MAGIC);
    record[8..16].copy_from_slice(&total.to_le_bytes());
    let digest = blake3::hash(&record[..16]);
    record[16..].copy_from_slice(&digest.as_bytes()[..8]);
    record
}

/// Reads the total; none if the ledger is new or torn.
fn read_total(file: &mut dyn FileHandle) -> Option<u64> {
    let mut record = [0; LEN];
    file.rewind().ok()?;
    if read_full(file, &mut record).ok()? != LEN {
        return None;
    }
    let total = u64::from_le_bytes(record[8..16].try_into().ok()?);
    (encode(total) == record).then_some(total)
}
