use std::any::Any;
use std::fmt;
use std::time::Duration;

use crate::journal::Stopwatch;
use crate::{
    Artifact, ArtifactKey, Body, Entry, EntryId, EntryInfo, Journal, LayerChange, MissCause, SaveError,
    StoreAction, StoreStats, Subject,
};

/// Keeps artifacts across processes: the port through which caches load and save them.
///
/// A store moves and verifies entries ([`read`](Self::read), [`write`](Self::write), [`remove`](Self::remove)), lists
/// them, and leases creations. What callers use is built on that, the same for every store: [`load`](Self::load),
/// [`save`](Self::save), [`link`](Self::link), [`reject`](Self::reject), [`claim`](Self::claim), [`why`](Self::why).
///
/// # Contract
///
/// - `read` returns an entry only if every byte of it was verified, and its key's id is the one asked for. Anything else
///   is a [`MissCause`], and never a panic.
/// - `write` replaces the entry atomically: a concurrent `read` sees the old or the new one, whole.
/// - What `write` accepted, `read` returns until it is evicted, removed or replaced.
/// - No call blocks longer than the store's deadline, and only `lease` waits for others.
/// - A lease that is held excludes all others of that id, in all processes that share the store, until it is dropped
///   or its process ends. It protects against double work, not against wrong results: writes need no lease.
/// - Every method can be called from any thread.
///
/// The feature `conformance` has functions that check all of this for any store.
pub trait ArtifactStore: Send + Sync + fmt::Debug {
    /// The store's counters, and the way to its observer.
    fn journal(&self) -> &Journal;

    /// Reads and verifies an entry, an artifact or a link.
    ///
    /// # Errors
    ///
    /// Why the entry is not returned.
    fn read(&self, id: &EntryId) -> Result<Entry, MissCause>;

    /// Writes an entry in the place of one that may be there.
    ///
    /// # Errors
    ///
    /// Why it was not written. The store is as it was before.
    fn write(&self, entry: &Entry) -> Result<(), SaveError>;

    /// Removes an entry, and returns whether there was one.
    ///
    /// # Errors
    ///
    /// Why it is still there.
    fn remove(&self, id: &EntryId) -> Result<bool, SaveError>;

    /// Lists entries, of one subject or all, in no certain order. Stores that cannot list return none.
    ///
    /// # Errors
    ///
    /// Why the store cannot be read.
    fn ids(&self, subject: Option<Subject>) -> Result<Vec<EntryId>, MissCause>;

    /// Reads an entry's header and does not verify its payloads.
    ///
    /// # Errors
    ///
    /// Why the entry is not returned.
    fn info(&self, id: &EntryId) -> Result<EntryInfo, MissCause>;

    /// Waits up to `wait` for the right to create an entry alone. Callers want [`claim`](Self::claim).
    fn lease(&self, id: &EntryId, wait: Duration) -> Lease;

    /// Waits until background work that was begun before is done.
    fn flush(&self) {}

    /// Loads an artifact, through a link if the key leads to one, and counts the look-up.
    ///
    /// # Errors
    ///
    /// Why there is no artifact. If there are artifacts of the same key under other schemas or fingerprints, that is the cause.
    fn load(&self, key: &ArtifactKey) -> Result<Artifact, MissCause> {
        let watch = Stopwatch::start();
        let id = key.id();
        let outcome = look_up(self, key, &id);
        let elapsed = watch.elapsed();
        self.journal().record(match &outcome {
            Ok(artifact) => StoreAction::Found { id, bytes: artifact.bytes(), elapsed },
            Err(cause) => StoreAction::Missed { id, cause, elapsed },
        });
        outcome
    }

    /// Saves an artifact, and counts it.
    ///
    /// # Errors
    ///
    /// Why it was not saved; callers go on without.
    fn save(&self, key: &ArtifactKey, artifact: &Artifact) -> Result<(), SaveError> {
        write_counted(self, &Entry { key: key.clone(), body: Body::Artifact(artifact.clone()) })
    }

    /// Lets a cheap key lead to the entry of a content key.
    ///
    /// # Errors
    ///
    /// Why it was not saved; callers go on without.
    fn link(&self, key: &ArtifactKey, content: &ArtifactKey) -> Result<(), SaveError> {
        write_counted(self, &Entry { key: key.clone(), body: Body::Link(content.id()) })
    }

    /// Removes the artifact of a key, and the link that led to it, because its driver refused it.
    fn reject(&self, key: &ArtifactKey, reason: &str) {
        let id = key.id();
        let target = match self.read(&id) {
            Ok(Entry { body: Body::Link(target), .. }) => Some(target),
            _ => None,
        };
        for id in [Some(id), target].into_iter().flatten() {
            self.journal().absorb("remove", self.remove(&id));
        }
        self.journal().record(StoreAction::Rejected { id, reason });
    }

    /// Claims the creation of an artifact: waits for the lease up to `wait`, and looks again once it is held, since
    /// its previous owner has probably made the artifact.
    fn claim(&self, key: &ArtifactKey, wait: Duration) -> Claim {
        let id = key.id();
        let (claim, unsupported) = match self.lease(&id, wait) {
            Lease::Held(guard) => {
                return match look_up(self, key, &id) {
                    Ok(artifact) => {
                        self.journal().record(StoreAction::Found {
                            id,
                            bytes: artifact.bytes(),
                            elapsed: Duration::ZERO,
                        });
                        Claim::Found(artifact)
                    }
                    Err(_) => Claim::Granted(guard),
                };
            }
            Lease::TimedOut => (Claim::TimedOut, false),
            Lease::Unsupported => (Claim::Unsupported, true),
        };
        self.journal().record(StoreAction::Unleased { id, unsupported });
        claim
    }

