use std::time::Duration;

use crate::journal::Stopwatch;
use crate::{Artifact, ArtifactKey, ArtifactStore, Claim, Content, LeaseGuard, MissCause, SaveError};

/// Loads an artifact, or creates it once for all processes and saves it.
///
/// The order: the cheap key; then, if there is a content, the content key; then the lease, and another look; then the
/// creation, without which nothing else matters. No fault of the store reaches the caller: only the creation's own error does.
///
/// ```
/// use metallic_store::{Artifact, ArtifactKey, Fingerprint, MemoryStore, Obtain, Origin};
///
/// let store = MemoryStore::new();
/// let fingerprint = Fingerprint::new().with_layer("driver", "550.54").with_layer("device", "H100");
/// let key = ArtifactKey::new("gemm", 1, *b"m64n64", fingerprint)?;
/// let compile = || Ok::<_, std::io::Error>(Artifact::native(*b"machine code"));
///
/// let first = Obtain::new(&store, &key).or_create(compile)?;
/// let second = Obtain::new(&store, &key).or_create(compile)?;
/// assert!(matches!(first.origin, Origin::Created { .. }));
/// assert!(matches!(second.origin, Origin::Loaded));
/// assert_eq!(second.artifact.payload(Artifact::NATIVE), Some(&b"machine code"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub struct Obtain<'a> {
    store: &'a dyn ArtifactStore,
    key: &'a ArtifactKey,
    content: Option<Box<dyn FnOnce() -> Option<Content> + 'a>>,
    wait: Duration,
}

/// An artifact, and where it comes from.
#[derive(Debug)]
pub struct Obtained {
    /// The artifact.
    pub artifact: Artifact,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where an artifact comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The store had it under the key.
    Loaded,
    /// The store had it under the content key; the key leads there from now on.
    LoadedByContent,
    /// Another process or thread created it while this one waited.
    LoadedAfterWait,
    /// The caller's creation made it.
    Created {
        /// Why the store did not have it.
        cause: MissCause,
        /// The time of the creation; zero where there is no clock.
        cost: Duration,
    },
}

impl<'a> Obtain<'a> {
    /// How long a creation waits for another one of the same key, unless [`with_wait`](Self::with_wait) says otherwise.
    pub const DEFAULT_WAIT: Duration = Duration::from_secs(30);

    /// Asks a store for the artifact of a key.
    pub fn new(store: &'a dyn ArtifactStore, key: &'a ArtifactKey) -> Self {
        Self { store, key, content: None, wait: Self::DEFAULT_WAIT }
    }

    /// Sets what is compiled, and with what: asked for only if the key is not in the store, and then looked up before
    /// anything is created. A rebuilt program whose sources did not change creates nothing. It may turn out that there is none.
    pub fn with_content<C: Into<Option<Content>>>(mut self, content: impl FnOnce() -> C + 'a) -> Self {
        self.content = Some(Box::new(move || content().into()));
        self
    }

    /// Sets how long to wait for another process or thread that creates the same artifact.
    pub fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Loads, or creates and saves. The cost of an artifact that has none is measured.
    ///
    /// # Errors
    ///
    /// The creation's.
    pub fn or_create<E>(self, create: impl FnOnce() -> Result<Artifact, E>) -> Result<Obtained, E> {
        let store = self.store;
        let vacancy = match self.look_up() {
            LookUp::Found(obtained) => return Ok(obtained),
            LookUp::Vacant(vacancy) => vacancy,
        };
        let cause = vacancy.cause().clone();
        // A store that keeps nothing has counted why. The artifact is the caller's all the same.
        let (artifact, _) = vacancy.fill(store, create()?);
        let cost = artifact.cost();
        Ok(Obtained { artifact, origin: Origin::Created { cause, cost } })
    }

    /// Loads, or returns what creating and saving it takes: for artifacts that are known only after something else was created,
    /// such as a driver's object that they are read from.
    pub fn look_up(self) -> LookUp {
        let Self { store, key, content, wait } = self;
        let cause = match store.load(key) {
            Ok(artifact) => return LookUp::Found(Obtained { artifact, origin: Origin::Loaded }),
            Err(cause) => cause,
        };
        let content = content.and_then(|content| content()).map(|content| key.with_content(&content));
        if let Some(content) = &content {
            if let Ok(artifact) = store.load(content) {
                // The store has counted why, if it could not keep the link: the content is looked up again next time.
                let _ = store.link(key, content);
                return LookUp::Found(Obtained { artifact, origin: Origin::LoadedByContent });
            }
        }
        let stored_under = content.as_ref().unwrap_or(key);
        let lease = match store.claim(stored_under, wait) {
            Claim::Found(artifact) => {
                if content.is_some() {
                    let _ = store.link(key, stored_under);
                }
                return LookUp::Found(Obtained { artifact, origin: Origin::LoadedAfterWait });
            }
            Claim::Granted(lease) => Some(lease),
            Claim::TimedOut | Claim::Unsupported => None,
        };
        LookUp::Vacant(Vacancy { key: key.clone(), content, lease, cause, watch: Stopwatch::start() })
    }
}

/// The outcome of [`Obtain::look_up`].
#[derive(Debug)]
pub enum LookUp {
    /// The artifact was there.
    Found(Obtained),
    /// It was not, and is to be created.
    Vacant(Vacancy),
}

/// The place of an artifact that a store does not have. While it exists, other processes and threads wait for what fills it,
/// unless the store has no leases.
#[derive(Debug)]
#[must_use]
pub struct Vacancy {
    key: ArtifactKey,
    content: Option<ArtifactKey>,
    lease: Option<LeaseGuard>,
    cause: MissCause,
    watch: Stopwatch,
}

impl Vacancy {
    /// A place that was not looked up, and that no one waits for. `content` is what is compiled, and with what, if that is known.
    pub fn unclaimed(key: ArtifactKey, content: Option<&Content>) -> Self {
        let content = content.map(|content| key.with_content(content));
        Self { key, content, lease: None, cause: MissCause::Absent, watch: Stopwatch::start() }
    }

    /// Why the store does not have the artifact.
    pub fn cause(&self) -> &MissCause {
        &self.cause
    }

    /// Saves the artifact, and lets those who wait go on. The cost of one that has none is the time since the look-up; it is
    /// returned with it, whether it could be saved or not.
    pub fn fill(self, store: &dyn ArtifactStore, artifact: Artifact) -> (Artifact, Result<(), SaveError>) {
        let Self { key, content, lease, watch, .. } = self;
        let artifact = if artifact.cost().is_zero() { artifact.with_cost(watch.elapsed()) } else { artifact };
        let saved = store.save(content.as_ref().unwrap_or(&key), &artifact);
        if let (Ok(()), Some(content)) = (&saved, &content) {
            // The store has counted why, if it could not keep the link.
            let _ = store.link(&key, content);
        }
        drop(lease);
        (artifact, saved)
    }
}
