//! Keys whose creation failed a moment ago.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use crate::caching::drops::Foreign;
use crate::error::Error;

/// More failures are not remembered: the oldest is forgotten.
const REMEMBERED: usize = 1024;

/// A creation that failed.
pub(super) struct Failure<Key> {
    pub(super) key: Arc<Key>,
    pub(super) hash: u64,
    pub(super) error: Foreign<Arc<Error>>,
    /// The stamp of its end.
    pub(super) since: u64,
}

/// The values to be dropped where no lock is held.
pub(super) type Forgotten<Key> = Vec<Foreign<Failure<Key>>>;

/// The failures that are remembered, at most one of each key. Each step is O(1) on the average. What is forgotten is returned: to
/// drop it runs code that is not ours.
pub(super) struct Failures<Key> {
    /// By the hash of their keys. More than one share a hash by chance alone.
    by_hash: HashMap<u64, Vec<Failure<Key>>, FxBuildHasher>,
    /// The hashes and stamps of all, from the oldest to the newest, and some of what is no longer there.
    by_age: VecDeque<(u64, u64)>,
}

impl<Key: Eq> Failures<Key> {
    /// The error that this key failed with.
    pub(super) fn get(&self, hash: u64, key: &Key) -> Option<Arc<Error>> {
        let failure = self.by_hash.get(&hash)?.iter().find(|failure| *failure.key == *key)?;
        Some(Arc::clone(&failure.error))
    }
}

impl<Key> Failures<Key> {
    /// Remembers a failure of a key of which none is remembered.
    #[must_use]
    pub(super) fn insert(&mut self, failure: Failure<Key>) -> Forgotten<Key> {
        let mut forgotten = Vec::new();
        if self.by_age.len() >= REMEMBERED {
            forgotten.extend(self.forget_oldest().map(Foreign::new));
        }
        self.by_age.push_back((failure.hash, failure.since));
        self.by_hash.entry(failure.hash).or_default().push(failure);
        forgotten
    }

    /// Forgets the failures whose stamp is not `is_recent`. Later stamps are more recent.
    #[must_use]
    pub(super) fn expire(&mut self, is_recent: impl Fn(u64) -> bool) -> Forgotten<Key> {
        let mut forgotten = Vec::new();
        while self.by_age.front().is_some_and(|(_, since)| !is_recent(*since)) {
            forgotten.extend(self.forget_oldest().map(Foreign::new));
        }
        forgotten
    }

    #[must_use]
    pub(super) fn forget_all(&mut self) -> Forgotten<Key> {
        self.by_age = VecDeque::new();
        std::mem::take(&mut self.by_hash).into_values().flatten().map(Foreign::new).collect()
    }

    fn forget_oldest(&mut self) -> Option<Failure<Key>> {
        let (hash, since) = self.by_age.pop_front()?;
        let failures = self.by_hash.get_mut(&hash)?;
        let place = failures.iter().position(|failure| failure.since == since)?;
        let forgotten = failures.swap_remove(place);
        if failures.is_empty() {
            self.by_hash.remove(&hash);
        }
        Some(forgotten)
    }
}

impl<Key> Drop for Failures<Key> {
    fn drop(&mut self) {
        drop(self.forget_all());
    }
}

impl<Key> Default for Failures<Key> {
    fn default() -> Self {
        Self { by_hash: HashMap::default(), by_age: VecDeque::new() }
    }
}
