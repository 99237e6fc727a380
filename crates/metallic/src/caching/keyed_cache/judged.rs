//! Look-ups whose caller knows whether what is there will still do.

use metallic_instrumentation::RemovalCause;
use std::hash::Hash;

use super::{Arrival, KeyedCache};
use crate::caching::entries::hash_of;
use crate::error::{Error, chain};

impl<Key: Eq + Hash, R> KeyedCache<Key, R> {
    /// Returns the resource with this key: from the cache, or else made by `make`, with the bytes that it holds. An entry that
    /// is there is judged by `is_current`: one that is not current is removed, whether or not `make` succeeds. `user` is the
    /// caller's type, for messages.
    ///
    /// # Errors
    /// [`Error::Creation`] of that of `make`; [`Error::DuplicateCacheName`]. If `is_current` returns an error, the entry stays,
    /// and nothing is counted.
    #[inline]
    pub(crate) fn get_or_create_current(
        &mut self,
        key: Key,
        user: &'static str,
        is_current: impl FnOnce(&R) -> Result<bool, Error>,
        make: impl FnOnce() -> Result<(R, u64), Error>,
    ) -> Result<&mut R, Error> {
        let hash = hash_of(&key);
        let (now, found) = self.look_up(hash, &key);
        if let Some(id) = found {
            if is_current(self.resource(id))? {
                self.hit_slow(id, now);
                return Ok(self.resource_mut(id));
            }
            drop(self.remove_found(hash, &key, RemovalCause::Stale, now));
        }
        self.check_name(user)?;
        let made = {
            let mut arrival = Arrival::new(self, |cache| cache, key, hash, now);
            arrival.begin();
            match make() {
                Ok((resource, bytes)) => Ok(arrival.commit(resource, bytes).0),
                Err(error) => Err(Error::creation(arrival.fail(&chain(&error)).0, error)),
            }
        };
        made.map(|id| self.resource_mut(id))
    }
}
