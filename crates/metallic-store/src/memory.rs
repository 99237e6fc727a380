use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{
    ArtifactStore, Entry, EntryId, EntryInfo, Journal, Lease, LeaseGuard, MissCause, SaveError, StoreAction,
    StoreObserver, Subject, profit,
};

/// A store in this process's memory: for tests, as a level above slower ones, and where there is no file system.
///
/// Its content has never left the process, and so is not verified again. Leases exclude threads of the process.
#[derive(Debug)]
pub struct MemoryStore {
    journal: Journal,
    limit: u64,
    entries: Mutex<Entries>,
    leases: Arc<Leases>,
}

#[derive(Debug, Default)]
struct Entries {
    by_id: HashMap<EntryId, Resident>,
    bytes: u64,
    sequence: u64,
}

#[derive(Debug)]
struct Resident {
    entry: Entry,
    used: u64,
}

#[derive(Debug, Default)]
struct Leases {
    held: Mutex<HashSet<EntryId>>,
    released: Condvar,
}

impl MemoryStore {
    /// A store without a bound.
    pub fn new() -> Self {
        Self::with_limit(u64::MAX)
    }

    /// A store of at most `limit` bytes of payloads. Entries of the least [`profit`] are evicted first.
    pub fn with_limit(limit: u64) -> Self {
        Self {
            journal: Journal::new("memory", None),
            limit,
            entries: Mutex::default(),
            leases: Arc::default(),
        }
    }

    /// Sets the observer of the store's events.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn StoreObserver>) -> Self {
        self.journal = Journal::new(self.journal.store(), Some(observer));
        self
    }

    /// Bytes of payloads in the store.
    pub fn bytes(&self) -> u64 {
        self.entries().bytes
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Entries {
    fn remove(&mut self, id: &EntryId) -> Option<u64> {
        let bytes = self.by_id.remove(id)?.entry.body.bytes();
        self.bytes -= bytes;
        Some(bytes)
    }

    fn least_profitable(&self) -> Option<EntryId> {
        let profit = |resident: &Resident| {
            let age = Duration::from_secs(self.sequence - resident.used);
            profit(Duration::from_nanos(resident.entry.body.cost_ns()), resident.entry.body.bytes(), age)
        };
        let least = self.by_id.iter().min_by(|(_, a), (_, b)| profit(a).total_cmp(&profit(b)));
        least.map(|(id, _)| *id)
    }
}

impl ArtifactStore for MemoryStore {
    fn journal(&self) -> &Journal {
        &self.journal
    }

    fn read(&self, id: &EntryId) -> Result<Entry, MissCause> {
        let mut entries = self.entries();
        entries.sequence += 1;
        let sequence = entries.sequence;
        let resident = entries.by_id.get_mut(id).ok_or(MissCause::Absent)?;
        resident.used = sequence;
        Ok(resident.entry.clone())
    }

    fn write(&self, entry: &Entry) -> Result<(), SaveError> {
        let (id, bytes) = (entry.key.id(), entry.body.bytes());
        if bytes > self.limit {
            return Err(SaveError::TooLong { bytes, limit: self.limit });
        }
        let mut evicted = Vec::new();
        let mut entries = self.entries();
        entries.remove(&id);
        while entries.bytes > self.limit - bytes {
            let Some(victim) = entries.least_profitable() else { break };
            evicted.extend(entries.remove(&victim).map(|bytes| (victim, bytes)));
        }
        entries.sequence += 1;
        entries.bytes += bytes;
        let used = entries.sequence;
        entries.by_id.insert(id, Resident { entry: entry.clone(), used });
        drop(entries);
        for (id, bytes) in evicted {
            self.journal.record(StoreAction::Evicted { id, bytes });
        }
        Ok(())
    }

    fn remove(&self, id: &EntryId) -> Result<bool, SaveError> {
        Ok(self.entries().remove(id).is_some())
    }

    fn ids(&self, subject: Option<Subject>) -> Result<Vec<EntryId>, MissCause> {
        let of_subject = |id: &&EntryId| subject.is_none_or(|subject| id.subject() == subject);
        Ok(self.entries().by_id.keys().filter(of_subject).copied().collect())
    }

    fn info(&self, id: &EntryId) -> Result<EntryInfo, MissCause> {
        let entries = self.entries();
        let resident = entries.by_id.get(id).ok_or(MissCause::Absent)?;
        Ok(EntryInfo::of_resident(&resident.entry))
    }

    fn lease(&self, id: &EntryId, wait: Duration) -> Lease {
        let mut held = self.leases.held.lock().unwrap_or_else(PoisonError::into_inner);
        // A condition variable that may not wait is not asked: where there is one thread, asking panics.
        if held.contains(id) && !wait.is_zero() {
            let waited = self.leases.released.wait_timeout_while(held, wait, |held| held.contains(id));
            held = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if held.insert(*id) {
            Lease::Held(LeaseGuard::new(HeldLease { leases: Arc::clone(&self.leases), id: *id }))
        } else {
            Lease::TimedOut
        }
    }
}

struct HeldLease {
    leases: Arc<Leases>,
    id: EntryId,
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        self.leases.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        self.leases.released.notify_all();
    }
}
