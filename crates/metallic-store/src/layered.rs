//! Several stores as one.

mod back_fill;

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::iter;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::journal::Stopwatch;
use crate::{
    ArtifactKey, ArtifactStore, Body, Claim, Entry, EntryId, EntryInfo, Journal, Lease, MissCause, SaveError,
    StoreAction, StoreObserver, Subject,
};

use back_fill::BackFill;

/// Several stores as one: a top that is written to, bases that are only read, and remote levels.
///
/// A look-up asks the top, then the bases, then the remote levels, in the order in which they were added. The first
/// verified entry is taken; what a level has that is damaged or foreign is passed over, and counted in that level's journal.
/// It is written to the top, and if a remote level had it to the remote levels before that one, in the background. What is
/// saved goes to the top at once, and to the remote levels in the background.
///
/// Bases are never written to: a copy in the top survives the base, and a full top evicts it like any other entry. What a driver
/// rejects is not taken from any level but the top again, in this process.
///
/// ```
/// use std::sync::Arc;
///
/// use metallic_store::{Artifact, ArtifactKey, ArtifactStore, Fingerprint, LayeredStore, MemoryStore};
///
/// let key = ArtifactKey::new("gemm", 1, *b"m64", Fingerprint::new())?;
/// let (top, shipped, remote) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
/// remote.save(&key, &Artifact::native(*b"code"))?;
///
/// let store = LayeredStore::new(top.clone()).with_base(shipped.clone()).with_remote(remote);
/// assert!(store.load(&key).is_ok());
/// store.flush();
/// assert!(top.load(&key).is_ok());
/// assert!(shipped.load(&key).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LayeredStore {
    levels: Levels,
    journal: Arc<Journal>,
    rejected: Mutex<HashSet<EntryId>>,
    back_fill: BackFill,
}

#[derive(Clone, Debug, Default)]
struct Levels {
    top: Option<Arc<dyn ArtifactStore>>,
    bases: Vec<Arc<dyn ArtifactStore>>,
    remotes: Vec<Arc<dyn ArtifactStore>>,
}

impl Levels {
    fn all(&self) -> impl Iterator<Item = &Arc<dyn ArtifactStore>> {
        self.top.iter().chain(&self.bases).chain(&self.remotes)
    }
}

impl LayeredStore {
    /// A store with one level, which is written to.
    pub fn new(top: Arc<dyn ArtifactStore>) -> Self {
        Self::of(Levels { top: Some(top), ..Levels::default() })
    }

    /// A store that is used but never written to, and that has no levels yet.
    pub fn read_only() -> Self {
        Self::of(Levels::default())
    }

    fn of(levels: Levels) -> Self {
        let journal = Arc::new(Journal::new("layered", None));
        Self { levels, back_fill: BackFill::new(journal.clone()), journal, rejected: Mutex::default() }
    }

    /// Adds a base, which is never written to.
    #[must_use]
    pub fn with_base(mut self, base: Arc<dyn ArtifactStore>) -> Self {
        self.levels.bases.push(base);
        self
    }

    /// Adds a remote level, below all others. It is written to in the background, unless it refuses to be.
    ///
    /// A store that is [`read_only`](Self::read_only) does not write to it either.
    #[must_use]
    pub fn with_remote(mut self, remote: Arc<dyn ArtifactStore>) -> Self {
        self.levels.remotes.push(remote);
        self
    }

    /// Sets the observer of the whole store's events. Each level has its own observer.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn StoreObserver>) -> Self {
        self.journal = Arc::new(Journal::new(self.journal.store(), Some(observer)));
        self.back_fill = BackFill::new(self.journal.clone());
        self
    }

    /// The levels in the order in which they are asked.
    pub fn levels(&self) -> impl Iterator<Item = &dyn ArtifactStore> {
        self.levels.all().map(|level| &**level)
    }

    fn is_rejected(&self, id: &EntryId) -> bool {
        self.rejected.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// Returns an entry that the top does not have, and has it written there and to the first remote levels. A store without a
    /// top writes nowhere.
    fn filled_in(&self, entry: Entry, remotes: usize) -> Entry {
        if let Some(top) = &self.levels.top {
            let above = iter::once(top).chain(&self.levels.remotes[..remotes]);
            above.for_each(|level| self.back_fill.write(level, &entry));
        }
        entry
    }
}