    /// Tells in which layers the stored artifacts of a key differ from it.
    fn why(&self, key: &ArtifactKey) -> Why {
        let id = key.id();
        let mut differing = Vec::new();
        let siblings = self.ids(Some(key.subject())).unwrap_or_default();
        for sibling in siblings.into_iter().filter(|sibling| *sibling != id) {
            // A damaged sibling explains nothing about this key.
            if let Ok(info) = self.info(&sibling) {
                if info.key.is_same_subject(key) {
                    let changes = key.fingerprint().changes_from(info.key.fingerprint());
                    differing.push(Sibling { id: sibling, schema: info.key.schema(), changes });
                }
            }
        }
        differing.sort_by_key(|sibling| (sibling.schema != key.schema(), sibling.changes.len(), sibling.id));
        Why { outcome: look_up(self, key, &id).map(drop), siblings: differing }
    }

    /// A copy of the counters.
    fn stats(&self) -> StoreStats {
        self.journal().stats()
    }
}

/// The answer to [`ArtifactStore::lease`].
#[derive(Debug)]
pub enum Lease {
    /// The caller creates, all others wait until the guard is dropped.
    Held(LeaseGuard),
    /// Another one held it to the end of the wait.
    TimedOut,
    /// The store, or the file system under it, has no leases.
    Unsupported,
}

/// The answer to [`ArtifactStore::claim`].
#[derive(Debug)]
pub enum Claim {
    /// Another one has made it meanwhile.
    Found(Artifact),
    /// The caller creates and saves, and then drops the guard.
    Granted(LeaseGuard),
    /// Another one takes longer than the wait: the caller creates for itself.
    TimedOut,
    /// There are no leases here: the caller creates for itself.
    Unsupported,
}

/// Holds a lease until it is dropped.
pub struct LeaseGuard {
    _held: Box<dyn Any + Send + Sync>,
}

impl LeaseGuard {
    /// A guard of something whose `Drop` gives the lease back.
    pub fn new(held: impl Any + Send + Sync) -> Self {
        Self { _held: Box::new(held) }
    }
}

impl fmt::Debug for LeaseGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LeaseGuard")
    }
}

/// The answer to [`ArtifactStore::why`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// Says if the key has an artifact, and if not, why.
    pub outcome: Result<(), MissCause>,
    /// The artifacts of the same key under other schemas or fingerprints, nearest first.
    pub siblings: Vec<Sibling>,
}

/// A stored artifact of the same key under another schema or fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sibling {
    /// The entry.
    pub id: EntryId,
    /// Its schema.
    pub schema: u32,
    /// The layers that differ.
    pub changes: Vec<LayerChange>,
}

fn write_counted<S: ArtifactStore + ?Sized>(store: &S, entry: &Entry) -> Result<(), SaveError> {
    let watch = Stopwatch::start();
    let outcome = store.write(entry);
    let id = entry.key.id();
    store.journal().record(match &outcome {
        Ok(()) => StoreAction::Written { id, bytes: entry.body.bytes(), elapsed: watch.elapsed() },
        Err(cause) => StoreAction::NotWritten { id, cause, in_background: false },
    });
    outcome
}

fn look_up<S: ArtifactStore + ?Sized>(
    store: &S,
    key: &ArtifactKey,
    id: &EntryId,
) -> Result<Artifact, MissCause> {
    let entry = match store.read(id) {
        Err(MissCause::Absent) => return Err(name_absence(store, key, id)),
        read => read?,
    };
    // The id says so already. The bytes are compared all the same: nothing reaches a driver on the word of a hash of ours.
    if !entry.key.matches(key) {
        return Err(MissCause::OtherKey);
    }
    let target = match entry.body {
        Body::Artifact(artifact) => return Ok(artifact),
        Body::Link(target) => target,
    };
    let entry = store.read(&target).map_err(|cause| match cause {
        MissCause::Absent => MissCause::DanglingLink,
        cause => cause,
    })?;
    match entry.body {
        _ if entry.key.id() != target => Err(MissCause::OtherKey),
        Body::Artifact(artifact) => Ok(artifact),
        Body::Link(_) => Err(MissCause::LinkToLink),
    }
}

/// Turns plain absence into a changed layer or schema, if there are artifacts of the same key.
fn name_absence<S: ArtifactStore + ?Sized>(store: &S, key: &ArtifactKey, id: &EntryId) -> MissCause {
    let siblings = store.ids(Some(id.subject())).unwrap_or_default();
    let infos =
        siblings.iter().filter(|sibling| *sibling != id).filter_map(|sibling| store.info(sibling).ok());
    let mut nearest: Option<Vec<LayerChange>> = None;
    let mut schema = None;
    for info in infos.filter(|info| info.key.is_same_subject(key)) {
        if info.key.schema() != key.schema() {
            schema = Some(info.key.schema());
            continue;
        }
        let changes = key.fingerprint().changes_from(info.key.fingerprint());
        if nearest.as_ref().is_none_or(|nearest| changes.len() < nearest.len()) {
            nearest = Some(changes);
        }
    }
    match (nearest, schema) {
        (Some(changes), _) => MissCause::Changed(changes),
        (None, Some(stored)) => MissCause::Schema { stored, wanted: key.schema() },
        (None, None) => MissCause::Absent,
    }
}
