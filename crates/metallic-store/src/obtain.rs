use std::time::Duration;

use crate::journal::Stopwatch;
use crate::{Artifact, ArtifactKey, ArtifactStore, Claim, Content, LeaseGuard, MissCause};

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
    content: Option<Box<dyn FnOnce() -> Content + 'a>>,
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
    /// anything is created. A rebuilt program whose sources did not change creates nothing.
    pub fn with_content(mut self, content: impl FnOnce() -> Content + 'a) -> Self {
        self.content = Some(Box::new(content));
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
        let Self { store, key, content, wait } = self;
        let cause = match store.load(key) {
            Ok(artifact) => return Ok(Obtained { artifact, origin: Origin::Loaded }),
            Err(cause) => cause,
        };
        let content = content.map(|content| key.with_content(&content()));
        if let Some(content) = &content {
            if let Ok(artifact) = store.load(content) {
                // The store has counted why, if it could not keep the link: the content is looked up again next time.
                let _ = store.link(key, content);
                return Ok(Obtained { artifact, origin: Origin::LoadedByContent });
            }
        }
        let stored_under = content.as_ref().unwrap_or(key);
        let guard: Option<LeaseGuard> = match store.claim(stored_under, wait) {
            Claim::Found(artifact) => {
                if content.is_some() {
                    let _ = store.link(key, stored_under);
                }
                return Ok(Obtained { artifact, origin: Origin::LoadedAfterWait });
            }
            Claim::Granted(guard) => Some(guard),
            Claim::TimedOut | Claim::Unsupported => None,
        };
        let watch = Stopwatch::start();
        let mut artifact = create()?;
        if artifact.cost().is_zero() {
            artifact = artifact.with_cost(watch.elapsed());
        }
        // A store that keeps nothing has counted why. The artifact is the caller's all the same.
        if store.save(stored_under, &artifact).is_ok() && content.is_some() {
            let _ = store.link(key, stored_under);
        }
        drop(guard);
        let cost = artifact.cost();
        Ok(Obtained { artifact, origin: Origin::Created { cause, cost } })
    }
}