/// Reads from one level, and counts it there.
fn read_level(level: &dyn ArtifactStore, id: &EntryId) -> Result<Entry, MissCause> {
    let watch = Stopwatch::start();
    let read = level.read(id);
    let (id, elapsed) = (*id, watch.elapsed());
    level.journal().record(match &read {
        Ok(entry) => StoreAction::Found { id, bytes: entry.body.bytes(), elapsed },
        Err(cause) => StoreAction::Missed { id, cause, elapsed },
    });
    read
}

impl ArtifactStore for LayeredStore {
    fn journal(&self) -> &Journal {
        &self.journal
    }

    fn read(&self, id: &EntryId) -> Result<Entry, MissCause> {
        let mut cause = MissCause::Absent;
        let mut note = |missed: MissCause| {
            if cause.is_absence() {
                cause = missed;
            }
        };
        if let Some(top) = &self.levels.top {
            match read_level(&**top, id) {
                Ok(entry) => return Ok(entry),
                Err(missed) => note(missed),
            }
        }
        if self.is_rejected(id) {
            return Err(MissCause::Rejected);
        }
        for base in &self.levels.bases {
            match read_level(&**base, id) {
                Ok(entry) => return Ok(self.filled_in(entry, 0)),
                Err(missed) => note(missed),
            }
        }
        for (depth, remote) in self.levels.remotes.iter().enumerate() {
            match read_level(&**remote, id) {
                Ok(entry) => return Ok(self.filled_in(entry, depth)),
                Err(missed) => note(missed),
            }
        }
        Err(cause)
    }

    fn write(&self, entry: &Entry) -> Result<(), SaveError> {
        let top = self.levels.top.as_ref().ok_or(SaveError::ReadOnly)?;
        let written = top.write(entry);
        // A full disk here is no reason for others to compile.
        self.levels.remotes.iter().for_each(|remote| self.back_fill.write(remote, entry));
        written
    }

    fn remove(&self, id: &EntryId) -> Result<bool, SaveError> {
        self.levels.top.as_ref().ok_or(SaveError::ReadOnly)?.remove(id)
    }

    fn ids(&self, subject: Option<Subject>) -> Result<Vec<EntryId>, MissCause> {
        let mut ids = BTreeSet::new();
        for level in self.levels.all() {
            // A level that cannot be read has nothing to list; its look-ups say why.
            ids.extend(level.ids(subject).unwrap_or_default());
        }
        Ok(ids.into_iter().collect())
    }

    fn info(&self, id: &EntryId) -> Result<EntryInfo, MissCause> {
        let mut cause = MissCause::Absent;
        for level in self.levels.all() {
            match level.info(id) {
                Ok(info) => return Ok(info),
                Err(missed) if cause.is_absence() => cause = missed,
                Err(_) => {}
            }
        }
        Err(cause)
    }

    fn lease(&self, id: &EntryId, wait: Duration) -> Lease {
        self.levels.top.as_ref().map_or(Lease::Unsupported, |top| top.lease(id, wait))
    }

    fn flush(&self) {
        self.back_fill.flush();
        self.levels.all().for_each(|level| level.flush());
    }

    fn reject(&self, key: &ArtifactKey, reason: &str) {
        let id = key.id();
        let target = match self.read(&id) {
            Ok(Entry { body: Body::Link(target), .. }) => Some(target),
            _ => None,
        };
        // A back-fill that was begun before would put it back.
        self.back_fill.flush();
        for id in [Some(id), target].into_iter().flatten() {
            self.rejected.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
            if let Some(top) = &self.levels.top {
                self.journal.absorb("remove", top.remove(&id));
            }
        }
        self.journal.record(StoreAction::Rejected { id, reason });
    }

    fn claim(&self, key: &ArtifactKey, wait: Duration) -> Claim {
        // The process that held the lease has saved to the top: the other levels were asked already.
        let claim = self.levels.top.as_ref().map_or(Claim::Unsupported, |top| top.claim(key, wait));
        let id = key.id();
        match &claim {
            Claim::Granted(_) => {}
            Claim::Found(artifact) => {
                let (bytes, elapsed) = (artifact.bytes(), Duration::ZERO);
                self.journal.record(StoreAction::Found { id, bytes, elapsed });
            }
            Claim::TimedOut => self.journal.record(StoreAction::Unleased { id, unsupported: false }),
            Claim::Unsupported => self.journal.record(StoreAction::Unleased { id, unsupported: true }),
        }
        claim
    }
}

impl fmt::Debug for LayeredStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.levels, f)
    }
}
