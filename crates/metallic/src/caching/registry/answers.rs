//! The answers of one cache that hold for a batch of work.

use std::hash::Hash;
use std::sync::Arc;

use super::answer::Answer;
use crate::caching::drops::{Foreign, drop_first};
use crate::caching::entries::{Entries, Entry};
use crate::caching::order::EntryId;
use crate::caching::query::Query;
use crate::caching::shared::{LocalCache, Node, SharedCore};

/// The answer that each key had first, for a thread's view of one cache.
pub(super) struct Answers<Key, R> {
    /// Ids are given in sequence: an answer stays for as long as the batch.
    entries: Entries<Key, Answer<R>>,
    len: u32,
}

impl<Key: Clone + Eq + Hash, R: Clone> Answers<Key, R> {
    /// The answer for this key: at the first call that of [`answer`], and then the same. Every use of a resource counts.
    ///
    /// # Errors
    /// Those of `bridge`; then there is no answer yet.
    pub(super) fn ask<Q: Query<Key> + ?Sized, E>(
        &mut self,
        local: &mut LocalCache<Key, R>,
        hash: u64,
        query: &Q,
        fallback: impl FnOnce() -> R,
        bridge: impl FnOnce(&Arc<SharedCore<Key, R>>) -> Result<Option<Arc<Node<R>>>, E>,
    ) -> Result<&Answer<R>, E> {
        let (fallback, bridge) = (Foreign::new(fallback), Foreign::new(bridge));
        let id = match self.entries.find(hash, query) {
            Some(id) => {
                if !self.entries.get(id).resource.is_fallback() {
                    count_use(local, hash, query);
                }
                id
            }
            None => {
                // Building a key is not ours, and may panic.
                let resource =
                    Foreign::new(answer(local, hash, query, fallback.into_inner(), bridge.into_inner())?);
                let entry = Entry { key: query.to_key(), resource: resource.into_inner() };
                self.len += 1;
                let id = EntryId(self.len);
                self.entries.insert(id, hash, entry);
                id
            }
        };
        Ok(&self.entries.get(id).resource)
    }
}

/// The resource with this key, or else the `fallback`, and `bridge` has the resource created in the background and returns it if
/// it is there by now.
///
/// # Errors
/// Those of `bridge`.
pub(super) fn answer<Key: Clone + Eq + Hash, R: Clone, Q: Query<Key> + ?Sized, E>(
    local: &mut LocalCache<Key, R>,
    hash: u64,
    query: &Q,
    fallback: impl FnOnce() -> R,
    bridge: impl FnOnce(&Arc<SharedCore<Key, R>>) -> Result<Option<Arc<Node<R>>>, E>,
) -> Result<Answer<R>, E> {
    let (fallback, bridge) = (Foreign::new(fallback), Foreign::new(bridge));
    if let Some((id, now)) = local.find_again(hash, query) {
        drop((fallback, bridge));
        let generation = local.generation(id);
        return Ok(Answer::Resource { resource: local.hit(id, now).clone(), generation });
    }
    let core = local.core();
    let found = match core.get_hashed(hash, query) {
        Some(node) => Some(drop_first(bridge, node)),
        None => (bridge.into_inner())(core)?,
    };
    let Some(node) = found else { return Ok(Answer::Fallback((fallback.into_inner())())) };
    let node = Foreign::new(drop_first(fallback, node));
    let answer = Foreign::new(Answer::of(Arc::clone(&node)));
    local.keep(hash, query, || query.to_key(), node.into_inner());
    Ok(answer.into_inner())
}

/// Counts a hit on what is there with this key, if anything is.
fn count_use<Key: Clone + Eq + Hash, R, Q: Query<Key> + ?Sized>(
    local: &LocalCache<Key, R>,
    hash: u64,
    query: &Q,
) {
    match local.find(hash, query) {
        Some((id, now)) => {
            local.hit(id, now);
        }
        None => drop(local.core().get_hashed(hash, query)),
    }
}

impl<Key, R> Default for Answers<Key, R> {
    fn default() -> Self {
        Self { entries: Entries::default(), len: 0 }
    }
}
