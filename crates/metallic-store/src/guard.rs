use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use crate::{
    Artifact, ArtifactKey, ArtifactStore, Claim, Entry, EntryId, EntryInfo, Journal, Lease, LeaseGuard,
    MissCause, SaveError, StoreAction, Subject, Why,
};

/// A store that cannot hurt its caller: a panic in it, or in its observer, is a miss or an entry that was not written, and a thread
/// that asks for a lease which it holds already is not made to wait for itself.
///
/// ```
/// use std::sync::Arc;
///
/// use metallic_store::{ArtifactKey, ArtifactStore, Fingerprint, MemoryStore, MissCause, StoreEvent, StoreGuard, StoreObserver};
///
/// struct Panics;
///
/// impl StoreObserver for Panics {
///     fn observe(&self, _: &StoreEvent<'_>) {
///         panic!("an observer's fault");
///     }
/// }
///
/// let store = StoreGuard::new(Arc::new(MemoryStore::new().with_observer(Arc::new(Panics))));
/// let key = ArtifactKey::new("gemm", 1, *b"m64", Fingerprint::new())?;
/// assert_eq!(store.load(&key), Err(MissCause::Panicked));
/// # Ok::<(), metallic_store::KeyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct StoreGuard {
    store: Arc<dyn ArtifactStore>,
    /// For a store that panics even when it is asked for its own.
    journal: Arc<Journal>,
    held: Arc<Held>,
}

/// The leases that were granted and not given back, each with the thread that asked for it.
#[derive(Debug, Default)]
struct Held(Mutex<Vec<(EntryId, ThreadId)>>);

impl Held {
    /// How long this thread waits for a lease: not at all for one that is its own, which it could not give back meanwhile.
    fn wait(&self, id: &EntryId, wait: Duration) -> Duration {
        let is_own = self.lock().contains(&(*id, thread::current().id()));
        if is_own { Duration::ZERO } else { wait }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(EntryId, ThreadId)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoreGuard {
    /// Guards `store`.
    pub fn new(store: Arc<dyn ArtifactStore>) -> Self {
        Self { store, journal: Arc::new(Journal::new("guard", None)), held: Arc::default() }
    }

    /// The store behind this guard.
    pub fn store(&self) -> &Arc<dyn ArtifactStore> {
        &self.store
    }

    fn caught<T>(&self, attempt: &'static str, call: impl FnOnce(&dyn ArtifactStore) -> T) -> Option<T> {
        // A store is shared between threads, so it must already cope with being seen in any state.
        let called = caught(|| call(&*self.store));
        if called.is_none() {
            self.journal.record(StoreAction::Fault { attempt, cause: "the store panicked" });
        }
        called
    }

    /// A lease that was granted to this thread.
    fn quiet(&self, id: &EntryId, lease: LeaseGuard) -> LeaseGuard {
        let place = (*id, thread::current().id());
        self.held.lock().push(place);
        LeaseGuard::new(Quiet { lease: Some(lease), place, held: self.held.clone() })
    }
}

/// Calls, and returns nothing if that panics.
pub(crate) fn caught<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).map_err(discard).ok()
}

/// Drops what was panicked with. That may panic, too; what it panics with then is leaked.
fn discard(payload: Box<dyn std::any::Any + Send>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(payload);
    }
}

/// A lease of a store that may panic when it is given back.
struct Quiet {
    lease: Option<LeaseGuard>,
    /// Its place among those that are held.
    place: (EntryId, ThreadId),
    held: Arc<Held>,
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let mut held = self.held.lock();
        if let Some(found) = held.iter().position(|place| *place == self.place) {
            held.swap_remove(found);
        }
        drop(held);
        let lease = self.lease.take();
        caught(|| drop(lease));
    }
}

impl ArtifactStore for StoreGuard {
    fn journal(&self) -> &Journal {
        caught(|| self.store.journal()).unwrap_or(&self.journal)
    }

    fn read(&self, id: &EntryId) -> Result<Entry, MissCause> {
        self.caught("read", |store| store.read(id)).unwrap_or(Err(MissCause::Panicked))
    }

    fn write(&self, entry: &Entry) -> Result<(), SaveError> {
        self.caught("write", |store| store.write(entry)).unwrap_or(Err(SaveError::Panicked))
    }

    fn remove(&self, id: &EntryId) -> Result<bool, SaveError> {
        self.caught("remove", |store| store.remove(id)).unwrap_or(Err(SaveError::Panicked))
    }

    fn ids(&self, subject: Option<Subject>) -> Result<Vec<EntryId>, MissCause> {
        self.caught("list", |store| store.ids(subject)).unwrap_or(Err(MissCause::Panicked))
    }

    fn info(&self, id: &EntryId) -> Result<EntryInfo, MissCause> {
        self.caught("info", |store| store.info(id)).unwrap_or(Err(MissCause::Panicked))
    }

    fn lease(&self, id: &EntryId, wait: Duration) -> Lease {
        let wait = self.held.wait(id, wait);
        match self.caught("lease", |store| store.lease(id, wait)) {
            Some(Lease::Held(lease)) => Lease::Held(self.quiet(id, lease)),
            Some(none) => none,
            None => Lease::Unsupported,
        }
    }

    fn flush(&self) {
        self.caught("flush", |store| store.flush());
    }

    fn load(&self, key: &ArtifactKey) -> Result<Artifact, MissCause> {
        self.caught("load", |store| store.load(key)).unwrap_or(Err(MissCause::Panicked))
    }

    fn save(&self, key: &ArtifactKey, artifact: &Artifact) -> Result<(), SaveError> {
        self.caught("save", |store| store.save(key, artifact)).unwrap_or(Err(SaveError::Panicked))
    }

    fn link(&self, key: &ArtifactKey, content: &ArtifactKey) -> Result<(), SaveError> {
        self.caught("link", |store| store.link(key, content)).unwrap_or(Err(SaveError::Panicked))
    }

    fn reject(&self, key: &ArtifactKey, reason: &str) {
        self.caught("reject", |store| store.reject(key, reason));
    }

    fn claim(&self, key: &ArtifactKey, wait: Duration) -> Claim {
        let id = key.id();
        let wait = self.held.wait(&id, wait);
        match self.caught("claim", |store| store.claim(key, wait)) {
            Some(Claim::Granted(lease)) => Claim::Granted(self.quiet(&id, lease)),
            Some(other) => other,
            None => Claim::Unsupported,
        }
    }

    fn why(&self, key: &ArtifactKey) -> Why {
        let none = || Why { outcome: Err(MissCause::Panicked), siblings: Vec::new() };
        self.caught("why", |store| store.why(key)).unwrap_or_else(none)
    }
}
